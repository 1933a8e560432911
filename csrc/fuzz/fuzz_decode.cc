// Any text decoded to UTF-8 for the window, and read back: code point by code point
// what the plain reader gives, the words of one apart; nothing written beyond its room.
//
// Input: rules, form, then the text.
#include "bertfast/transcode.h"
#include "fuzz.h"

namespace bertfast_fuzz {
namespace {

using bertfast::CodePoint;
using bertfast::kNoId;
using bertfast::WordsOfOne;

std::vector<CodePoint> plain_code_points(const Text& text) {
  std::vector<CodePoint> all;
  const auto read = [&](auto reader) {
    CodePoint code_point;
    while (reader.next(&code_point)) all.push_back(code_point);
    REQUIRE(static_cast<std::size_t>(reader.index()) == all.size());
  };
  if (text.kind == TextKind::kUtf8) {
    read(bertfast::Utf8Reader(text.data, text.length));
  } else if (text.unit_bytes() == 4) {
    read(bertfast::UnitReader<std::uint32_t>(text.data, text.length));
  } else if (text.unit_bytes() == 2) {
    read(bertfast::UnitReader<std::uint16_t>(text.data, text.length));
  } else {
    read(bertfast::UnitReader<std::uint8_t>(text.data, text.length));
  }
  return all;
}

std::size_t transcode_into(const Text& text, bertfast::FoundWordsOfOne* found,
                           Guarded<std::uint8_t>* out) {
  const std::uint8_t* end = bertfast::transcode(text, found, out->data());
  const auto n = static_cast<std::size_t>(end - out->data());
  REQUIRE(n <= out->size());
  return n;
}

std::size_t room(const Text& text) {
  return text.length * bertfast::max_bytes_per_unit(text.kind) + 32;
}

void check_all(const Text& text, const std::vector<CodePoint>& expected) {
  Guarded<std::uint8_t> out(room(text), 0);
  const std::size_t n = transcode_into(text, nullptr, &out);
  bertfast::TranscodedReader reader(out.data(), out.data() + n);
  CodePoint code_point;
  std::size_t i = 0;
  while (reader.next(&code_point)) {
    REQUIRE(i < expected.size() && code_point == expected[i]);
    ++i;
  }
  REQUIRE(i == expected.size());
}

// Puts the words of one back where their marks are, the marks' spaces left out.
void check_words_of_one(const Text& text, const WordsOfOne& words,
                        const std::vector<CodePoint>& expected) {
  if (text.length > bertfast::kMaxRun) return;
  Guarded<std::uint8_t> out(room(text), 0);
  Guarded<std::int32_t> ids(text.length, kNoId);
  bertfast::FoundWordsOfOne found{words, ids.data()};
  const std::size_t n = transcode_into(text, &found, &out);
  const auto n_found = static_cast<std::size_t>(found.next - ids.data());
  REQUIRE(n_found <= ids.size());
  std::size_t at = 0;     // of the expected code points
  std::size_t taken = 0;  // of the words of one
  const std::uint8_t* next = out.data();
  const std::uint8_t* end = next + n;
  while (next != end) {
    if (end - next >= 5 && next[0] == ' ' && next[1] == bertfast::kRunMark) {
      REQUIRE(next[4] == ' ');
      for (std::size_t length = bertfast::run_length(next + 1); length > 0; --length) {
        REQUIRE(at < expected.size() && taken < n_found);
        REQUIRE(words.id(expected[at++]) == ids[taken++]);
      }
      next += 5;
      continue;
    }
    bertfast::TranscodedReader reader(next, end);
    CodePoint code_point;
    REQUIRE(reader.next(&code_point));
    REQUIRE(at < expected.size() && expected[at] == code_point);
    REQUIRE(words.id(expected[at]) == kNoId);
    ++at;
    next += code_point < 0x80      ? 1
            : code_point < 0x800   ? 2
            : code_point < 0x10000 ? 3
                                   : 4;
  }
  REQUIRE(at == expected.size() && taken == n_found);
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  Input input(data, size);
  const bertfast::Tokenizer& tokenizer = shared_tokenizer(input.byte());
  const std::size_t form = input.byte();
  const std::size_t rest = size < 2 ? 0 : size - 2;
  const OwnedText owner(
      std::string(reinterpret_cast<const char*>(data) + (size - rest), rest), form);
  const std::vector<CodePoint> expected = plain_code_points(owner.view());
  check_all(owner.view(), expected);
  check_words_of_one(owner.view(), tokenizer.words_of_one(), expected);
  return 0;
}
