#include "bertfast/chunk_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "bertfast/huge_pages.h"

namespace bertfast {
namespace {

constexpr std::size_t kPage = 4096;

// Zeroed memory, in huge pages where the system gives them, since the look-ups are all
// over it. Every page is touched at once: a first touch costs up to 2 us, which would
// be most of the time of a first pass over 2 MB of text.
std::uint8_t* map_zeroed(std::size_t n_bytes) {
  void* memory = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ask_for_huge_pages(memory, n_bytes);
  volatile std::uint8_t* bytes = static_cast<std::uint8_t*>(memory);
  for (std::size_t at = 0; at < n_bytes; at += kPage) bytes[at] = 0;
  return static_cast<std::uint8_t*>(memory);
}

}  // namespace

static_assert(sizeof(ChunkCache::ShortSlot) == 32, "two slots a cache line");
static_assert(sizeof(ChunkCache::LongSlot) == 64, "one slot a cache line");

ChunkCache::ChunkCache()
    : memory_(map_zeroed(kAllBytes)),
      short_(reinterpret_cast<ShortSlot*>(memory_)),
      long_(reinterpret_cast<LongSlot*>(memory_ + kShortBytes)),
      ring_(reinterpret_cast<std::int32_t*>(memory_ + kShortBytes + kLongBytes)) {}

ChunkCache::~ChunkCache() { munmap(memory_, kAllBytes); }

void ChunkCache::insert(ShortSlot* bucket, const ShortKey& key, const std::int32_t* ids,
                        std::size_t count) {
  ShortSlot slot;
  if (!slot.value.assign(ids, count, &ring_)) return;
  slot.key = key;
  bucket[1] = bucket[0];
  bucket[0] = slot;
}

void ChunkCache::insert(LongSlot* slot, const LongKey& key, const std::int32_t* ids,
                        std::size_t count) {
  if (slot->value.assign(ids, count, &ring_)) slot->key = key;
}

}  // namespace bertfast
