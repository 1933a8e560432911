// Text to ids: Google's BasicTokenizer and WordpieceTokenizer in one pass.
#ifndef BERTFAST_TOKENIZER_H_
#define BERTFAST_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/char_map.h"
#include "bertfast/id_buffer.h"
#include "bertfast/normal_form.h"
#include "bertfast/piece_trie.h"
#include "bertfast/special_tokens.h"
#include "bertfast/text.h"
#include "bertfast/token_strings.h"
#include "bertfast/words_of_one.h"
#include "bertfast/workspace.h"

namespace bertfast {

// A word over this many code points, counted after normalization, is one [UNK].
constexpr std::size_t kMaxWordLength = 200;

// Longer than any window of text.
constexpr std::size_t kNoTokenLength = 0xFFFF;

// When a tokenizer fills the cache of its first thread: 13 MB of memory and the words
// of the vocabulary. kAtOnce is for who will encode a lot; kWhenItPays, after some
// texts, for who may want a single answer soon.
enum class Warming { kAtOnce, kWhenItPays };

// Immutable after construction; every method is const and thread-safe. Holds no thread
// and no lock, so a fork is safe at any time.
class Tokenizer {
 public:
  // `vocab` is read here and not kept; its tokens must be distinct. "##" marks a
  // continuation. `special_tokens` are taken for themselves wherever a text has them.
  Tokenizer(const std::vector<VocabEntry>& vocab, std::int32_t unk_id,
            const TextRules& rules, const std::vector<VocabEntry>& special_tokens,
            Warming warming = Warming::kAtOnce);

  // As the original, which has two settings of the rules and no special tokens.
  Tokenizer(const std::vector<VocabEntry>& vocab, std::int32_t unk_id,
            bool do_lower_case)
      : Tokenizer(vocab, unk_id, {do_lower_case, do_lower_case, true}, {}) {}

  // Appends the ids of `text`, without special tokens, to `out`: at most `limit` of
  // them, reading no further than that takes. Linear time; memory beyond `out` is
  // constant. Throws std::bad_alloc.
  void encode(const Text& text, std::size_t limit, IdBuffer* out) const;

  // The same without a cache and a window; `limit` as above. Special tokens are text.
  void encode_plainly(const Text& text, std::size_t limit, IdBuffer* out) const;

  // Appends the ids of all texts to `out` and stores the ends: row i is
  // [row_ends[i - 1], row_ends[i]). Splits the rows over `n_threads` threads (0: by the
  // amount of text and the processors of this process) which it starts and joins.
  // Throws std::bad_alloc; `out` is unspecified then.
  void encode_batch(const std::vector<Text>& texts, std::size_t limit, int n_threads,
                    IdBuffer* out, std::int64_t* row_ends) const;

  // The same for rows [begin, end) on the calling thread.
  void encode_rows(const std::vector<Text>& texts, std::size_t limit, std::size_t begin,
                   std::size_t end, Workspace* workspace, IdBuffer* out,
                   std::int64_t* row_ends) const;

  WorkspacePool* workspaces() const { return &workspaces_; }
  const SpecialTokenFinder& special_tokens() const { return special_tokens_; }
  const CharMap& char_map() const { return char_map_; }
  const PieceTrie& trie() const { return trie_; }
  const WordsOfOne& words_of_one() const { return words_of_one_; }
  const Alphabet& alphabet() const { return alphabet_; }
  // The length of the token `id` in code points, without its "##"; kNoTokenLength for
  // [UNK], which stands for a word of any length, and where it is not known.
  std::size_t token_length(std::int32_t id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < token_lengths_.size() ? token_lengths_[index] : kNoTokenLength;
  }
  std::int32_t unk_id() const { return unk_id_; }

 private:
  bool is_warm_for(const Text* texts, std::size_t limit, std::size_t begin,
                   std::size_t end, Workspace* workspace) const;
  void encode_in(const Text* texts, std::size_t limit, std::size_t begin,
                 std::size_t end, Workspace* workspace, IdBuffer* out,
                 std::int64_t* row_ends) const;

  TokenStrings tokens_;
  Alphabet alphabet_;
  CharMap char_map_;
  PieceTrie trie_;
  std::int32_t unk_id_;
  WordsOfOne words_of_one_;
  std::vector<std::uint16_t> token_lengths_;  // by id
  SpecialTokenFinder special_tokens_;
  mutable WorkspacePool workspaces_;
};

}  // namespace bertfast

#endif  // BERTFAST_TOKENIZER_H_
