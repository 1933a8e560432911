// Eight threads share a tokenizer, which is replaced and destroyed under them: every
// result is that of one thread alone. For ThreadSanitizer.
//
// Usage: stress_threads [CALLS]     calls of each thread, 1,000 unless given
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bertfast/tokenizer.h"
#include "check.h"

namespace {

using bertfast::IdBuffer;
using bertfast::Text;
using bertfast::TextKind;
using bertfast::Tokenizer;
using Ids = std::vector<std::int32_t>;

constexpr std::size_t kThreads = 8;
constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);
// Making one takes as long as thousands of calls.
constexpr std::size_t kCallsPerTokenizer = 20000;

const char* const kTokens[] = {"[UNK]", "the", "cat",   "s",      "##s",      "un",
                               "##aff", ".",   "##a##", "\u03c3", "##\u03c2", "\u5927"};
const char* const kTexts[] = {"the cat",
                              "",
                              "unaffs the . the",
                              "\u5927\u5927 cat\u5927s",
                              "\u03a3 the \u03c3\u03a3",
                              "cats cats unaff \xff the",
                              "a word that is not there",
                              "\u00e9t\u00e9 the"};
constexpr std::size_t kTextCount = sizeof(kTexts) / sizeof(kTexts[0]);

Text utf8(const char* bytes) {
  return {bytes, std::char_traits<char>::length(bytes), TextKind::kUtf8};
}

std::shared_ptr<const Tokenizer> make_tokenizer() {
  std::vector<bertfast::VocabEntry> vocab;
  for (const char* token : kTokens)
    vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
  return std::make_shared<const Tokenizer>(vocab, 0, true);
}

// The tokenizer that all threads use, until one of them puts another in its place; who
// lets go of the old one last destroys it.
class Shared {
 public:
  std::shared_ptr<const Tokenizer> get() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return tokenizer_;
  }
  void replace(std::shared_ptr<const Tokenizer> other) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(tokenizer_, other);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const Tokenizer> tokenizer_ = make_tokenizer();
};

Ids taken(IdBuffer* out) {
  return Ids(out->ids().data(), out->ids().data() + out->size());
}

// What one thread makes of a text; by turns alone, plainly, in a batch, on two threads.
Ids encode(const Tokenizer& tokenizer, std::size_t text, std::size_t call) {
  const std::size_t limit = call % 5 == 0 ? 2 : kNoLimit;
  IdBuffer out(call % 3 == 0);
  const Text one = utf8(kTexts[text]);
  if (call % 4 == 0) {
    tokenizer.encode_plainly(one, limit, &out);
  } else if (call % 4 == 1) {
    const std::vector<Text> texts(3, one);
    std::vector<std::int64_t> ends(texts.size());
    tokenizer.encode_batch(texts, limit, call % 1000 == 1 ? 2 : 1, &out, ends.data());
    Ids ids = taken(&out);
    ids.resize(static_cast<std::size_t>(ends[0]));
    return ids;
  } else {
    tokenizer.encode(one, limit, &out);
  }
  return taken(&out);
}

std::size_t differences(Shared* shared, std::size_t thread, std::size_t n_calls,
                        const std::vector<Ids>& expected) {
  std::size_t found = 0;
  for (std::size_t call = 0; call < n_calls; ++call) {
    if ((call + thread * kCallsPerTokenizer / kThreads) % kCallsPerTokenizer == 17)
      shared->replace(make_tokenizer());
    const std::size_t text = (call * 7 + thread) % kTextCount;
    const std::shared_ptr<const Tokenizer> tokenizer = shared->get();
    Ids wanted = expected[text];
    if (call % 5 == 0 && wanted.size() > 2) wanted.resize(2);
    if (encode(*tokenizer, text, call) != wanted) ++found;
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t n_calls = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000;
  std::vector<Ids> expected;
  for (const char* text : kTexts) {
    IdBuffer out(false);
    make_tokenizer()->encode_plainly(utf8(text), kNoLimit, &out);
    expected.push_back(taken(&out));
  }
  Shared shared;
  std::vector<std::size_t> found(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i)
    threads.emplace_back(
        [&, i] { found[i] = differences(&shared, i, n_calls, expected); });
  for (std::thread& thread : threads) thread.join();
  for (const std::size_t count : found) CHECK(count == 0);
  std::printf("%zu threads, %zu calls each\n", kThreads, n_calls);
  return bertfast_test::report("stress_threads");
}
