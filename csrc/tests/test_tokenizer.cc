// The whole core on a small vocabulary. The proof of exactness is in the Python suites,
// which hold it against the reference; these tests run under sanitizers without an
// interpreter.
#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bertfast/pack.h"
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

// ids:                           0        1      2       3        4    5          6
const std::string kTokens[] = {"[UNK]", "un", "##aff", "##able", "!", "\xCF\x82",
                               "\xCF\x83",
                               // 7        8      9    10
                               "##\xCF\x82", "a", "##a", "\xE5\xA4\xA7"};

Text utf8(const std::string& bytes) {
  return {bytes.data(), bytes.size(), TextKind::kUtf8};
}

Tokenizer make_tokenizer(bool do_lower_case) {
  std::vector<VocabEntry> vocab;
  for (const std::string& token : kTokens) {
    vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
  }
  return Tokenizer(vocab, 0, do_lower_case);
}

Ids encode(const Tokenizer& tokenizer, const Text& text, std::size_t limit = kNoLimit) {
  IdBuffer out(false);
  tokenizer.encode(text, limit, &out);
  return Ids(out.ids().data(), out.ids().data() + out.size());
}

void test_words_split_into_longest_pieces() {
  const Tokenizer tokenizer = make_tokenizer(true);
  CHECK(encode(tokenizer, utf8("UNaffable!")) == (Ids{1, 2, 3, 4}));
  CHECK(encode(tokenizer, utf8("unx a")) == (Ids{0, 8}));
  CHECK(encode(tokenizer, utf8("a\xE5\xA4\xA7"
                               "a")) == (Ids{8, 10, 8}));
  CHECK(encode(tokenizer, utf8("")).empty());
  CHECK(encode(make_tokenizer(false), utf8("Un un")) == (Ids{0, 1}));
}

void test_sigma_depends_on_its_neighbours() {
  const Tokenizer tokenizer = make_tokenizer(true);
  CHECK(encode(tokenizer, utf8("a\xCE\xA3")) == (Ids{8, 7}));
  CHECK(encode(tokenizer, utf8("\xCE\xA3")) == Ids{6});
  CHECK(encode(tokenizer, utf8("a\xCE\xA3"
                               "a")) == Ids{0});
}

void test_every_representation_gives_the_same_ids() {
  const Tokenizer tokenizer = make_tokenizer(true);
  const std::string bytes = "unaffable a! \xE5\xA4\xA7";
  const std::u16string ucs2 = u"unaffable a! \u5927";
  const std::u32string ucs4 = U"unaffable a! \u5927";
  const Ids expected = {1, 2, 3, 8, 4, 10};
  CHECK(encode(tokenizer, utf8(bytes)) == expected);
  CHECK(encode(tokenizer, {ucs2.data(), ucs2.size(), TextKind::kUcs2}) == expected);
  CHECK(encode(tokenizer, {ucs4.data(), ucs4.size(), TextKind::kUcs4}) == expected);
  const std::string latin1 = "UN\xC1";  // A with acute
  CHECK(encode(tokenizer, {latin1.data(), 3, TextKind::kLatin1}) == (Ids{1, 9}));
  CHECK(encode(tokenizer, {latin1.data() + 2, 1, TextKind::kLatin1}) == Ids{8});
}

void test_limit_stops_early() {
  const Tokenizer tokenizer = make_tokenizer(true);
  for (std::size_t limit = 0; limit < 5; ++limit) {
    const Ids all = {1, 2, 3, 4};
    const Ids expected(all.begin(), all.begin() + std::min<std::size_t>(limit, 4));
    CHECK(encode(tokenizer, utf8("unaffable!"), limit) == expected);
  }
}

void test_words_over_200_code_points_are_unknown() {
  const Tokenizer tokenizer = make_tokenizer(true);
  CHECK(encode(tokenizer, utf8(std::string(200, 'a'))).size() == 200);
  CHECK(encode(tokenizer, utf8(std::string(201, 'a'))) == Ids{0});
}

void test_spans_count_code_points() {
  const Tokenizer tokenizer = make_tokenizer(true);
  IdBuffer out(true);
  tokenizer.encode(utf8("\xE5\xA4\xA7 unaffable"), kNoLimit, &out);
  const std::int32_t expected[][2] = {{0, 1}, {2, 4}, {4, 7}, {7, 11}};
  CHECK(out.size() == 4);
  for (std::size_t i = 0; i < out.size(); ++i) {
    CHECK(out.spans().data()[i].begin == expected[i][0]);
    CHECK(out.spans().data()[i].end == expected[i][1]);
  }
}

void test_batches_equal_single_texts_on_any_number_of_threads() {
  const Tokenizer tokenizer = make_tokenizer(true);
  std::vector<std::string> strings;
  for (int i = 0; i < 3000; ++i)
    strings.push_back(std::string(i % 7, ' ') + "unaffable! a");
  std::vector<Text> texts;
  Ids expected;
  std::vector<std::int64_t> ends;
  for (const std::string& string : strings) {
    texts.push_back(utf8(string));
    const Ids ids = encode(tokenizer, texts.back());
    expected.insert(expected.end(), ids.begin(), ids.end());
    ends.push_back(static_cast<std::int64_t>(expected.size()));
  }
  for (const int n_threads : {0, 1, 2, 3, 8, 5000}) {
    IdBuffer out(false);
    std::vector<std::int64_t> row_ends(texts.size());
    tokenizer.encode_batch(texts, kNoLimit, n_threads, &out, row_ends.data());
    CHECK(Ids(out.ids().data(), out.ids().data() + out.size()) == expected);
    CHECK(row_ends == ends);
  }
}

void test_threads_share_a_tokenizer() {
  const Tokenizer tokenizer = make_tokenizer(true);
  const std::string text = "Unaffable a\xCE\xA3! \xE5\xA4\xA7 \xCC\x81 unx";
  const Ids expected = encode(tokenizer, utf8(text));
  std::vector<int> differences(8);
  std::vector<std::thread> threads;
  for (int& count : differences) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) count += encode(tokenizer, utf8(text)) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : differences) CHECK(count == 0);
}

void test_pack_lays_out_pairs_and_padding() {
  const Ids a = {7, 8};
  const Ids b = {9};
  const std::int64_t a_begin[] = {0, 1}, a_length[] = {2, 1}, b_begin[] = {0, 0};
  const std::int64_t b_length[] = {1, 0};
  const bertfast::RowPlan plan{2, a_begin, a_length, b_begin, b_length};
  Ids ids(12), mask(12), segments(12);
  bertfast::pack_padded(plan, a.data(), b.data(), {true, 1, 2}, 0, 6, ids.data(),
                        mask.data(), segments.data());
  CHECK(ids == (Ids{1, 7, 8, 2, 9, 2, 1, 8, 2, 0, 0, 0}));
  CHECK(mask == (Ids{1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}));
  CHECK(segments == (Ids{0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0}));
}

void test_special_tokens_go_round_every_row() {
  IdBuffer ids(false);
  std::vector<std::int64_t> ends;
  bertfast::add_special_tokens(1, 2, 0, ends.data(), &ids);
  CHECK(ids.size() == 0);
  Ids expected;
  std::vector<std::int64_t> expected_ends;
  // Rows of 0 to 39 ids, past the first 1,024 for which there is room.
  for (std::int32_t row = 0; row < 60; ++row) {
    expected.push_back(1);
    ids.reserve_more(static_cast<std::size_t>(row) % 40);
    for (std::int32_t i = 0; i < row % 40; ++i) {
      ids.push(100 * row + i);
      expected.push_back(100 * row + i);
    }
    expected.push_back(2);
    ends.push_back(static_cast<std::int64_t>(ids.size()));
    expected_ends.push_back(static_cast<std::int64_t>(expected.size()));
  }
  bertfast::add_special_tokens(1, 2, ends.size(), ends.data(), &ids);
  CHECK(Ids(ids.ids().data(), ids.end()) == expected);
  CHECK(ends == expected_ends);
}

// A tokenizer that fills its cache when it pays goes two roads, one after the other.
void test_a_late_cache_changes_nothing() {
  std::vector<VocabEntry> vocab;
  for (const std::string& token : kTokens) {
    vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
  }
  const bertfast::TextRules rules{true, true, true};
  const Tokenizer late(vocab, 0, rules, {}, bertfast::Warming::kWhenItPays);
  const Tokenizer usual = make_tokenizer(true);
  std::vector<std::string> words(1000);
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = i % 2 == 0 ? "Unaffable! \xE5\xA4\xA7" : std::string(i % 230, 'a');
  }
  std::vector<Text> texts;
  for (const std::string& word : words) texts.push_back(utf8(word));
  for (int round = 0; round < 4; ++round) {
    for (const std::size_t limit : {std::size_t{5}, kNoLimit}) {
      IdBuffer expected(true), given(true);
      std::vector<std::int64_t> expected_ends(texts.size()), ends(texts.size());
      usual.encode_batch(texts, limit, 1, &expected, expected_ends.data());
      late.encode_batch(texts, limit, 1, &given, ends.data());
      CHECK(ends == expected_ends);
      CHECK(Ids(given.ids().data(), given.end()) ==
            Ids(expected.ids().data(), expected.end()));
    }
  }
}

}  // namespace

int main() {
  test_a_late_cache_changes_nothing();
  test_words_split_into_longest_pieces();
  test_sigma_depends_on_its_neighbours();
  test_every_representation_gives_the_same_ids();
  test_limit_stops_early();
  test_words_over_200_code_points_are_unknown();
  test_spans_count_code_points();
  test_batches_equal_single_texts_on_any_number_of_threads();
  test_threads_share_a_tokenizer();
  test_pack_lays_out_pairs_and_padding();
  test_special_tokens_go_round_every_row();
  return bertfast_test::report("test_tokenizer");
}
