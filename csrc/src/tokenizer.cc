#include "bertfast/tokenizer.h"

#include <sched.h>

#include <algorithm>
#include <thread>

#include "bertfast/batch_encoder.h"
#include "bertfast/parallel.h"
#include "bertfast/special_tokens.h"
#include "bertfast/text_encoder.h"

namespace bertfast {
namespace {

// Starting and joining a thread costs 50 us and more, in which one encodes 40 KB; below
// this much for each thread a second one does not pay for sure.
constexpr std::size_t kMinBytesPerThread = 256 << 10;

// Calls `function` with a reader for the text's representation.
template <class Function>
void visit(const Text& text, Function function) {
  switch (text.kind) {
    case TextKind::kAscii:
    case TextKind::kLatin1:
      return function(UnitReader<std::uint8_t>(text.data, text.length));
    case TextKind::kUcs2:
      return function(UnitReader<std::uint16_t>(text.data, text.length));
    case TextKind::kUcs4:
      return function(UnitReader<std::uint32_t>(text.data, text.length));
    case TextKind::kUtf8:
      return function(Utf8Reader(text.data, text.length));
  }
}

std::vector<CodePoint> code_points(const Text& text) {
  std::vector<CodePoint> result;
  visit(text, [&](auto reader) {
    CodePoint code_point;
    while (reader.next(&code_point)) result.push_back(code_point);
  });
  return result;
}

std::vector<std::vector<CodePoint>> all_code_points(
    const std::vector<VocabEntry>& vocab) {
  std::vector<std::vector<CodePoint>> result;
  for (const VocabEntry& entry : vocab) result.push_back(code_points(entry.token));
  return result;
}

std::vector<Piece> make_pieces(const std::vector<std::vector<CodePoint>>& tokens,
                               const std::vector<VocabEntry>& vocab,
                               const Alphabet& alphabet) {
  std::vector<Piece> pieces;
  const auto add = [&](const CodePoint* begin, const CodePoint* end, std::int32_t id,
                       bool is_continuation) {
    // An empty piece never matches; one over the longest word cannot.
    if (begin == end || static_cast<std::size_t>(end - begin) > kMaxWordLength) return;
    std::vector<Symbol> symbols;
    for (const CodePoint* it = begin; it != end; ++it)
      symbols.push_back(alphabet.symbol(*it));
    pieces.push_back({std::move(symbols), id, is_continuation});
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const CodePoint* begin = tokens[i].data();
    const CodePoint* end = begin + tokens[i].size();
    add(begin, end, vocab[i].id, false);
    if (tokens[i].size() > 2 && begin[0] == '#' && begin[1] == '#') {
      add(begin + 2, end, vocab[i].id, true);
    }
  }
  return pieces;
}

// Ids above this are not looked up by number.
constexpr std::int32_t kMaxNumberedId = 1 << 22;

// The lengths of the pieces by id. An id that two tokens share has none.
std::vector<std::uint16_t> make_token_lengths(
    const std::vector<std::vector<CodePoint>>& tokens,
    const std::vector<VocabEntry>& vocab, std::int32_t unk_id) {
  std::vector<std::uint16_t> lengths;
  std::vector<bool> seen;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int32_t id = vocab[i].id;
    if (id > kMaxNumberedId) continue;
    const auto index = static_cast<std::size_t>(id);
    if (index >= lengths.size()) {
      lengths.resize(index + 1, kNoTokenLength);
      seen.resize(index + 1);
    }
    const bool is_continuation =
        tokens[i].size() > 2 && tokens[i][0] == '#' && tokens[i][1] == '#';
    const std::size_t length = tokens[i].size() - (is_continuation ? 2 : 0);
    const bool is_known = !seen[index] && id != unk_id && length <= kMaxWordLength;
    lengths[index] = static_cast<std::uint16_t>(is_known ? length : kNoTokenLength);
    seen[index] = true;
  }
  return lengths;
}

// The words of the vocabulary, a space between, for a new cache to begin with: of those
// that a text holds, most come up sooner or later. The first of a vocabulary are the
// most frequent ones by custom: they come last and so displace the others. In
// lower-case mode they come as at the beginning of a sentence, too.
std::vector<CodePoint> make_first_words(
    const std::vector<std::vector<CodePoint>>& tokens, bool do_lower_case) {
  std::vector<CodePoint> words;
  const auto add = [&](const std::vector<CodePoint>& token, bool capital) {
    words.insert(words.end(), token.begin(), token.end());
    if (capital) words[words.size() - token.size()] -= 'a' - 'A';
    words.push_back(' ');
  };
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) {
    const std::size_t length = token->size();
    if (length == 0 || length > kLongKeyBytes) continue;
    const CodePoint first = token->front();
    if (length > 1 && (first == '#' || first == '[')) continue;
    if (do_lower_case && first >= 'a' && first <= 'z') add(*token, true);
    add(*token, false);
  }
  return words;
}

// The processors that this process may use.
int available_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::size_t total_bytes(const std::vector<Text>& texts) {
  std::size_t total = 0;
  for (const Text& text : texts) total += text.n_bytes();
  return total;
}

// A guess that saves most of the growing: about as many as English has.
std::size_t expected_ids(const std::vector<Text>& texts, std::size_t limit) {
  std::size_t expected = 0;
  for (const Text& text : texts) expected += std::min(limit, text.length / 4 + 2);
  return expected;
}

std::vector<SpecialToken> make_special_tokens(const std::vector<VocabEntry>& entries) {
  std::vector<SpecialToken> tokens;
  for (const VocabEntry& entry : entries)
    tokens.push_back({code_points(entry.token), entry.id});
  return tokens;
}

}  // namespace

Tokenizer::Tokenizer(const std::vector<VocabEntry>& vocab, std::int32_t unk_id,
                     const TextRules& rules,
                     const std::vector<VocabEntry>& special_tokens)
    : Tokenizer(all_code_points(vocab), vocab, unk_id, rules, special_tokens) {}

Tokenizer::Tokenizer(const CodePointStrings& tokens,
                     const std::vector<VocabEntry>& vocab, std::int32_t unk_id,
                     const TextRules& rules,
                     const std::vector<VocabEntry>& special_tokens)
    : alphabet_(tokens),
      char_map_(alphabet_, rules),
      trie_(make_pieces(tokens, vocab, alphabet_), alphabet_.size()),
      unk_id_(unk_id),
      words_of_one_(char_map_, trie_, unk_id),
      token_lengths_(make_token_lengths(tokens, vocab, unk_id)),
      special_tokens_(make_special_tokens(special_tokens)),
      first_words_(make_first_words(tokens, rules.do_lower_case)) {
  const WorkspacePool::Lease lease(&workspaces_);
  warm(lease.get());
}

// Fills a new cache.
void Tokenizer::warm(Workspace* workspace) const {
  if (workspace->is_warm) return;
  workspace->is_warm = true;
  const Text words{first_words_.data(), first_words_.size(), TextKind::kUcs4};
  IdBuffer ids(false);
  std::int64_t row_end;
  BatchEncoder(*this, static_cast<std::size_t>(-1), workspace, &ids)
      .encode(&words, 0, 1, &row_end);
}

void Tokenizer::encode(const Text& text, std::size_t limit, IdBuffer* out) const {
  const WorkspacePool::Lease lease(&workspaces_);
  std::int64_t row_end;
  encode_in(&text, limit, 0, 1, lease.get(), out, &row_end);
}

void Tokenizer::encode_plainly(const Text& text, std::size_t limit,
                               IdBuffer* out) const {
  visit(text, [&](auto reader) {
    using Reader = decltype(reader);
    if (out->with_spans()) {
      TextEncoder<Reader, true>(*this, reader, limit, out).encode();
    } else {
      TextEncoder<Reader, false>(*this, reader, limit, out).encode();
    }
  });
}

void Tokenizer::encode_batch(const std::vector<Text>& texts, std::size_t limit,
                             int n_threads, IdBuffer* out,
                             std::int64_t* row_ends) const {
  std::size_t n = static_cast<std::size_t>(n_threads);
  if (n_threads <= 0) {
    const auto processors = static_cast<std::size_t>(available_processors());
    n = std::min(processors, total_bytes(texts) / kMinBytesPerThread);
  }
  out->reserve_more(expected_ids(texts, limit));
  if (n > 1 && texts.size() > 1) {
    encode_parallel(*this, texts, limit, n, out, row_ends);
  } else {
    const WorkspacePool::Lease lease(&workspaces_);
    encode_rows(texts, limit, 0, texts.size(), lease.get(), out, row_ends);
  }
}

void Tokenizer::encode_rows(const std::vector<Text>& texts, std::size_t limit,
                            std::size_t begin, std::size_t end, Workspace* workspace,
                            IdBuffer* out, std::int64_t* row_ends) const {
  encode_in(texts.data(), limit, begin, end, workspace, out, row_ends);
}

void Tokenizer::encode_in(const Text* texts, std::size_t limit, std::size_t begin,
                          std::size_t end, Workspace* workspace, IdBuffer* out,
                          std::int64_t* row_ends) const {
  warm(workspace);
  if (special_tokens_.empty()) {
    BatchEncoder(*this, limit, workspace, out).encode(texts, begin, end, row_ends);
  } else {
    SpecialTextEncoder(*this, limit, workspace, out)
        .encode(texts, begin, end, row_ends);
  }
}

}  // namespace bertfast
