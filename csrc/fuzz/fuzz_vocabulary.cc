// A vocabulary file of any bytes: its lines become a tokenizer, which then encodes its
// own file and a word of its own letters, by all roads and against a map of its tokens.
//
// Input: rules, then the file. Slow: a tokenizer maps and warms a cache of 13 MiB.
#include <set>
#include <unordered_map>

#include "bertfast/lines.h"
#include "fuzz.h"

namespace bertfast_fuzz {
namespace {

using bertfast::IdBuffer;
using bertfast::Tokenizer;
using bertfast::VocabEntry;
using Vocab = std::unordered_map<std::string, std::int32_t>;

// The bytes as they are read: what is invalid is left out.
std::string valid(const Text& line) {
  bertfast::Utf8Reader reader(line.data, line.length);
  std::string bytes;
  bertfast::CodePoint code_point;
  while (reader.next(&code_point)) {
    const auto* after = reinterpret_cast<const char*>(reader.position());
    const int n = code_point < 0x80      ? 1
                  : code_point < 0x800   ? 2
                  : code_point < 0x10000 ? 3
                                         : 4;
    bytes.append(after - n, static_cast<std::size_t>(n));
  }
  return bytes;
}

// Greedy longest match as the original writes it; `word` is of ASCII letters.
std::vector<std::int32_t> wordpiece(const Vocab& vocab, const std::string& word) {
  std::vector<std::int32_t> ids;
  for (std::size_t at = 0; at < word.size();) {
    std::size_t end = word.size();
    Vocab::const_iterator found = vocab.end();
    for (; end > at; --end) {
      found = vocab.find((at > 0 ? "##" : "") + word.substr(at, end - at));
      if (found != vocab.end()) break;
    }
    if (found == vocab.end()) return {0};
    ids.push_back(found->second);
    at = end;
  }
  return ids;
}

void check_roads(const Tokenizer& tokenizer, const Text& text) {
  for (const bool with_spans : {false, true}) {
    IdBuffer fast(with_spans);
    IdBuffer plain(with_spans);
    tokenizer.encode(text, kNoLimit, &fast);
    tokenizer.encode_plainly(text, kNoLimit, &plain);
    REQUIRE(fast.size() == plain.size());
    for (std::size_t i = 0; i < fast.size(); ++i)
      REQUIRE(fast.ids().data()[i] == plain.ids().data()[i]);
  }
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  if (size == 0) return 0;
  const bertfast::TextRules rules{(data[0] & 1) != 0, (data[0] & 2) != 0,
                                  (data[0] & 4) != 0};
  std::vector<Text> lines;
  bertfast::append_lines(data + 1, size - 1, &lines);
  Vocab ids = {{"[UNK]", 0}};
  for (const Text& line : lines)
    ids.insert({valid(line), static_cast<std::int32_t>(ids.size())});
  std::vector<VocabEntry> vocab;
  for (const auto& [token, id] : ids) vocab.push_back({utf8(token), id});
  const Tokenizer tokenizer(vocab, 0, rules, {});

  check_roads(tokenizer, {data + 1, size - 1, TextKind::kUtf8});
  std::string word;
  for (std::size_t i = 1; i < size && word.size() < bertfast::kMaxWordLength; ++i) {
    if (data[i] >= 'a' && data[i] <= 'z') word += static_cast<char>(data[i]);
  }
  check_roads(tokenizer, utf8(word));
  IdBuffer given(false);
  tokenizer.encode(utf8(word), kNoLimit, &given);
  const std::vector<std::int32_t> expected = wordpiece(ids, word);
  REQUIRE(given.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    REQUIRE(given.ids().data()[i] == expected[i]);
  return 0;
}
