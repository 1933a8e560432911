#include "bertfast/chunk_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace bertfast {
namespace {

constexpr std::size_t kHugePage = 2u << 20;

// Fresh pages from the system are zero and cost nothing until they are touched. Huge
// ones, where the system gives them, save a third of the time: the look-ups are all
// over the memory.
void* map_zeroed(std::size_t n_bytes) {
  void* memory = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  madvise(memory, n_bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

static_assert(sizeof(ChunkCache::ShortSlot) == 32, "two slots a cache line");
static_assert(sizeof(ChunkCache::LongSlot) == 64, "one slot a cache line");

ChunkCache::ChunkCache() {
  const std::size_t short_bytes = (sizeof(ShortSlot) * 2) << kShortBucketBits;
  const std::size_t long_bytes = sizeof(LongSlot) << kLongSlotBits;
  auto* memory = static_cast<std::uint8_t*>(map_zeroed(short_bytes + long_bytes));
  short_ = reinterpret_cast<ShortSlot*>(memory);
  long_ = reinterpret_cast<LongSlot*>(memory + short_bytes);
}

ChunkCache::~ChunkCache() {
  munmap(short_, ((sizeof(ShortSlot) * 2) << kShortBucketBits) +
                     (sizeof(LongSlot) << kLongSlotBits));
}

bool ChunkCache::insert(ShortSlot* bucket, const ShortKey& key, const std::int32_t* ids,
                        std::size_t count) {
  ShortSlot slot;
  if (!slot.value.assign(ids, count)) return false;
  slot.key = key;
  bucket[1] = bucket[0];
  bucket[0] = slot;
  return true;
}

bool ChunkCache::insert(LongSlot* slot, const LongKey& key, const std::int32_t* ids,
                        std::size_t count) {
  if (!slot->value.assign(ids, count)) return false;
  slot->key = key;
  return true;
}

}  // namespace bertfast
