// What one thread needs to encode: its chunk cache and its buffers, kept between calls.
#ifndef BERTFAST_WORKSPACE_H_
#define BERTFAST_WORKSPACE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bertfast/chunk_cache.h"
#include "bertfast/id_buffer.h"
#include "bertfast/scanner.h"

namespace bertfast {

// Text is encoded in windows of this size, which with its edges stays in the L1 cache.
constexpr std::size_t kWindowBytes = 8192;

struct Workspace {
  // Transcoded text, with room for the whitespace and the over-reading after its end.
  std::array<std::uint8_t, kWindowBytes + 2 * kScanBlock> window;
  std::array<std::uint16_t, kWindowBytes + 2 * kScanBlock> edges;
  // Ids of the words of one that were taken out of the window's text.
  std::array<std::int32_t, kWindowBytes> words_of_one;
  std::unique_ptr<ChunkCache> cache;  // null until it pays
  std::size_t cold_bytes = 0;         // encoded without one
  // What a helper of a parallel batch has encoded: memory that a new thread asks the
  // system for costs a fifth of the encoding, so it is kept.
  IdBuffer helper_ids{false};
};

// Lends workspaces to threads. Lock-free, so that a fork at any moment leaves a child
// that works; what was lent at that moment is lost to the child, no more.
class WorkspacePool {
 public:
  WorkspacePool() = default;
  WorkspacePool(const WorkspacePool&) = delete;
  WorkspacePool& operator=(const WorkspacePool&) = delete;
  ~WorkspacePool() {
    for (auto& slot : slots_) delete slot.load();
  }

  // A workspace that comes back by itself.
  class Lease {
   public:
    explicit Lease(WorkspacePool* pool) : pool_(pool), workspace_(pool->take()) {}
    ~Lease() { pool_->give_back(std::move(workspace_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Workspace* get() const { return workspace_.get(); }

   private:
    WorkspacePool* pool_;
    std::unique_ptr<Workspace> workspace_;
  };

 private:
  // Kept at most: as many as threads are likely to encode at a time.
  static constexpr std::size_t kSlots = 64;

  std::unique_ptr<Workspace> take() {
    for (auto& slot : slots_) {
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      if (Workspace* workspace = slot.exchange(nullptr)) {
        return std::unique_ptr<Workspace>(workspace);
      }
    }
    return std::make_unique<Workspace>();
  }

  void give_back(std::unique_ptr<Workspace> workspace) {
    for (auto& slot : slots_) {
      Workspace* empty = nullptr;
      if (slot.load(std::memory_order_relaxed) != nullptr) continue;
      if (slot.compare_exchange_strong(empty, workspace.get())) {
        workspace.release();
        return;
      }
    }
  }

  std::array<std::atomic<Workspace*>, kSlots> slots_{};
};

}  // namespace bertfast

#endif  // BERTFAST_WORKSPACE_H_
