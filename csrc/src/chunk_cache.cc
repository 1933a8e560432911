#include "bertfast/chunk_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace bertfast {
namespace {

// Fresh pages from the system are zero and cost nothing until they are touched.
void* map_zeroed(std::size_t n_bytes) {
  void* memory =
      mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
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

void ChunkCache::insert(ShortSlot* bucket, const ShortKey& key, const std::int32_t* ids,
                        std::size_t count) {
  if (count > kShortIds) return;
  bucket[1] = bucket[0];
  bucket[0].key = key;
  bucket[0].count = static_cast<std::uint32_t>(count);
  std::copy_n(ids, count, bucket[0].ids);
}

void ChunkCache::insert(LongSlot* slot, const LongKey& key, const std::int32_t* ids,
                        std::size_t count) {
  if (count > kLongIds) return;
  slot->key = key;
  slot->count = static_cast<std::uint32_t>(count);
  std::copy_n(ids, count, slot->ids);
}

}  // namespace bertfast
