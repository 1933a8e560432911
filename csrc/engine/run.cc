#include "bertfast/engine/run.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

namespace bertfast::engine {
namespace {

// A batch is not made smaller than this to keep another thread busy: starting one costs
// some 30 us, and products of few rows are slow.
constexpr std::size_t kMinTokens = 64;

struct Range {
  std::size_t begin;
  std::size_t end;
};

// Texts in order, `token_budget` tokens a batch. With several threads the last batches
// become smaller and smaller, so that all threads end at about the same time.
std::vector<Range> cut_batches(const Texts& texts, std::size_t n_texts,
                               const RunOptions& options) {
  std::vector<Range> batches;
  const auto tokens = [&](std::size_t begin, std::size_t end) {
    return static_cast<std::size_t>(texts.offsets[end] - texts.offsets[begin]);
  };
  std::size_t begin = 0;
  while (begin < n_texts) {
    std::size_t room = options.token_budget;
    if (options.n_threads > 1) {
      const std::size_t share = tokens(begin, n_texts) / (2 * options.n_threads);
      room = std::min(room, std::max(share, kMinTokens));
    }
    std::size_t end = begin + 1;
    while (end < n_texts && tokens(begin, end + 1) <= room) ++end;
    batches.push_back({begin, end});
    begin = end;
  }
  return batches;
}

// Joins its threads however the scope is left.
class Threads {
 public:
  ~Threads() { join(); }
  template <class Function>
  void start(Function function) {
    threads_.emplace_back(function);
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

// One call of run_texts, seen by all of its threads.
class Run {
 public:
  Run(const Model& model, const Texts& texts, std::size_t n_texts,
      const RunOptions& options, float* out, MemoryPool* pool)
      : model_(model),
        texts_(texts),
        options_(options),
        out_(out),
        pool_(pool),
        width_(model.width(options.output)),
        batches_(cut_batches(texts, n_texts, options)),
        errors_(std::min(options.n_threads, batches_.size())) {}

  bool go(Observer* observer) {
    Threads threads;
    try {
      for (std::size_t i = 1; i < errors_.size(); ++i)
        threads.start([this, i] { work(&errors_[i], nullptr); });
    } catch (const std::exception&) {
      // Fewer threads, or none: the batches are run all the same.
    }
    if (!errors_.empty()) work(&errors_[0], observer);
    threads.join();
    for (const std::exception_ptr& error : errors_) {
      if (error) std::rethrow_exception(error);
    }
    return !is_stopped_ && report(observer);
  }

 private:
  void work(std::exception_ptr* error, Observer* observer) noexcept {
    try {
      std::unique_ptr<ForwardMemory> memory = pool_->take();
      while (!is_stopped_) {
        const std::size_t index = next_.fetch_add(1);
        if (index >= batches_.size()) break;
        run(batches_[index], memory.get());
        if (observer != nullptr && !report(observer)) is_stopped_ = true;
      }
      pool_->give_back(std::move(memory));
    } catch (...) {
      *error = std::current_exception();
      is_stopped_ = true;
    }
  }

  void run(const Range& batch, ForwardMemory* memory) {
    const std::int64_t first = texts_.offsets[batch.begin] - texts_.offsets[0];
    const bool by_token = options_.output == Output::kSequence;
    const std::size_t row = by_token ? static_cast<std::size_t>(first) : batch.begin;
    model_.run(texts_, batch.begin, batch.end, options_.output, out_ + row * width_,
               memory);
    texts_done_ += batch.end - batch.begin;
    tokens_done_ += static_cast<std::size_t>(texts_.offsets[batch.end] -
                                             texts_.offsets[batch.begin]);
  }

  bool report(Observer* observer) {
    const std::size_t n_texts = texts_done_.exchange(0);
    const std::size_t n_tokens = tokens_done_.exchange(0);
    return n_texts == 0 || observer == nullptr || observer->advance(n_texts, n_tokens);
  }

  const Model& model_;
  const Texts& texts_;
  const RunOptions& options_;
  float* const out_;
  MemoryPool* const pool_;
  const std::size_t width_;
  const std::vector<Range> batches_;
  std::vector<std::exception_ptr> errors_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> texts_done_{0};
  std::atomic<std::size_t> tokens_done_{0};
  std::atomic<bool> is_stopped_{false};
};

}  // namespace

MemoryPool::~MemoryPool() {
  for (auto& slot : slots_) delete slot.load();
}

std::unique_ptr<ForwardMemory> MemoryPool::take() {
  for (auto& slot : slots_) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (ForwardMemory* memory = slot.exchange(nullptr))
      return std::unique_ptr<ForwardMemory>(memory);
  }
  return std::make_unique<ForwardMemory>();
}

void MemoryPool::give_back(std::unique_ptr<ForwardMemory> memory) {
  for (auto& slot : slots_) {
    ForwardMemory* empty = nullptr;
    if (slot.load(std::memory_order_relaxed) != nullptr) continue;
    if (slot.compare_exchange_strong(empty, memory.get())) {
      memory.release();
      return;
    }
  }
}

bool run_texts(const Model& model, const Texts& texts, std::size_t n_texts,
               const RunOptions& options, float* out, MemoryPool* pool,
               Observer* observer) {
  model.check(texts, n_texts, options.output);
  if (n_texts == 0) return true;
  return Run(model, texts, n_texts, options, out, pool).go(observer);
}

}  // namespace bertfast::engine
