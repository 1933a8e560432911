#include "bertfast/tokenizer.h"

#include <sched.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "bertfast/batch_encoder.h"
#include "bertfast/first_words.h"
#include "bertfast/parallel.h"
#include "bertfast/special_tokens.h"
#include "bertfast/text_encoder.h"

namespace bertfast {
namespace {

// Starting and joining a thread costs 50 us and more, in which one encodes 40 KB; below
// this much for each thread a second one does not pay for sure.
constexpr std::size_t kMinBytesPerThread = 256 << 10;

// What a thread encodes plainly before its cache pays: the plain road takes 10 ns a
// byte, a cache 2 ms and more where the system has to find the memory first.
constexpr std::size_t kColdBytes = 128 << 10;
// Of a text whose ids are limited no more is read, nearly always.
constexpr std::size_t kBytesPerLimitedId = 8;

std::vector<CodePoint> code_points(const Text& text) {
  std::vector<CodePoint> result;
  read_text(text, [&](auto reader) {
    CodePoint code_point;
    while (reader.next(&code_point)) result.push_back(code_point);
  });
  return result;
}

std::vector<Symbol> make_symbols(const TokenStrings& tokens, const Alphabet& alphabet) {
  std::vector<Symbol> symbols;
  symbols.reserve(tokens.code_points().size());
  for (const CodePoint code_point : tokens.code_points())
    symbols.push_back(alphabet.symbol(code_point));
  return symbols;
}

PieceTrie make_trie(const TokenStrings& tokens, const Alphabet& alphabet) {
  const std::vector<Symbol> symbols = make_symbols(tokens, alphabet);
  std::vector<Piece> pieces;
  pieces.reserve(2 * tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Symbol* begin = symbols.data() + tokens.start(i);
    const std::size_t length = tokens.token(i).size();
    const std::int32_t id = tokens.id(i);
    // An empty piece never matches; one over the longest word cannot.
    if (length > 0 && length <= kMaxWordLength)
      pieces.push_back({begin, length, id, false});
    if (tokens.is_continuation(i) && length - 2 <= kMaxWordLength)
      pieces.push_back({begin + 2, length - 2, id, true});
  }
  return PieceTrie(pieces, alphabet.size());
}

// Ids above this are not looked up by number.
constexpr std::int32_t kMaxNumberedId = 1 << 22;

// The lengths of the pieces by id. An id that two tokens share has none.
std::vector<std::uint16_t> make_token_lengths(const TokenStrings& tokens,
                                              std::int32_t unk_id) {
  std::vector<std::uint16_t> lengths;
  std::vector<bool> seen;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int32_t id = tokens.id(i);
    if (id > kMaxNumberedId) continue;
    const auto index = static_cast<std::size_t>(id);
    if (index >= lengths.size()) {
      lengths.resize(index + 1, kNoTokenLength);
      seen.resize(index + 1);
    }
    const std::size_t length =
        tokens.token(i).size() - (tokens.is_continuation(i) ? 2 : 0);
    const bool is_known = !seen[index] && id != unk_id && length <= kMaxWordLength;
    lengths[index] = static_cast<std::uint16_t>(is_known ? length : kNoTokenLength);
    seen[index] = true;
  }
  return lengths;
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
                     const std::vector<VocabEntry>& special_tokens, Warming warming)
    : tokens_(vocab),
      alphabet_(tokens_),
      char_map_(alphabet_, rules),
      trie_(make_trie(tokens_, alphabet_)),
      unk_id_(unk_id),
      words_of_one_(char_map_, trie_, unk_id),
      token_lengths_(make_token_lengths(tokens_, unk_id)),
      special_tokens_(make_special_tokens(special_tokens)) {
  if (warming == Warming::kWhenItPays) return;
  const WorkspacePool::Lease lease(&workspaces_);
  lease.get()->cold_bytes = kColdBytes;
  is_warm_for(nullptr, 0, 0, 0, lease.get());
}

// Whether `workspace` has a cache; it gets one when enough has come, these texts
// included. Special tokens always need one.
bool Tokenizer::is_warm_for(const Text* texts, std::size_t limit, std::size_t begin,
                            std::size_t end, Workspace* workspace) const {
  if (workspace->cache != nullptr) return true;
  std::size_t& n_bytes = workspace->cold_bytes;
  for (std::size_t row = begin; row < end && n_bytes < kColdBytes; ++row)
    n_bytes += std::min(texts[row].n_bytes() / kBytesPerLimitedId, limit) *
                   kBytesPerLimitedId +
               1;
  if (n_bytes < kColdBytes && special_tokens_.empty()) return false;
  auto cache = std::make_unique<ChunkCache>();
  remember_first_words(tokens_, alphabet_, char_map_, cache.get());
  workspace->cache = std::move(cache);
  return true;
}

void Tokenizer::encode(const Text& text, std::size_t limit, IdBuffer* out) const {
  const WorkspacePool::Lease lease(&workspaces_);
  std::int64_t row_end;
  encode_in(&text, limit, 0, 1, lease.get(), out, &row_end);
}

void Tokenizer::encode_plainly(const Text& text, std::size_t limit,
                               IdBuffer* out) const {
  read_text(text, [&](auto reader) {
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
  if (!is_warm_for(texts, limit, begin, end, workspace)) {
    for (std::size_t row = begin; row < end; ++row) {
      encode_plainly(texts[row], limit, out);
      row_ends[row] = static_cast<std::int64_t>(out->size());
    }
  } else if (special_tokens_.empty()) {
    BatchEncoder(*this, limit, workspace, out).encode(texts, begin, end, row_ends);
  } else {
    SpecialTextEncoder(*this, limit, workspace, out)
        .encode(texts, begin, end, row_ends);
  }
}

}  // namespace bertfast
