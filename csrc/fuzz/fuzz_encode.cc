// Texts to ids, by every road: windows and cache against the plain road, one thread
// against several, a batch against one text at a time, a limit against cutting off.
//
// Input: rules, limit, threads, spans, repetitions, then a byte of form and a text, as
// often as they come, each text ended by 0xFE.
#include "fuzz.h"

namespace bertfast_fuzz {
namespace {

using bertfast::IdBuffer;
using bertfast::Tokenizer;

// Of all texts, repeated: more than two windows.
constexpr std::size_t kMaxBytes = 2 * bertfast::kWindowBytes + 1024;

struct Result {
  Result(const Tokenizer& tokenizer, const std::vector<Text>& texts, std::size_t limit,
         int n_threads, bool with_spans)
      : ids(with_spans), ends(texts.size(), -1) {
    tokenizer.encode_batch(texts, limit, n_threads, &ids, ends.data());
  }
  std::size_t begin(std::size_t row) {
    return row == 0 ? 0 : static_cast<std::size_t>(ends[row - 1]);
  }
  std::size_t size(std::size_t row) {
    return static_cast<std::size_t>(ends[row]) - begin(row);
  }

  IdBuffer ids;
  Guarded<std::int64_t> ends;
};

void require_same(IdBuffer* a, std::size_t a_begin, IdBuffer* b, std::size_t b_begin,
                  std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    REQUIRE(a->ids().data()[a_begin + i] == b->ids().data()[b_begin + i]);
    if (!a->with_spans()) continue;
    const bertfast::Span one = a->spans().data()[a_begin + i];
    const bertfast::Span other = b->spans().data()[b_begin + i];
    REQUIRE(one.begin == other.begin && one.end == other.end);
  }
}

void check_batches(Result* one, Result* other, std::size_t n_rows) {
  REQUIRE(one->ids.size() == other->ids.size());
  for (std::size_t row = 0; row < n_rows; ++row)
    REQUIRE(one->ends[row] == other->ends[row]);
  require_same(&one->ids, 0, &other->ids, 0, one->ids.size());
}

void check_row(const Tokenizer& tokenizer, const Text& text, std::size_t limit,
               Result* batch, std::size_t row) {
  const std::size_t n = batch->size(row);
  REQUIRE(n <= limit);
  IdBuffer alone(batch->ids.with_spans());
  tokenizer.encode(text, limit, &alone);
  REQUIRE(alone.size() == n);
  require_same(&batch->ids, batch->begin(row), &alone, 0, n);
  IdBuffer plain(batch->ids.with_spans());
  if (!tokenizer.special_tokens().empty()) return;  // they are text to the plain road
  tokenizer.encode_plainly(text, limit, &plain);
  REQUIRE(plain.size() == n);
  require_same(&batch->ids, batch->begin(row), &plain, 0, n);
}

void check_limit(Result* limited, Result* all, std::size_t limit, std::size_t n_rows) {
  for (std::size_t row = 0; row < n_rows; ++row) {
    REQUIRE(limited->size(row) == std::min(limit, all->size(row)));
    require_same(&limited->ids, limited->begin(row), &all->ids, all->begin(row),
                 limited->size(row));
  }
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  Input input(data, size);
  const Tokenizer& tokenizer = shared_tokenizer(input.byte());
  const std::size_t limits[] = {kNoLimit, 0, 1, 2, 7, 30, 128, 2000};
  const std::size_t limit = limits[input.below(8)];
  // Starting threads takes longer than all the rest.
  const std::size_t threads = input.byte();
  const int n_threads = threads % 16 == 15 ? 2 + static_cast<int>(threads / 16 % 2) : 1;
  const bool with_spans = input.below(2) == 1;
  // Texts over several windows take as long as hundreds of short ones.
  const std::size_t repetition = input.byte();
  const std::size_t repeated = repetition % 8 == 6 ? 3 : repetition == 7 ? 400 : 1;

  std::vector<OwnedText> owners;
  std::size_t n_bytes = 0;
  while (!input.empty() && n_bytes < kMaxBytes) {
    const std::size_t form = input.byte();
    const std::string once = input.until(0xFE);
    std::string bytes = once;
    for (std::size_t i = 1; i < repeated && bytes.size() < kMaxBytes; ++i)
      bytes += once;
    n_bytes += bytes.size();
    owners.emplace_back(bytes, form);
  }
  std::vector<Text> texts;
  for (const OwnedText& owner : owners) texts.push_back(owner.view());

  Result batch(tokenizer, texts, limit, 1, with_spans);
  for (std::size_t row = 0; row < texts.size(); ++row)
    check_row(tokenizer, texts[row], limit, &batch, row);
  if (limit != kNoLimit) {
    Result all(tokenizer, texts, kNoLimit, 1, with_spans);
    check_limit(&batch, &all, limit, texts.size());
  }
  if (n_threads > 1) {
    Result parallel(tokenizer, texts, limit, n_threads, with_spans);
    check_batches(&batch, &parallel, texts.size());
  }
  return 0;
}
