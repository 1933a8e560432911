// Special tokens written in a text, such as "[MASK]", that stand for themselves:
// Hugging Face's habit. To the original they are text like any other.
//
//   "The [MASK] sat."  -->  "The "  [MASK]  " sat."
//
// They are found in the text as it is given, before anything is done to it; what lies
// between them is encoded as if it were a text of its own.
#ifndef BERTFAST_SPECIAL_TOKENS_H_
#define BERTFAST_SPECIAL_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "bertfast/id_buffer.h"
#include "bertfast/text.h"
#include "bertfast/workspace.h"

namespace bertfast {

class Tokenizer;

// All begin with "[", hold no whitespace, and none begins with another.
struct SpecialToken {
  std::vector<CodePoint> code_points;
  std::int32_t id;
};

// Immutable after construction; finding is thread-safe.
class SpecialTokenFinder {
 public:
  struct Match {
    std::size_t begin;  // in units of the text
    std::size_t end;
    const SpecialToken* token;
  };

  explicit SpecialTokenFinder(std::vector<SpecialToken> tokens)
      : tokens_(std::move(tokens)) {}

  bool empty() const { return tokens_.empty(); }

  // Stores the leftmost special token of `text`; false if it has none. Linear time. In
  // UTF-8, invalid bytes inside of a token are ignored as everywhere.
  bool find(const Text& text, Match* match) const;

 private:
  std::vector<SpecialToken> tokens_;
};

// Encodes texts with special tokens in them; all else is left to BatchEncoder. A text
// of which only the beginning is wanted is read little further, if it has whitespace;
// without any, it is searched for special tokens to its end.
class SpecialTextEncoder {
 public:
  SpecialTextEncoder(const Tokenizer& tokenizer, std::size_t limit,
                     Workspace* workspace, IdBuffer* out);

  // As BatchEncoder::encode().
  void encode(const Text* texts, std::size_t begin, std::size_t end,
              std::int64_t* row_ends);

 private:
  bool is_plain(const Text& text) const;
  void encode_plain_rows(const Text* texts, std::size_t begin, std::size_t end,
                         std::int64_t* row_ends);
  void encode_row(const Text& text);
  void encode_part(Text part);
  void encode_between(const Text& text);
  void push(const SpecialToken& token);
  // Ids that the current row may still get.
  std::size_t room() const { return limit_ - (out_->size() - row_start_); }

  const Tokenizer& tokenizer_;
  const SpecialTokenFinder& finder_;
  const std::size_t limit_;
  Workspace* workspace_;
  IdBuffer* out_;
  std::size_t row_start_ = 0;         // size of out_ where the current row began
  std::int32_t row_code_points_ = 0;  // of the current row, read so far; for spans
};

}  // namespace bertfast

#endif  // BERTFAST_SPECIAL_TOKENS_H_
