// Special tokens in texts of every representation against the definition: cut the text
// at them and encode what lies between. And the text rules beyond the original's two.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bertfast/special_tokens.h"
#include "bertfast/tokenizer.h"
#include "check.h"

namespace {

using bertfast::IdBuffer;
using bertfast::Text;
using bertfast::TextKind;
using bertfast::TextRules;
using bertfast::Tokenizer;
using bertfast::VocabEntry;
using Ids = std::vector<std::int32_t>;

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);
constexpr TextRules kUncased{true, true, true};

// ids:                           0        1         2        3    4     5    6
const std::string kTokens[] = {"[UNK]", "[MASK]", "[SEP]", "a", "##a", "[", "]",
                               // 7               8              9
                               "\xC3\xA9", "\xE5\xA4\xA7", "##\xE5\xA4\xA7",
                               // 10  11         12
                               "e", "##\xCC\x81", "##\xC3\xA9"};
constexpr std::size_t kSpecialTokens = 3;

Text utf8(const std::string& bytes) {
  return {bytes.data(), bytes.size(), TextKind::kUtf8};
}

Tokenizer make_tokenizer(const TextRules& rules, std::size_t n_special_tokens) {
  std::vector<VocabEntry> vocab;
  for (const std::string& token : kTokens)
    vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
  const std::vector<VocabEntry> special(
      vocab.begin(), vocab.begin() + static_cast<std::ptrdiff_t>(n_special_tokens));
  return Tokenizer(vocab, 0, rules, special);
}

Ids encode(const Tokenizer& tokenizer, const Text& text, std::size_t limit = kNoLimit) {
  IdBuffer out(false);
  tokenizer.encode(text, limit, &out);
  return Ids(out.ids().data(), out.ids().data() + out.size());
}

// Pairs of begin and end.
Ids spans(const Tokenizer& tokenizer, const Text& text) {
  IdBuffer out(true);
  tokenizer.encode(text, kNoLimit, &out);
  Ids result;
  for (std::size_t i = 0; i < out.size(); ++i) {
    result.push_back(out.spans().data()[i].begin);
    result.push_back(out.spans().data()[i].end);
  }
  return result;
}

template <class Unit>
std::vector<Unit> units(const std::u32string& text) {
  return std::vector<Unit>(text.begin(), text.end());
}

Text ascii(const std::vector<std::uint8_t>& text) {
  return {text.data(), text.size(), TextKind::kAscii};
}

Text latin1(const std::vector<std::uint8_t>& text) {
  return {text.data(), text.size(), TextKind::kLatin1};
}

Text ucs2(const std::vector<std::uint16_t>& text) {
  return {text.data(), text.size(), TextKind::kUcs2};
}

Text ucs4(const std::vector<std::uint32_t>& text) {
  return {text.data(), text.size(), TextKind::kUcs4};
}

void test_tokens_are_found_in_every_representation() {
  const Tokenizer tokenizer = make_tokenizer(kUncased, kSpecialTokens);
  const std::u32string text = U"a[MASK]a [[SEP]]";
  const Ids expected = {3, 1, 3, 5, 2, 6};
  const auto bytes = units<std::uint8_t>(text);
  CHECK(encode(tokenizer, ascii(bytes)) == expected);
  CHECK(encode(tokenizer, latin1(bytes)) == expected);
  CHECK(encode(tokenizer, ucs2(units<std::uint16_t>(text))) == expected);
  CHECK(encode(tokenizer, ucs4(units<std::uint32_t>(text))) == expected);
  CHECK(encode(tokenizer, utf8("a[MASK]a [[SEP]]")) == expected);
  CHECK(encode(tokenizer, utf8("a[MA\xFFSK\xE5\xA4]\x80"
                               "a [[S\xC3"
                               "EP]]")) == expected);
  CHECK(spans(tokenizer, utf8("\xE5\xA4\xA7[MA\xFFSK]a")) == (Ids{0, 1, 1, 7, 7, 8}));
}

void test_without_them_they_are_text() {
  const Tokenizer tokenizer = make_tokenizer(kUncased, 0);
  CHECK(encode(tokenizer, utf8("[MASK]")) == (Ids{5, 0, 6}));
  CHECK(encode(make_tokenizer(kUncased, kSpecialTokens), {nullptr, 0, TextKind::kUtf8})
            .empty());
}

// The definition, on texts of few characters.
Ids encode_by_definition(const Tokenizer& plain, const std::string& text) {
  Ids ids;
  std::size_t begin = 0;
  const auto take = [&](std::size_t end) {
    const std::string between = text.substr(begin, end - begin);
    const Ids more = encode(plain, utf8(between));
    ids.insert(ids.end(), more.begin(), more.end());
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (std::size_t token = 0; token < kSpecialTokens; ++token) {
      if (text.compare(at, kTokens[token].size(), kTokens[token]) != 0) continue;
      take(at);
      ids.push_back(static_cast<std::int32_t>(token));
      begin = at + kTokens[token].size();
      at = begin - 1;
      break;
    }
  }
  take(text.size());
  return ids;
}

void test_random_texts_follow_the_definition() {
  const Tokenizer tokenizer = make_tokenizer(kUncased, kSpecialTokens);
  const Tokenizer plain = make_tokenizer(kUncased, 0);
  const std::string parts[] = {"[MASK]",       "[SEP]", "[UNK]", "[",  "]",  "[MASK",
                               "SEP]",         "a",     " ",     "aa", "\n", "\xC3\xA9",
                               "\xE5\xA4\xA7", "!"};
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    // Some longer than what is searched at a time, with and without whitespace.
    const std::size_t n_parts = round % 300 == 0 ? 40000 : random() % 12;
    const bool without_space = round % 600 == 0;
    std::string text;
    for (std::size_t i = 0; i < n_parts; ++i) {
      const std::string& part = parts[random() % 14];
      if (without_space && (part == " " || part == "\n")) continue;
      text += part;
    }
    const Ids expected = encode_by_definition(plain, text);
    CHECK(encode(tokenizer, utf8(text)) == expected);
    const std::size_t limit = random() % 20;
    const std::size_t kept = limit < expected.size() ? limit : expected.size();
    const Ids cut(expected.begin(),
                  expected.begin() + static_cast<std::ptrdiff_t>(kept));
    CHECK(encode(tokenizer, utf8(text), limit) == cut);
  }
}

void test_batches_mix_plain_rows_and_others() {
  const Tokenizer tokenizer = make_tokenizer(kUncased, kSpecialTokens);
  std::vector<std::string> strings;
  for (int i = 0; i < 2000; ++i)
    strings.push_back(std::string(i % 5, 'a') + (i % 3 == 0 ? "[MASK]" : " ") + "a");
  std::vector<Text> texts;
  Ids expected;
  std::vector<std::int64_t> ends;
  for (const std::string& string : strings) {
    texts.push_back(utf8(string));
    const Ids ids = encode(tokenizer, texts.back());
    expected.insert(expected.end(), ids.begin(), ids.end());
    ends.push_back(static_cast<std::int64_t>(expected.size()));
  }
  for (const int n_threads : {1, 2, 5}) {
    IdBuffer out(false);
    std::vector<std::int64_t> row_ends(texts.size());
    tokenizer.encode_batch(texts, kNoLimit, n_threads, &out, row_ends.data());
    CHECK(Ids(out.ids().data(), out.ids().data() + out.size()) == expected);
    CHECK(row_ends == ends);
  }
}

void test_rules_are_independent() {
  const std::string text = "\xC3\x89 e\xCC\x81 \xE5\xA4\xA7\xE5\xA4\xA7";  // É é 大大
  const auto ids = [&](const TextRules& rules) {
    return encode(make_tokenizer(rules, 0), utf8(text));
  };
  CHECK(ids({true, true, true}) == (Ids{10, 10, 8, 8}));
  CHECK(ids({true, true, false}) == (Ids{10, 10, 8, 9}));
  CHECK(ids({true, false, true}) == (Ids{7, 10, 11, 8, 8}));
  CHECK(ids({true, false, false}) == (Ids{7, 10, 11, 8, 9}));
  CHECK(ids({false, true, true}) == (Ids{0, 10, 8, 8}));
  CHECK(ids({false, false, true}) == (Ids{0, 10, 11, 8, 8}));
}

}  // namespace

int main() {
  test_tokens_are_found_in_every_representation();
  test_without_them_they_are_text();
  test_random_texts_follow_the_definition();
  test_batches_mix_plain_rows_and_others();
  test_rules_are_independent();
  return bertfast_test::report("test_special_tokens");
}
