// Every allocation of the core fails, one by one, once and for good, through every
// entry point: std::bad_alloc or the right result, nothing lost, and the tokenizer
// works afterwards.
//
// Memory comes from operator new, replaced here, and from realloc and mmap, which the
// linker sends here (--wrap in the Makefile). All three are counted, and what is given
// back.
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "bertfast/arrow.h"
#include "bertfast/lines.h"
#include "bertfast/pack.h"
#include "bertfast/tokenizer.h"
#include "check.h"

namespace {

// What fails: the allocation with this number, from 1, and the later ones if for good.
std::atomic<std::int64_t> count{0};
std::atomic<std::int64_t> failing{0};
std::atomic<bool> for_good{false};
std::atomic<std::int64_t> live{0};  // allocations that have not been freed

bool fails() {
  const std::int64_t number = ++count;
  const std::int64_t wanted = failing;
  return wanted > 0 && (number == wanted || (for_good && number > wanted));
}

void* allocate(std::size_t n_bytes) {
  void* memory = fails() ? nullptr : std::malloc(n_bytes);
  if (memory != nullptr) ++live;
  return memory;
}

}  // namespace

extern "C" {

void* __real_realloc(void* memory, std::size_t n_bytes);
void* __wrap_realloc(void* memory, std::size_t n_bytes) {
  void* grown = fails() ? nullptr : __real_realloc(memory, n_bytes);
  if (memory == nullptr && grown != nullptr) ++live;
  return grown;
}

void __real_free(void* memory);
void __wrap_free(void* memory) {
  if (memory != nullptr) --live;
  __real_free(memory);
}

void* __real_mmap(void* at, std::size_t n_bytes, int protection, int flags, int file,
                  off_t offset);
void* __wrap_mmap(void* at, std::size_t n_bytes, int protection, int flags, int file,
                  off_t offset) {
  void* memory =
      fails() ? MAP_FAILED : __real_mmap(at, n_bytes, protection, flags, file, offset);
  if (memory != MAP_FAILED) ++live;
  return memory;
}

int __real_munmap(void* memory, std::size_t n_bytes);
int __wrap_munmap(void* memory, std::size_t n_bytes) {
  --live;
  return __real_munmap(memory, n_bytes);
}

}  // extern "C"

void* operator new(std::size_t n_bytes) {
  if (void* memory = allocate(n_bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t n_bytes, const std::nothrow_t&) noexcept {
  return allocate(n_bytes);
}
void operator delete(void* memory) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { __wrap_free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  __wrap_free(memory);
}

namespace {

using bertfast::IdBuffer;
using bertfast::Text;
using bertfast::TextKind;
using bertfast::Tokenizer;
using bertfast::VocabEntry;
using Ids = std::vector<std::int32_t>;

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);
// A run that still fails after so many allocations does not end.
constexpr std::int64_t kMostSites = 100000;

const std::vector<std::string>& tokens() {
  static const std::vector<std::string> all = {
      "[UNK]", "[MASK]", "un",     "##aff",      "##able",       "!",
      "a",     "##a",    "\u5927", "\U0001d16d", "##\U0001d16d", "##\u302e"};
  return all;
}

std::vector<VocabEntry> entries(std::size_t n) {
  std::vector<VocabEntry> vocab;
  for (const std::string& token : tokens()) {
    if (vocab.size() == n) break;
    vocab.push_back({{token.data(), token.size(), TextKind::kUtf8},
                     static_cast<std::int32_t>(vocab.size())});
  }
  return vocab;
}

std::unique_ptr<Tokenizer> make_tokenizer(bool special) {
  std::vector<VocabEntry> special_tokens;
  if (special) special_tokens.push_back(entries(2)[1]);
  return std::make_unique<Tokenizer>(
      entries(99), 0, bertfast::TextRules{true, true, true}, special_tokens);
}

// Texts of several windows, with sorted marks, words of one and a special token.
const std::vector<Text>& texts() {
  static const std::vector<std::string> strings = [] {
    std::vector<std::string> list = {"", "unaffable a!", "x [MASK] a",
                                     "a\U0001d16d\u302e\u302e \u5927\u5927"};
    for (int i = 0; i < 40; ++i) list.push_back(std::string(5000, 'a') + " unaffable!");
    list.push_back(std::string(20000, '!'));
    return list;
  }();
  static const std::vector<Text> views = [] {
    std::vector<Text> list;
    for (const std::string& string : strings)
      list.push_back({string.data(), string.size(), TextKind::kUtf8});
    return list;
  }();
  return views;
}

Ids encode_batch(const Tokenizer& tokenizer, int n_threads, bool with_spans,
                 std::size_t limit) {
  IdBuffer out(with_spans);
  std::vector<std::int64_t> ends(texts().size());
  tokenizer.encode_batch(texts(), limit, n_threads, &out, ends.data());
  if (!with_spans) bertfast::add_special_tokens(1, 2, ends.size(), ends.data(), &out);
  Ids ids(out.ids().data(), out.ids().data() + out.size());
  ids.insert(ids.end(), ends.begin(), ends.end());
  return ids;
}

Ids encode(const Tokenizer& tokenizer, bool plainly) {
  Ids ids;
  for (const Text& text : texts()) {
    IdBuffer out(false);
    plainly ? tokenizer.encode_plainly(text, kNoLimit, &out)
            : tokenizer.encode(text, kNoLimit, &out);
    ids.insert(ids.end(), out.ids().data(), out.ids().data() + out.size());
  }
  return ids;
}

Ids count_lines() {
  const std::string bytes = "a\nb\n\nc\nd\ne\nf\ng";
  std::vector<Text> lines;
  bertfast::append_lines(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                         bytes.size(), &lines);
  return {static_cast<std::int32_t>(lines.size())};
}

Ids count_arrow_texts() {
  const std::int32_t offsets[] = {0, 1, 2, 2};
  const void* buffers[] = {nullptr, offsets, "ab"};
  ArrowSchema schema{};
  schema.format = "u";
  ArrowArray array{};
  array.length = 3;
  array.n_buffers = 3;
  array.buffers = buffers;
  std::vector<Text> views;
  bertfast::append_arrow_texts(schema, array, &views);
  return {static_cast<std::int32_t>(views.size())};
}

// Lets allocation after allocation of `run` fail until all of them have. Those that
// `run` can do without leave its result as it is.
void test_every_site(const char* name, const std::function<Ids()>& run) {
  const Ids expected = run();
  std::int64_t sites = 0;
  std::int64_t refused = 0;
  for (const bool good : {false, true}) {
    for_good = good;
    for (std::int64_t number = 1; number < kMostSites; ++number) {
      count = 0;
      failing = number;
      bool threw = false;
      try {
        const Ids given = run();
        failing = 0;
        CHECK(given == expected);
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      failing = 0;
      const bool reached = count >= number;
      refused += threw;
      sites += reached;
      if (!reached) break;
    }
  }
  for_good = false;
  CHECK(run() == expected);
  CHECK(sites > 0 && refused > 0);
  std::printf("  %-34s %4lld failures, %4lld of them bad_alloc\n", name,
              static_cast<long long>(sites), static_cast<long long>(refused));
}

// The same, and when everything is gone nothing is left of it.
void test_without_loss(const char* name, const std::function<Ids()>& run) {
  run();  // what is made once and kept
  const std::int64_t before = live;
  test_every_site(name, run);
  CHECK(live == before);
}

Ids encode_anew(bool special, int n_threads, bool with_spans, std::size_t limit) {
  const auto tokenizer = make_tokenizer(special);
  return encode_batch(*tokenizer, n_threads, with_spans, limit);
}

}  // namespace

int main() {
  texts();
  test_without_loss("lines", count_lines);
  test_without_loss("Arrow array", count_arrow_texts);
  test_without_loss("new tokenizer, a batch",
                    [] { return encode_anew(false, 1, false, kNoLimit); });
  test_without_loss("new, special tokens, spans",
                    [] { return encode_anew(true, 1, true, 50); });
  test_without_loss("new, three threads, spans",
                    [] { return encode_anew(false, 3, true, kNoLimit); });
  const std::int64_t before = live;
  {
    const auto tokenizer = make_tokenizer(false);
    const auto special = make_tokenizer(true);
    test_every_site("text by text", [&] { return encode(*tokenizer, false); });
    test_every_site("text by text, plainly", [&] { return encode(*tokenizer, true); });
    test_every_site("special tokens", [&] { return encode(*special, false); });
    test_every_site("a batch",
                    [&] { return encode_batch(*tokenizer, 1, false, kNoLimit); });
    test_every_site("a batch, spans",
                    [&] { return encode_batch(*special, 1, true, kNoLimit); });
    test_every_site("four threads",
                    [&] { return encode_batch(*tokenizer, 4, false, kNoLimit); });
    test_every_site("four threads, spans",
                    [&] { return encode_batch(*special, 4, true, 77); });
  }
  CHECK(live == before);
  return bertfast_test::report("test_allocation");
}
