#include "bertfast/engine/run.h"

#include <algorithm>
#include <exception>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "team.h"

namespace bertfast::engine {
namespace {

// A batch is not made smaller than this to keep another thread busy: starting one costs
// some 30 us, and products of few rows are slow.
constexpr std::size_t kMinTokens = 64;
// A thread joins others on one batch for as many tokens at least: all of them read all
// weights, so that few rows each gain nothing.
constexpr std::size_t kMinTokensOfMember = 32;

struct Range {
  std::size_t begin;
  std::size_t end;
};

std::size_t count_tokens(const Texts& texts, std::size_t begin, std::size_t end) {
  return static_cast<std::size_t>(texts.offsets[end] - texts.offsets[begin]);
}

// Texts in order, `token_budget` tokens a batch. With several workers the last batches
// become smaller and smaller, so that all workers end at about the same time.
std::vector<Range> cut_batches(const Texts& texts, std::size_t n_texts,
                               std::size_t token_budget, std::size_t n_workers) {
  std::vector<Range> batches;
  std::size_t begin = 0;
  while (begin < n_texts) {
    std::size_t room = token_budget;
    if (n_workers > 1) {
      const std::size_t share = count_tokens(texts, begin, n_texts) / (2 * n_workers);
      room = std::min(room, std::max(share, kMinTokens));
    }
    std::size_t end = begin + 1;
    while (end < n_texts && count_tokens(texts, begin, end + 1) <= room) ++end;
    batches.push_back({begin, end});
    begin = end;
  }
  return batches;
}

// How the threads of a call share its texts.
struct Plan {
  std::vector<Range> batches;
  std::size_t n_teams;
  std::size_t team_size;
};

// The tokens of the worker that has most to do, if each takes the next batch when it is
// free.
std::size_t longest_share(const Texts& texts, const std::vector<Range>& batches,
                          std::size_t n_workers) {
  std::vector<std::size_t> shares(n_workers, 0);
  for (const Range& batch : batches)
    *std::min_element(shares.begin(), shares.end()) +=
        count_tokens(texts, batch.begin, batch.end);
  return *std::max_element(shares.begin(), shares.end());
}

Plan make_plan(const Texts& texts, std::size_t n_texts, const RunOptions& options) {
  const std::size_t n_threads = std::max<std::size_t>(options.n_threads, 1);
  const auto cut = [&](std::size_t n_workers) {
    return cut_batches(texts, n_texts, options.token_budget, n_workers);
  };
  if (options.n_workers != 0) {
    const std::size_t n_workers = std::min(options.n_workers, n_threads);
    std::vector<Range> batches = cut(n_workers);
    const std::size_t n_teams = std::min(n_workers, batches.size());
    return {std::move(batches), n_teams, n_threads / n_workers};
  }
  std::vector<Range> batches = cut(n_threads);
  const std::size_t total = count_tokens(texts, 0, n_texts);
  const std::size_t team_size = std::min(n_threads, total / kMinTokensOfMember);
  if (team_size > 1) {
    const std::size_t alone = longest_share(texts, batches, n_threads);
    // Together all batches take the time of total / team_size tokens and a bit.
    if (alone * team_size * 4 > total * 5) return {cut(1), 1, team_size};
  }
  const std::size_t n_teams = std::min(n_threads, batches.size());
  return {std::move(batches), n_teams, 1};
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
        plan_(make_plan(texts, n_texts, options)),
        teams_(plan_.n_teams),
        memories_(plan_.n_teams * plan_.team_size),
        errors_(memories_.size()) {}

  bool go(Observer* observer) {
    std::promise<void> start;
    const std::shared_future<void> started = start.get_future().share();
    Threads threads;
    std::size_t n_threads = 1;
    try {
      for (; n_threads < errors_.size(); ++n_threads) {
        threads.start([this, started, i = n_threads] {
          if (plan_.team_size > 1) started.wait();  // until the teams' sizes are known
          work(i, nullptr);
        });
      }
    } catch (const std::exception&) {
      // Fewer threads, or none: the batches are run all the same.
    }
    for (std::size_t team = 0; plan_.team_size > 1 && team < teams_.size(); ++team) {
      const std::size_t before = std::min(team * plan_.team_size, n_threads);
      teams_[team].resize(std::min(plan_.team_size, n_threads - before));
    }
    start.set_value();
    work(0, observer);
    threads.join();
    for (const std::exception_ptr& error : errors_) {
      if (error) std::rethrow_exception(error);
    }
    return !is_stopped_ && report(observer);
  }

 private:
  // There is no catch (...): where the observer waits for the interpreter's lock while
  // Python ends, Python unwinds the thread, and who holds that up aborts the process.
  void work(std::size_t thread, Observer* observer) {
    Team& team = teams_[thread / plan_.team_size];
    const Member member{&team, thread % plan_.team_size};
    std::unique_ptr<ForwardMemory>& memory = memories_[thread];
    Leaving leaving{this, &team};
    try {
      memory = pool_->take();
      while (true) {
        if (member.is_first())
          team.batch = is_stopped_ ? plan_.batches.size() : next_.fetch_add(1);
        team.meet();
        if (team.batch >= plan_.batches.size()) break;
        run(plan_.batches[team.batch], memory.get(), member);
        if (observer != nullptr && !report(observer)) is_stopped_ = true;
      }
      pool_->give_back(std::move(memory));
      leaving.run = nullptr;
    } catch (const TeamBroken&) {
      // Who broke it says why.
    } catch (const std::exception&) {
      errors_[thread] = std::current_exception();
    }
  }

  // However a thread leaves its work, unless `run` is null by then, the others stop.
  struct Leaving {
    Run* run;
    Team* team;
    ~Leaving() {
      if (run == nullptr) return;
      run->is_stopped_ = true;
      team->give_up();
    }
  };

  void run(const Range& batch, ForwardMemory* memory, const Member& member) {
    const std::int64_t first = texts_.offsets[batch.begin] - texts_.offsets[0];
    const bool by_token = options_.output == Output::kSequence;
    const std::size_t row = by_token ? static_cast<std::size_t>(first) : batch.begin;
    model_.run(texts_, batch.begin, batch.end, options_.output, out_ + row * width_,
               memory, member);
    if (!member.is_first()) return;
    texts_done_ += batch.end - batch.begin;
    tokens_done_ += count_tokens(texts_, batch.begin, batch.end);
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
  const Plan plan_;
  std::vector<Team> teams_;
  // Of each thread. One that gives up its team leaves its memory here, until all
  // threads are joined: the others may be writing to it.
  std::vector<std::unique_ptr<ForwardMemory>> memories_;
  std::vector<std::exception_ptr> errors_;  // of each thread
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
