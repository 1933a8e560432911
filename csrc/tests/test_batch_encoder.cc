// The fast road (windows, scanner, cache) against the plain one, on random texts of
// every representation; and every scanner kernel against the definition of an edge.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bertfast/batch_encoder.h"
#include "bertfast/scanner.h"
#include "check.h"

namespace {

using bertfast::IdBuffer;
using bertfast::Text;
using bertfast::TextKind;
using bertfast::Tokenizer;
using bertfast::VocabEntry;

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// Characters that take every way through the core, ASCII and whitespace most often.
const char32_t kAlphabet[] =
    U"abcdeABC   "
    U"\t\n'.,-!#"
    U"\u00e9\u00df\u00a0\u0130\u03a3\u03c3\u03b1\u0301\u0323\u4e00\u5927\u3042"
    U"\uff1a\u3002\u4e00\u4e01\u9fff\u3400\uac00\u1100\u2028\u3000\u200d\ufb01\uff0c"
    U"\U0001f600\U0001d165\U0001d16d"
    U"\U00020000";
constexpr std::size_t kAlphabetSize = sizeof(kAlphabet) / sizeof(kAlphabet[0]) - 1;

std::string utf8(const std::u32string& text) {
  std::string bytes;
  for (const char32_t c : text) {
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if (c < 0x800) {
      bytes += static_cast<char>(0xC0 | c >> 6);
      bytes += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      bytes += static_cast<char>(0xE0 | c >> 12);
      bytes += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      bytes += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      bytes += static_cast<char>(0xF0 | c >> 18);
      bytes += static_cast<char>(0x80 | (c >> 12 & 0x3F));
      bytes += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      bytes += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return bytes;
}

// A text and the memory that it stands in.
struct OwnedText {
  std::vector<std::uint8_t> memory;
  std::size_t length;
  TextKind kind;
  Text view() const { return {memory.data(), length, kind}; }
};

template <class Unit>
OwnedText own(const std::vector<Unit>& units, TextKind kind) {
  OwnedText text{std::vector<std::uint8_t>(units.size() * sizeof(Unit)), units.size(),
                 kind};
  if (!units.empty()) std::memcpy(text.memory.data(), units.data(), text.memory.size());
  return text;
}

class RandomTexts {
 public:
  explicit RandomTexts(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }

  OwnedText next() {
    const TextKind kinds[] = {TextKind::kAscii, TextKind::kLatin1, TextKind::kUcs2,
                              TextKind::kUcs4, TextKind::kUtf8};
    const TextKind kind = kinds[below(5)];
    // Mostly short, sometimes over a window, sometimes without any whitespace; and
    // ideographs alone, many texts of them in a row.
    if (kind != TextKind::kAscii && kind != TextKind::kLatin1 && n_ideographic_ > 0) {
      --n_ideographic_;
      return represent(std::u32string(below(800), U'\u4e00' + below(3)), kind);
    }
    if (below(200) == 0) n_ideographic_ = below(300);
    const std::size_t length = below(20) == 0 ? below(30000) : below(60);
    const bool spaceless = below(10) == 0;
    const CodePointLimit most = limit_of(kind);
    std::u32string characters;
    while (characters.size() < length) {
      const char32_t c =
          below(2) == 0 ? U'a' + below(5) : kAlphabet[below(kAlphabetSize)];
      if (c > most || (spaceless && (c <= 0x20 || c == 0x3000))) continue;
      characters += c;
    }
    return represent(characters, kind);
  }

 private:
  using CodePointLimit = char32_t;
  static CodePointLimit limit_of(TextKind kind) {
    if (kind == TextKind::kAscii) return 0x7F;
    if (kind == TextKind::kLatin1) return 0xFF;
    return kind == TextKind::kUcs2 ? 0xFFFF : 0x10FFFF;
  }

  OwnedText represent(const std::u32string& characters, TextKind kind) {
    if (kind == TextKind::kUtf8) {
      std::string bytes = utf8(characters);
      for (char& byte : bytes) {
        if (below(50) == 0) byte = static_cast<char>(below(256));
      }
      return own(std::vector<char>(bytes.begin(), bytes.end()), kind);
    }
    std::vector<std::uint32_t> units(characters.begin(), characters.end());
    for (std::uint32_t& unit : units) {
      if (kind == TextKind::kUcs2 && below(40) == 0)
        unit = 0xD800 + static_cast<unsigned>(below(2048));
    }
    if (kind == TextKind::kUcs4) return own(units, kind);
    if (kind == TextKind::kUcs2) {
      return own(std::vector<std::uint16_t>(units.begin(), units.end()), kind);
    }
    return own(std::vector<std::uint8_t>(units.begin(), units.end()), kind);
  }

  std::mt19937 random_;
  std::size_t n_ideographic_ = 0;
};

Tokenizer make_tokenizer(bool do_lower_case) {
  static std::vector<std::string> tokens;
  tokens = {"[UNK]", "abc", "ab", "##ab", "##cd", "de", "##e", "\xE5\xA4\xA7"};
  for (const char32_t c : kAlphabet) {
    if (c <= 0x20 || c == U'b' || c == 0x301) continue;
    tokens.push_back(utf8({c}));
    tokens.push_back("##" + utf8({c}));
  }
  std::vector<VocabEntry> vocab;
  std::vector<std::string> seen;
  for (const std::string& token : tokens) {
    if (std::find(seen.begin(), seen.end(), token) != seen.end()) continue;
    seen.push_back(token);
    vocab.push_back({{token.data(), token.size(), TextKind::kUtf8},
                     static_cast<std::int32_t>(vocab.size())});
  }
  return Tokenizer(vocab, 0, do_lower_case);
}

bool same(IdBuffer& a, std::size_t a_begin, std::size_t a_end, IdBuffer& b) {
  if (a_end - a_begin != b.size()) return false;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (a.ids().data()[a_begin + i] != b.ids().data()[i]) return false;
    if (!b.with_spans()) continue;
    const bertfast::Span one = a.spans().data()[a_begin + i];
    const bertfast::Span other = b.spans().data()[i];
    if (one.begin != other.begin || one.end != other.end) return false;
  }
  return true;
}

void test_fast_road_equals_plain_road(bool do_lower_case, bool with_spans) {
  const Tokenizer tokenizer = make_tokenizer(do_lower_case);
  RandomTexts random(do_lower_case * 2 + with_spans);
  for (int round = 0; round < 40; ++round) {
    std::vector<OwnedText> owners;
    std::vector<Text> texts;
    for (std::size_t n = random.below(400); n > 0; --n) owners.push_back(random.next());
    for (const OwnedText& owner : owners) texts.push_back(owner.view());
    const std::size_t limits[] = {kNoLimit, 0, 1, 7, 128, 5000};
    const std::size_t limit = limits[random.below(6)];
    IdBuffer fast(with_spans);
    std::vector<std::int64_t> ends(texts.size());
    tokenizer.encode_batch(texts, limit, 1, &fast, ends.data());
    std::size_t begin = 0;
    for (std::size_t row = 0; row < texts.size(); ++row) {
      IdBuffer plain(with_spans);
      tokenizer.encode_plainly(texts[row], limit, &plain);
      const auto end = static_cast<std::size_t>(ends[row]);
      CHECK(same(fast, begin, end, plain));
      begin = end;
    }
  }
}

void test_kernels_find_the_edges() {
  const bertfast::ScannerKernel* kernels;
  const std::size_t n_kernels = bertfast::available_kernels(&kernels);
  RandomTexts random(1);
  const std::uint8_t bytes_of_interest[] = {' ',  ' ', '\t', '\n',        '\r', 0,
                                            0x0B, 'a', 'b',  0x20 | 0x80, 0x89, 0xA0,
                                            0xFF, '0', '*',  0x1D};
  for (int round = 0; round < 3000; ++round) {
    const std::size_t n = random.below(round % 50 == 0 ? 8192 : 300);
    std::vector<std::uint8_t> bytes(n + 128, ' ');
    for (std::size_t i = 0; i < n; ++i) bytes[i] = bytes_of_interest[random.below(16)];
    std::vector<std::uint16_t> expected;
    for (std::size_t i = 0; i <= n; ++i) {
      const auto is_space = [&](std::size_t at) {
        return at >= n || bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' ||
               bytes[at] == '\r';
      };
      const bool before = i == 0 || is_space(i - 1);
      if (is_space(i) != before) expected.push_back(static_cast<std::uint16_t>(i));
    }
    for (std::size_t k = 0; k < n_kernels; ++k) {
      std::vector<std::uint16_t> edges(n + 129);
      edges.resize(kernels[k].find_edges(bytes.data(), n, edges.data()));
      CHECK(edges == expected);
    }
  }
}

}  // namespace

int main() {
  test_kernels_find_the_edges();
  for (const bool do_lower_case : {false, true}) {
    test_fast_road_equals_plain_road(do_lower_case, false);
    test_fast_road_equals_plain_road(do_lower_case, true);
  }
  return bertfast_test::report("test_batch_encoder");
}
