#include "bertfast/parallel.h"

#include <atomic>
#include <exception>
#include <memory>
#include <thread>

namespace bertfast {
namespace {

// Small enough to share the work evenly, large enough for claiming to cost nothing.
constexpr std::size_t kBlockBytes = 32 << 10;

// Rows [begin, end), and where a helper has put their ids.
struct Block {
  std::size_t begin;
  std::size_t end;
  IdBuffer* buffer = nullptr;
  std::size_t first_id = 0;
  std::size_t last_id = 0;
};

std::vector<Block> cut_blocks(const std::vector<Text>& texts) {
  std::vector<Block> blocks;
  std::size_t begin = 0;
  std::size_t n_bytes = 0;
  for (std::size_t row = 0; row < texts.size(); ++row) {
    n_bytes += texts[row].n_bytes();
    if (n_bytes < kBlockBytes && row + 1 < texts.size()) continue;
    blocks.push_back({begin, row + 1});
    begin = row + 1;
    n_bytes = 0;
  }
  return blocks;
}

// Blocks that nobody has taken: [front, back), both in one word.
class Unclaimed {
 public:
  explicit Unclaimed(std::size_t n) : range_(n) {}

  bool take_front(std::size_t* index) { return take(std::uint64_t{1} << 32, 0, index); }
  bool take_back(std::size_t* index) { return take(0, 1, index); }

 private:
  bool take(std::uint64_t front_step, std::uint64_t back_step, std::size_t* index) {
    std::uint64_t range = range_.load();
    for (;;) {
      const std::uint64_t front = range >> 32;
      const std::uint64_t back = range & 0xFFFFFFFF;
      if (front >= back) return false;
      *index = static_cast<std::size_t>(back_step == 0 ? front : back - 1);
      if (range_.compare_exchange_weak(range, range + front_step - back_step))
        return true;
    }
  }

  std::atomic<std::uint64_t> range_;
};

struct Batch {
  const Tokenizer& tokenizer;
  const std::vector<Text>& texts;
  const std::size_t limit;
  std::int64_t* row_ends;
  std::vector<Block> blocks;
  Unclaimed unclaimed;
};

// A helper's memory is kept for the next batch up to this many ids.
constexpr std::size_t kMaxKeptIds = 1 << 20;

struct Helper {
  Helper(WorkspacePool* pool, bool with_spans)
      : lease(pool), out(&lease.get()->helper_ids) {
    out->reset(with_spans, kMaxKeptIds);
  }
  const WorkspacePool::Lease lease;
  IdBuffer* out;
  std::exception_ptr error;
};

void take_from_back(Batch* batch, Helper* helper) noexcept {
  try {
    std::size_t index;
    while (batch->unclaimed.take_back(&index)) {
      Block& block = batch->blocks[index];
      block.buffer = helper->out;
      block.first_id = helper->out->size();
      batch->tokenizer.encode_rows(batch->texts, batch->limit, block.begin, block.end,
                                   helper->lease.get(), helper->out, batch->row_ends);
      block.last_id = helper->out->size();
    }
  } catch (...) {
    helper->error = std::current_exception();
  }
}

void take_from_front(Batch* batch, IdBuffer* out) {
  const WorkspacePool::Lease lease(batch->tokenizer.workspaces());
  std::size_t index;
  while (batch->unclaimed.take_front(&index)) {
    const Block& block = batch->blocks[index];
    batch->tokenizer.encode_rows(batch->texts, batch->limit, block.begin, block.end,
                                 lease.get(), out, batch->row_ends);
  }
}

// Appends the helpers' blocks and makes their row ends count from the start of `out`.
void append_blocks(const Batch& batch, IdBuffer* out) {
  for (const Block& block : batch.blocks) {
    if (block.buffer == nullptr) continue;
    const auto shift = static_cast<std::int64_t>(out->size()) -
                       static_cast<std::int64_t>(block.first_id);
    for (std::size_t row = block.begin; row < block.end; ++row)
      batch.row_ends[row] += shift;
    out->append(block.buffer, block.first_id, block.last_id);
  }
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

}  // namespace

void encode_parallel(const Tokenizer& tokenizer, const std::vector<Text>& texts,
                     std::size_t limit, std::size_t n_threads, IdBuffer* out,
                     std::int64_t* row_ends) {
  std::vector<Block> blocks = cut_blocks(texts);
  const std::size_t n_blocks = blocks.size();
  Batch batch{tokenizer,          texts, limit, row_ends, std::move(blocks),
              Unclaimed(n_blocks)};
  std::vector<std::unique_ptr<Helper>> helpers;
  Threads threads;
  try {
    while (helpers.size() + 1 < n_threads && helpers.size() + 1 < n_blocks) {
      helpers.push_back(
          std::make_unique<Helper>(tokenizer.workspaces(), out->with_spans()));
      Helper* helper = helpers.back().get();
      threads.start([&batch, helper] { take_from_back(&batch, helper); });
    }
  } catch (const std::exception&) {
    // Fewer threads, or none: the blocks are taken all the same.
  }
  take_from_front(&batch, out);
  threads.join();
  for (const auto& helper : helpers) {
    if (helper->error) std::rethrow_exception(helper->error);
  }
  append_blocks(batch, out);
}

}  // namespace bertfast
