// The same text in every representation gives the same ids and spans, by the fast and
// by the plain road, whatever the rules and the limit; so does a vocabulary.
#include <cstdint>
#include <string>
#include <vector>

#include "bertfast/tokenizer.h"
#include "check.h"

namespace {

using bertfast::IdBuffer;
using bertfast::Text;
using bertfast::TextKind;
using bertfast::TextRules;
using bertfast::Tokenizer;

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// A text in one representation, which it owns.
class Form {
 public:
  Form(const std::u32string& text, TextKind kind) : kind_(kind) {
    for (const char32_t code_point : text) {
      if (kind == TextKind::kUtf8) {
        append_utf8(code_point);
      } else if (kind == TextKind::kUcs4) {
        ucs4_.push_back(code_point);
      } else if (kind == TextKind::kUcs2) {
        ucs2_.push_back(static_cast<std::uint16_t>(code_point));
      } else {
        bytes_.push_back(static_cast<std::uint8_t>(code_point));
      }
    }
  }

  static bool can_hold(const std::u32string& text, TextKind kind) {
    const char32_t end = kind == TextKind::kAscii    ? 0x80
                         : kind == TextKind::kLatin1 ? 0x100
                         : kind == TextKind::kUcs2   ? 0x10000
                                                     : 0x110000;
    for (const char32_t code_point : text) {
      if (code_point >= end) return false;
    }
    return true;
  }

  Text view() const {
    if (kind_ == TextKind::kUcs4) return {ucs4_.data(), ucs4_.size(), kind_};
    if (kind_ == TextKind::kUcs2) return {ucs2_.data(), ucs2_.size(), kind_};
    return {bytes_.data(), bytes_.size(), kind_};
  }

 private:
  void append_utf8(char32_t c) {
    const auto tail = [&](int shift) {
      bytes_.push_back(static_cast<std::uint8_t>(0x80 | (c >> shift & 0x3F)));
    };
    if (c < 0x80) {
      bytes_.push_back(static_cast<std::uint8_t>(c));
    } else if (c < 0x800) {
      bytes_.push_back(static_cast<std::uint8_t>(0xC0 | c >> 6));
      tail(0);
    } else if (c < 0x10000) {
      bytes_.push_back(static_cast<std::uint8_t>(0xE0 | c >> 12));
      tail(6);
      tail(0);
    } else {
      bytes_.push_back(static_cast<std::uint8_t>(0xF0 | c >> 18));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  TextKind kind_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint16_t> ucs2_;
  std::vector<std::uint32_t> ucs4_;
};

constexpr TextKind kKinds[] = {TextKind::kUcs4, TextKind::kUcs2, TextKind::kLatin1,
                               TextKind::kAscii, TextKind::kUtf8};

const std::u32string kTokens[] = {
    U"[UNK]",    U"the",      U"a",        U"##a",          U"##s",      U"b",
    U".",        U"=",        U"##=",      U"\u0338",       U"##\u0338", U"\u00e9",
    U"e",        U"##\u0301", U"\u03b1",   U"##\u03b1",     U"\u03c3",   U"##\u03c3",
    U"##\u03c2", U"\u03c2",   U"\u5927",   U"\U00020000",   U"\u1112",   U"##\u1161",
    U"##\u11ab", U"\uff1a",   U"##\u302e", U"##\U0001d165", U"\u00df",   U"##\u00df",
    U"A",        U"\u00c9",   U"\u03a3",   U"\uac00"};

std::vector<std::u32string> make_texts() {
  std::vector<std::u32string> texts = {
      U"",
      U" \t\n ",
      U"the as. a.s =b=",
      U"\u00c9a \u00e9 \u00df\u00df a\u00adb \u00a0 \u00a7a",
      U"A\u00c9S\u00c9 the",
      U"\u0391\u03a3 \u03a3\u0391 \u03a3 \u0391\u03a3. \u0391\u03a3.\u0391 "
      U"\u03a3\u03a3",
      U"\u0391\u0301\u03a3\u0301 \u0391\u200d\u03a3\u200d\u0391 "
      U"\u0391\u03a3\u5927\u03a3",
      U"\u0391\u03a3\uff1a\u0391 a\u03a3\u2028\u0391\u03a3\u200b",
      U"a\u302e\U0001d165 \u302ea \u302e\u0301\u302e\u0391\u03a3 a\u0301\u302e.",
      U"\u5927\u5927a\u5927\uff1a\uff1a \U00020000\u5927\U00020000 a\u5927",
      U"\ud55c\uac00\u1112\u1161\u11ab \u2260 a\u2260=\u0338 \u226e",
      U"\u0130\u01c5\ufb01 \ufeff\ufffda \U0001f600a",
      U"\ue000 \u0378 \U0010ffff\u2029a\u1680\u180e\u3000b"};
  texts.push_back(std::u32string(1, U'\0') + U"a" + std::u32string(2, U'\0') + U"a");
  for (const std::size_t n : {199, 200, 201, 400}) {
    texts.push_back(std::u32string(n, U'a') + U" the");
    texts.push_back(U"the " + std::u32string(n, U'\u0391') + U"\u03a3");
    texts.push_back(U"a" + std::u32string(n, U'\u302e') + U"\U0001d165 the");
    texts.push_back(std::u32string(n, U'\u5927') + U"a");
  }
  return texts;
}

Tokenizer make_tokenizer(const TextRules& rules, TextKind kind) {
  std::vector<Form> forms;
  for (const std::u32string& token : kTokens)
    forms.emplace_back(token, Form::can_hold(token, kind) ? kind : TextKind::kUcs4);
  std::vector<bertfast::VocabEntry> vocab;
  for (const Form& form : forms)
    vocab.push_back({form.view(), static_cast<std::int32_t>(vocab.size())});
  return Tokenizer(vocab, 0, rules, {});
}

using Row = std::vector<std::int32_t>;

// Ids, and behind them begins and ends of their spans.
Row encode(const Tokenizer& tokenizer, const Text& text, std::size_t limit,
           bool with_spans, bool plainly) {
  IdBuffer out(with_spans);
  if (plainly) {
    tokenizer.encode_plainly(text, limit, &out);
  } else {
    tokenizer.encode(text, limit, &out);
  }
  Row row(out.ids().data(), out.ids().data() + out.size());
  for (std::size_t i = 0; with_spans && i < out.size(); ++i) {
    row.push_back(out.spans().data()[i].begin);
    row.push_back(out.spans().data()[i].end);
  }
  return row;
}

void test_forms_agree(const TextRules& rules) {
  const Tokenizer tokenizer = make_tokenizer(rules, TextKind::kUtf8);
  for (const std::u32string& text : make_texts()) {
    for (const bool with_spans : {false, true}) {
      for (const std::size_t limit : {kNoLimit, std::size_t{0}, std::size_t{1},
                                      std::size_t{3}, std::size_t{60}}) {
        const Row expected = encode(tokenizer, Form(text, TextKind::kUcs4).view(),
                                    limit, with_spans, true);
        for (const TextKind kind : kKinds) {
          if (!Form::can_hold(text, kind)) continue;
          const Form form(text, kind);
          for (const bool plainly : {false, true})
            CHECK(encode(tokenizer, form.view(), limit, with_spans, plainly) ==
                  expected);
        }
      }
    }
  }
}

void test_vocabularies_agree() {
  const TextRules rules{true, true, true};
  const Tokenizer tokenizer = make_tokenizer(rules, TextKind::kUtf8);
  for (const TextKind kind : kKinds) {
    const Tokenizer other = make_tokenizer(rules, kind);
    for (const std::u32string& text : make_texts()) {
      const Form form(text, TextKind::kUtf8);
      CHECK(encode(other, form.view(), kNoLimit, true, false) ==
            encode(tokenizer, form.view(), kNoLimit, true, false));
    }
  }
}

// What the law says of a few of them, by hand.
void test_known_texts() {
  const Tokenizer uncased = make_tokenizer({true, true, true}, TextKind::kUtf8);
  const auto ids = [&](const std::u32string& text) {
    return encode(uncased, Form(text, TextKind::kUcs2).view(), kNoLimit, false, false);
  };
  CHECK(ids(U"\u0391\u03a3 \u03a3\u0391") == Row({14, 18, 16, 15}));
  CHECK(ids(U"a\u302e") == Row({2, 26}));
  CHECK(ids(U"\u5927a\u2260") == Row({20, 2, 7}));
  CHECK(ids(std::u32string(201, U'a')) == Row({0}));
}

}  // namespace

int main() {
  for (int rules = 0; rules < 8; ++rules)
    test_forms_agree({(rules & 1) != 0, (rules & 2) != 0, (rules & 4) != 0});
  test_vocabularies_agree();
  test_known_texts();
  return bertfast_test::report("test_forms");
}
