// Predicts many texts: batches side by side on several threads, or, where there are too
// few for that, one after the other on all threads together.
#ifndef BERTFAST_ENGINE_RUN_H_
#define BERTFAST_ENGINE_RUN_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "bertfast/engine/model.h"

namespace bertfast::engine {

// Lends memory to threads and keeps it. Lock-free, so that a fork at any moment leaves
// a child that works; what was lent at that moment is lost to the child, no more.
class MemoryPool {
 public:
  MemoryPool() = default;
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;
  ~MemoryPool();

  std::unique_ptr<ForwardMemory> take();
  void give_back(std::unique_ptr<ForwardMemory> memory);

 private:
  // Kept at most: as many as threads are likely to predict at a time.
  static constexpr std::size_t kSlots = 64;
  std::array<std::atomic<ForwardMemory*>, kSlots> slots_{};
};

// Told by the calling thread after each of its own batches what all threads have done
// since; false stops the run.
class Observer {
 public:
  virtual bool advance(std::size_t n_texts, std::size_t n_tokens) = 0;

 protected:
  ~Observer() = default;
};

struct RunOptions {
  Output output;
  std::size_t token_budget;  // tokens of a batch at most, unless one text has more
  std::size_t n_threads;
  // Batches side by side at most, each on n_threads / n_workers threads. 0: each on one
  // thread, unless that leaves threads idle for long.
  std::size_t n_workers = 0;
};

// Predicts all texts in the order given; `out` is float32 [n_texts, width], for
// kSequence [tokens, width]. Returns false if the observer stopped it. Threads live as
// long as the call. Throws what Model::check throws, and std::bad_alloc.
bool run_texts(const Model& model, const Texts& texts, std::size_t n_texts,
               const RunOptions& options, float* out, MemoryPool* pool,
               Observer* observer);

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_RUN_H_
