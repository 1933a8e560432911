// What lies beyond the usual sizes: more chunks than the cache's ring holds, entries of
// a vocabulary that can never match or have no id of their own, and long texts in which
// special tokens are looked for piece by piece; more memory than there is.
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "bertfast/tokenizer.h"
#include "check.h"

namespace {

using bertfast::IdBuffer;
using bertfast::Text;
using bertfast::TextKind;
using bertfast::Tokenizer;
using bertfast::VocabEntry;
using Ids = std::vector<std::int32_t>;

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// `bytes` must outlive the text.
Text utf8(std::string_view bytes) {
  return {bytes.data(), bytes.size(), TextKind::kUtf8};
}

Ids taken(IdBuffer* out) {
  return Ids(out->ids().data(), out->ids().data() + out->size());
}

Ids encode(const Tokenizer& tokenizer, const Text& text) {
  IdBuffer out(false);
  tokenizer.encode(text, kNoLimit, &out);
  return taken(&out);
}

Ids encode_plainly(const Tokenizer& tokenizer, const Text& text) {
  IdBuffer out(false);
  tokenizer.encode_plainly(text, kNoLimit, &out);
  return taken(&out);
}

// Chunks of 12 to 32 ids each, all different: over 300,000 ids for a ring of 262,144.
void test_ids_that_left_the_ring_are_made_again() {
  const std::string tokens[] = {"[UNK]", "a", "b", "##a", "##b"};
  std::vector<VocabEntry> vocab;
  for (const std::string& token : tokens)
    vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
  const Tokenizer tokenizer(vocab, 0, true);
  std::string text;
  for (std::uint32_t number = 0; number < 16000; ++number) {
    for (std::uint32_t bit = 0; bit < 12 + number % 21; ++bit)
      text += (number * 2654435761u >> bit % 32 & 1) != 0 ? 'a' : 'b';
    text += ' ';
  }
  const Ids expected = encode_plainly(tokenizer, utf8(text));
  CHECK(expected.size() > 300000);
  for (int pass = 0; pass < 3; ++pass) CHECK(encode(tokenizer, utf8(text)) == expected);
  const std::string again = text.substr(0, 4000) + text + text.substr(0, 4000);
  CHECK(encode(tokenizer, utf8(again)) == encode_plainly(tokenizer, utf8(again)));
}

void test_entries_without_use_or_id_of_their_own_do_no_harm() {
  const std::string long_piece(201, 'a');
  const std::string longest(200, 'b');
  const std::string continuation = "##" + longest;
  const std::vector<VocabEntry> vocab = {
      {utf8("[UNK]"), 0}, {utf8(""), 1},         {utf8("#"), 2},
      {utf8("##"), 3},    {utf8("a"), 1 << 23},  {utf8("##a"), 5},
      {utf8("b"), 5},     {utf8(long_piece), 6}, {utf8(longest), 7},
      {utf8("##b"), 8},   {utf8("###"), 9},      {utf8(continuation), 10},
      {utf8("c#"), 11},   {utf8("#ab"), 12},     {utf8("[CLS]"), 13}};
  const Tokenizer tokenizer(vocab, 0, true);
  for (const std::string& text :
       {std::string("a aa b ba # ## ### c"), long_piece, longest, longest + "b"}) {
    CHECK(encode(tokenizer, utf8(text)) == encode_plainly(tokenizer, utf8(text)));
  }
  CHECK(encode(tokenizer, utf8("aab b")) == Ids({1 << 23, 5, 8, 5}));
  CHECK(encode(tokenizer, utf8(longest)) == Ids({7}));
  CHECK(encode(tokenizer, utf8(long_piece)) == Ids({0}));
  CHECK(tokenizer.token_length(5) == bertfast::kNoTokenLength);  // two tokens have it
  CHECK(tokenizer.token_length(1 << 23) == bertfast::kNoTokenLength);
  CHECK(tokenizer.token_length(8) == 1);
  CHECK(tokenizer.token_length(7) == 200);
}

// Over 65,536 units, which is how far special tokens are looked for at a time.
template <class Unit>
void test_special_tokens_in_a_long_text(TextKind kind) {
  const std::string tokens[] = {"[UNK]", "[MASK]", "a", "##a"};
  std::vector<VocabEntry> vocab;
  for (const std::string& token : tokens)
    vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
  const Tokenizer tokenizer(vocab, 0, {true, true, true}, {vocab[1]});
  for (const bool has_spaces : {true, false}) {
    const std::string word = has_spaces ? "aa " : "aaa";
    std::string bytes;
    while (bytes.size() < 150000) bytes += word;
    bytes = "[MASK]" + bytes.substr(0, 70000) + "[MASK]" + bytes;
    const std::vector<Unit> units(bytes.begin(), bytes.end());
    const Ids ids = encode(tokenizer, {units.data(), units.size(), kind});
    CHECK(ids == encode(tokenizer, utf8(bytes)));
    CHECK(ids.front() == 1);
    CHECK(has_spaces ? ids.size() > 100000 : ids == Ids({1, 0, 1, 0}));
  }
}

template <class T>
void test_array_that_is_too_large_is_refused() {
  bertfast::GrowingArray<T> array;
  array.reserve(10);
  bool is_refused = false;
  try {
    array.reserve(static_cast<std::size_t>(-1) / 2);
  } catch (const std::bad_alloc&) {
    is_refused = true;
  }
  CHECK(is_refused);
  CHECK(array.capacity() >= 10);
  array.shrink(array.capacity());
  CHECK(array.capacity() >= 10);
  array.shrink(5);
  CHECK(array.capacity() == 0);
}

void test_spans_are_appended_with_their_ids() {
  for (const bool with_spans : {false, true}) {
    IdBuffer from(with_spans);
    from.reserve_more(3);
    for (std::int32_t id = 0; id < 3; ++id) {
      if (with_spans) {
        from.push(id, {id, id + 1});
      } else {
        from.push(id);
      }
    }
    IdBuffer to(with_spans);
    to.append(&from, 1, 3);
    CHECK(taken(&to) == Ids({1, 2}));
    if (with_spans) CHECK(to.spans().data()[1].end == 3);
  }
}

}  // namespace

int main() {
  test_array_that_is_too_large_is_refused<std::int32_t>();
  test_array_that_is_too_large_is_refused<bertfast::Span>();
  test_spans_are_appended_with_their_ids();
  test_ids_that_left_the_ring_are_made_again();
  test_entries_without_use_or_id_of_their_own_do_no_harm();
  test_special_tokens_in_a_long_text<std::uint8_t>(TextKind::kAscii);
  test_special_tokens_in_a_long_text<std::uint16_t>(TextKind::kUcs2);
  test_special_tokens_in_a_long_text<std::uint32_t>(TextKind::kUcs4);
  return bertfast_test::report("test_limits");
}
