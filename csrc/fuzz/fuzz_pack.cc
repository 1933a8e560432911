// Pairs, truncated and packed with their spans: the closed form against popping one by
// one, and every packer against a row put together by hand, canaries round its outputs.
//
// Input: rules, max_length, special tokens, padding; then texts a and b in turn, each
// ended by 0xFE.
#include <algorithm>

#include "bertfast/pack.h"
#include "fuzz.h"

namespace bertfast_fuzz {
namespace {

using bertfast::IdBuffer;
using bertfast::RowPlan;
using bertfast::Span;
using bertfast::SpecialTokens;

constexpr std::int32_t kCls = 7000;
constexpr std::int32_t kSep = 7001;
constexpr std::int32_t kPad = -3;
constexpr std::int32_t kUnset = -99;

using Longs = std::vector<std::int64_t>;

// The ragged pieces of one side of all pairs.
struct Side {
  IdBuffer ids{true};
  std::vector<std::int64_t> ends;

  void encode(const bertfast::Tokenizer& tokenizer, const std::vector<Text>& texts,
              std::size_t limit) {
    ends.resize(texts.size());
    tokenizer.encode_batch(texts, limit, 1, &ids, ends.data());
  }
  std::int64_t begin(std::size_t row) const { return row == 0 ? 0 : ends[row - 1]; }
  std::int64_t length(std::size_t row) const { return ends[row] - begin(row); }
};

// As run_classifier.py's _truncate_seq_pair.
void pop(std::int64_t room, std::int64_t* a, std::int64_t* b) {
  while (*a + *b > room) {
    if (*a > *b) {
      --*a;
    } else {
      --*b;
    }
  }
}

// As packing.py's _truncated_lengths.
void truncate(std::int64_t max_length, bool special, std::int64_t* a, std::int64_t* b) {
  const std::int64_t la = *a;
  const std::int64_t lb = *b;
  const std::int64_t room = max_length - (special ? 3 : 0);
  *a = lb > 0 ? std::min(la, std::max((room + 1) / 2, room - lb))
              : std::min(la, max_length - (special ? 2 : 0));
  *b = lb > 0 ? std::min(lb, room - *a) : 0;
}

struct Token {
  std::int32_t id;
  std::int32_t segment;
  Span span;
};

std::vector<Token> row_by_hand(Side* a, Side* b, std::size_t row, std::int64_t na,
                               std::int64_t nb, bool special) {
  std::vector<Token> tokens;
  const auto add = [&](Side* side, std::int64_t n, std::int32_t segment) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t at = side->begin(row) + i;
      tokens.push_back(
          {side->ids.ids().data()[at], segment, side->ids.spans().data()[at]});
    }
  };
  if (special) tokens.push_back({kCls, 0, {0, 0}});
  add(a, na, 0);
  if (special) tokens.push_back({kSep, 0, {0, 0}});
  add(b, nb, 1);
  if (special && nb > 0) tokens.push_back({kSep, 1, {0, 0}});
  return tokens;
}

using Rows = std::vector<std::vector<Token>>;

template <class T>
void check_padded(const RowPlan& plan, Side* a, Side* b, SpecialTokens special,
                  const Rows& rows, std::size_t width) {
  Guarded<T> ids(plan.n_rows * width, kUnset);
  Guarded<T> mask(plan.n_rows * width, kUnset);
  Guarded<T> segments(plan.n_rows * width, kUnset);
  bertfast::pack_padded(plan, a->ids.ids().data(), b->ids.ids().data(), special, kPad,
                        width, ids.data(), mask.data(), segments.data());
  for (std::size_t row = 0; row < plan.n_rows; ++row) {
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t at = row * width + i;
      const bool is_token = i < rows[row].size();
      REQUIRE(ids[at] == (is_token ? rows[row][i].id : kPad));
      REQUIRE(mask[at] == (is_token ? 1 : 0));
      REQUIRE(segments[at] == (is_token ? rows[row][i].segment : 0));
    }
  }
}

void check_spans(const RowPlan& plan, Side* a, Side* b, bool special, const Rows& rows,
                 std::size_t width) {
  Guarded<Span> spans(plan.n_rows * width, Span{0, 0});
  bertfast::pack_spans(plan, a->ids.spans().data(), b->ids.spans().data(), special,
                       width, spans.data());
  for (std::size_t row = 0; row < plan.n_rows; ++row) {
    for (std::size_t i = 0; i < rows[row].size(); ++i) {
      const Span given = spans[row * width + i];
      REQUIRE(given.begin == rows[row][i].span.begin);
      REQUIRE(given.end == rows[row][i].span.end);
    }
  }
}

void check_ragged(const RowPlan& plan, Side* a, Side* b, SpecialTokens special,
                  const Rows& rows) {
  Longs offsets = {0};
  for (const auto& row : rows)
    offsets.push_back(offsets.back() + static_cast<std::int64_t>(row.size()));
  Guarded<std::int32_t> ids(static_cast<std::size_t>(offsets.back()), kUnset);
  bertfast::pack_ragged(plan, a->ids.ids().data(), b->ids.ids().data(), special,
                        offsets.data(), ids.data());
  std::size_t at = 0;
  for (const auto& row : rows) {
    for (const Token& token : row) REQUIRE(ids[at++] == token.id);
  }
}

// Every text alone and whole, between its special tokens.
void check_special_tokens(const bertfast::Tokenizer& tokenizer,
                          const std::vector<Text>& texts, Side* whole) {
  IdBuffer ids(false);
  Longs ends(texts.size());
  tokenizer.encode_batch(texts, kNoLimit, 1, &ids, ends.data());
  bertfast::add_special_tokens(kCls, kSep, texts.size(), ends.data(), &ids);
  std::size_t at = 0;
  for (std::size_t row = 0; row < texts.size(); ++row) {
    REQUIRE(ids.ids().data()[at++] == kCls);
    for (std::int64_t i = 0; i < whole->length(row); ++i)
      REQUIRE(ids.ids().data()[at++] == whole->ids.ids().data()[whole->begin(row) + i]);
    REQUIRE(ids.ids().data()[at++] == kSep);
    REQUIRE(ends[row] == static_cast<std::int64_t>(at));
  }
  REQUIRE(ids.size() == at);
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  Input input(data, size);
  const bertfast::Tokenizer& tokenizer = shared_tokenizer(input.byte());
  const auto max_length = static_cast<std::int64_t>(3 + input.below(60));
  const SpecialTokens special{input.below(2) == 0, kCls, kSep};
  const std::size_t padding = input.below(5);
  std::vector<OwnedText> owners;
  while (!input.empty()) {
    const std::size_t form = input.byte();
    owners.emplace_back(input.until(0xFE), form);
  }
  if (owners.size() % 2 != 0) owners.emplace_back(std::string(), 0);
  std::vector<Text> texts[2];
  for (std::size_t i = 0; i < owners.size(); ++i)
    texts[i % 2].push_back(owners[i].view());

  // One piece more than a row holds shows that a text is longer: as Tokenizer.__call__.
  const auto limit = static_cast<std::size_t>(max_length) + 1;
  Side a;
  Side b;
  Side whole_a;
  Side whole_b;
  a.encode(tokenizer, texts[0], limit);
  b.encode(tokenizer, texts[1], limit);
  whole_a.encode(tokenizer, texts[0], kNoLimit);
  whole_b.encode(tokenizer, texts[1], kNoLimit);

  Rows rows;
  Longs lengths[2];
  Longs begins[2];
  std::size_t width = 0;
  for (std::size_t row = 0; row < texts[0].size(); ++row) {
    std::int64_t na = a.length(row);
    std::int64_t nb = b.length(row);
    std::int64_t popped_a = whole_a.length(row);
    std::int64_t popped_b = whole_b.length(row);
    const bool has_b = popped_b > 0;
    pop(max_length - (special.enabled ? (has_b ? 3 : 2) : 0), &popped_a, &popped_b);
    truncate(max_length, special.enabled, &na, &nb);
    REQUIRE(na == popped_a && nb == popped_b);
    lengths[0].push_back(na);
    lengths[1].push_back(nb);
    begins[0].push_back(a.begin(row));
    begins[1].push_back(b.begin(row));
    rows.push_back(row_by_hand(&a, &b, row, na, nb, special.enabled));
    REQUIRE(rows.back().size() <= static_cast<std::size_t>(max_length));
    width = std::max(width, rows.back().size());
  }
  const RowPlan plan{rows.size(), begins[0].data(), lengths[0].data(), begins[1].data(),
                     lengths[1].data()};
  width += padding;
  check_padded<std::int32_t>(plan, &a, &b, special, rows, width);
  check_padded<std::int64_t>(plan, &a, &b, special, rows, width);
  check_spans(plan, &a, &b, special.enabled, rows, width);
  check_ragged(plan, &a, &b, special, rows);
  check_special_tokens(tokenizer, texts[0], &whole_a);
  return 0;
}
