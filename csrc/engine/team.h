// Threads that run one batch together, each its share of the rows, and wait for each
// other between the steps where one needs the rows of the others.
#ifndef BERTFAST_ENGINE_TEAM_H_
#define BERTFAST_ENGINE_TEAM_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace bertfast::engine {

// Thrown out of Team::meet by those who wait for a member that has given up.
struct TeamBroken : std::exception {
  const char* what() const noexcept override { return "another thread failed"; }
};

class Team {
 public:
  explicit Team(std::size_t size = 1) : size_(size) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  std::size_t size() const { return size_; }
  // Before any member runs.
  void resize(std::size_t size) { size_ = size; }

  // Returns when all members are here; each then sees what the others wrote before.
  // Throws TeamBroken.
  void meet() {
    if (size_ == 1) return;
    const std::size_t round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
      arrived_.store(0, std::memory_order_relaxed);
      open();
    } else {
      wait(round);
    }
    if (is_broken_.load(std::memory_order_acquire)) throw TeamBroken();
  }

  // Called by a member that will not come again: nobody waits any more.
  void give_up() noexcept {
    is_broken_.store(true, std::memory_order_release);
    open();
  }

  // Shared by the members: written by the first one, read by the others after meet().
  float* buffers = nullptr;
  std::size_t batch = 0;

 private:
  // Steps are short: 15 to 40 us are spun, as long as a pause takes on the CPU, then
  // the thread sleeps, since the others may have lost theirs.
  static constexpr int kSpins = 1000;

  static void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#endif
  }

  void open() noexcept {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      round_.fetch_add(1, std::memory_order_release);
    }
    is_open_.notify_all();
  }

  bool is_over(std::size_t round) const {
    return round_.load(std::memory_order_acquire) != round ||
           is_broken_.load(std::memory_order_acquire);
  }

  void wait(std::size_t round) {
    for (int i = 0; i < kSpins; ++i) {
      if (is_over(round)) return;
      pause();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    is_open_.wait(lock, [&] { return is_over(round); });
  }

  std::size_t size_;
  std::atomic<std::size_t> arrived_{0};
  std::atomic<std::size_t> round_{0};
  std::atomic<bool> is_broken_{false};
  std::mutex mutex_;
  std::condition_variable is_open_;
};

// One member of a team.
struct Member {
  Team* team;
  std::size_t number;  // the first one is 0

  bool is_first() const { return number == 0; }
  // The rows of `n` that are this member's: begin(n) to end(n).
  std::size_t begin(std::size_t n) const { return n * number / team->size(); }
  std::size_t end(std::size_t n) const { return n * (number + 1) / team->size(); }
};

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_TEAM_H_
