// Remembers the ids of chunks that were seen before.
//
// What a chunk becomes depends on its bytes alone, so a cache keyed by all of them is
// exact. It has a fixed size and forgets: two ways a bucket for short chunks, one for
// long ones, and a newcomer displaces the older.
//
//   short, a bucket a cache line:   | 16 key | 4 ids | 16 key | 4 ids |
//   long, a slot a cache line:      | 32 key         | 8 ids          |
//
// The last id of a slot has 24 bits, the number of ids is in its highest byte. Chunks
// of more ids have them in a ring, and the slot says where. Keys are padded with zeros.
// That takes "a" and "a\0" for one key, which they may be, since NUL is always dropped;
// and an empty slot is the right answer for a chunk of NULs.
#ifndef BERTFAST_CHUNK_CACHE_H_
#define BERTFAST_CHUNK_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bertfast {

constexpr std::size_t kShortKeyBytes = 16;
constexpr std::size_t kLongKeyBytes = 32;
constexpr std::size_t kShortIds = 4;
constexpr std::size_t kLongIds = 8;

struct ShortKey {
  std::uint64_t low;
  std::uint64_t high;
  bool operator==(const ShortKey& other) const {
    return ((low ^ other.low) | (high ^ other.high)) == 0;
  }
};

struct LongKey {
  ShortKey first;
  ShortKey second;
  bool operator==(const LongKey& other) const {
    return first == other.first && second == other.second;
  }
};

inline std::uint64_t load_word(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// Reads the first `length` bytes, at most 16, of memory of which 16 can be read.
inline ShortKey load_short_key(const std::uint8_t* bytes, std::size_t length) {
  static constexpr std::uint64_t kOnes = ~std::uint64_t{0};
  // kMasks[16 - length ...] has `length` bytes of ones first.
  alignas(64) static constexpr std::uint64_t kMasks[4] = {kOnes, kOnes, 0, 0};
  const auto* mask =
      reinterpret_cast<const std::uint8_t*>(kMasks) + kShortKeyBytes - length;
  return {load_word(bytes) & load_word(mask),
          load_word(bytes + 8) & load_word(mask + 8)};
}

// Reads the first `length` bytes, 16 to 32, of memory of which 32 can be read.
inline LongKey load_long_key(const std::uint8_t* bytes, std::size_t length) {
  LongKey key;
  key.first = {load_word(bytes), load_word(bytes + 8)};
  key.second = load_short_key(bytes + kShortKeyBytes, length - kShortKeyBytes);
  return key;
}

// Multiply-shift hashing (Dietzfelbinger et al., 1997): the highest bits of the sum
// depend on every bit of the key. Users take as many of them as they need.
inline std::uint64_t hash(const ShortKey& key) {
  return key.low * 0xA0761D6478BD642Fu + key.high * 0xE7037ED1A0B428DBu;
}
inline std::uint64_t hash(const LongKey& key) {
  return hash(key.first) + key.second.low * 0x8EBC6AF09C88C6E3u +
         key.second.high * 0x589965CC75374CC3u;
}

// A ring of ids: what is added lives until kRingIds more have been.
class IdRing {
 public:
  explicit IdRing(std::int32_t* memory) : ids_(memory) {}

  // Adds `count` ids, at most kMaxRingIds; returns their position.
  std::uint64_t add(const std::int32_t* ids, std::size_t count) {
    const std::size_t left = kRingIds - head_ % kRingIds;
    if (left < count) head_ += left;  // no run goes over the end
    const std::uint64_t position = head_;
    std::memcpy(ids_ + position % kRingIds, ids, count * sizeof(*ids));
    head_ += count;
    return position;
  }
  // The ids at `position`, or null if they have been overwritten.
  const std::int32_t* at(std::uint64_t position) const {
    return head_ - position <= kRingIds ? ids_ + position % kRingIds : nullptr;
  }

  static constexpr std::size_t kRingIds = 1 << 18;

 private:
  std::int32_t* ids_;
  std::uint64_t head_ = 0;
};

// The most ids of a chunk in the cache.
constexpr std::size_t kMaxRingIds = 100;

// The ids of a slot. Copying all of them, whatever their number, is faster than
// looking.
template <std::size_t kIds>
struct CachedIds {
  std::int32_t ids[kIds];

  // Whether they are in the ring.
  bool is_far() const { return ids[kIds - 1] < 0; }
  std::size_t count() const {
    return static_cast<std::uint32_t>(ids[kIds - 1]) >> 24 & 0x7F;
  }

  // Unless is_far(): writes kIds ids to `out`, of which count() matter; returns
  // count().
  std::size_t copy_to(std::int32_t* out) const {
    std::memcpy(out, ids, sizeof(ids));
    out[kIds - 1] &= 0xFFFFFF;
    return count();
  }
  // Writes kMaxRingIds ids at most. False if they have left the ring.
  bool copy_to(std::int32_t* out, const IdRing& ring) const {
    if (!is_far()) {
      copy_to(out);
      return true;
    }
    std::uint64_t position;
    std::memcpy(&position, ids, sizeof(position));
    const std::int32_t* far = ring.at(position);
    if (far == nullptr) return false;
    std::memcpy(out, far, count() * sizeof(*out));
    return true;
  }
  // False, with nothing changed, if the ids are too many.
  bool assign(const std::int32_t* new_ids, std::size_t new_count, IdRing* ring) {
    if (new_count > kMaxRingIds) return false;
    std::int32_t padded[kIds] = {};
    std::uint32_t tag = static_cast<std::uint32_t>(new_count) << 24;
    if (new_count < kIds || (new_count == kIds && new_ids[kIds - 1] <= 0xFFFFFF)) {
      std::memcpy(padded, new_ids, new_count * sizeof(*padded));
    } else {
      const std::uint64_t position = ring->add(new_ids, new_count);
      std::memcpy(padded, &position, sizeof(position));
      tag |= 1u << 31;
    }
    padded[kIds - 1] |= static_cast<std::int32_t>(tag);
    std::memcpy(ids, padded, sizeof(ids));
    return true;
  }
};

// One thread's cache: not thread-safe. 13 MiB, of which only what is used is ever
// touched.
class ChunkCache {
 public:
  struct alignas(32) ShortSlot {
    ShortKey key;
    CachedIds<kShortIds> value;
  };
  struct alignas(64) LongSlot {
    LongKey key;
    CachedIds<kLongIds> value;
  };

  // Throws std::bad_alloc.
  ChunkCache();
  ~ChunkCache();
  ChunkCache(const ChunkCache&) = delete;
  ChunkCache& operator=(const ChunkCache&) = delete;

  // The two slots in which a key with this hash may be.
  ShortSlot* short_bucket(std::uint64_t hash) {
    return short_ + (hash >> (64 - kShortBucketBits)) * 2;
  }
  LongSlot* long_slot(std::uint64_t hash) {
    return long_ + (hash >> (64 - kLongSlotBits));
  }

  // Remembers the ids of a key, unless they are too many.
  void insert(ShortSlot* bucket, const ShortKey& key, const std::int32_t* ids,
              std::size_t count);
  void insert(LongSlot* slot, const LongKey& key, const std::int32_t* ids,
              std::size_t count);
  const IdRing& ring() const { return ring_; }

 private:
  static constexpr int kShortBucketBits = 17;
  static constexpr int kLongSlotBits = 16;
  static constexpr std::size_t kShortBytes = (sizeof(ShortSlot) * 2)
                                             << kShortBucketBits;
  static constexpr std::size_t kLongBytes = sizeof(LongSlot) << kLongSlotBits;
  static constexpr std::size_t kAllBytes =
      kShortBytes + kLongBytes + IdRing::kRingIds * sizeof(std::int32_t);

  std::uint8_t* memory_;
  ShortSlot* short_;
  LongSlot* long_;
  IdRing ring_;
};

}  // namespace bertfast

#endif  // BERTFAST_CHUNK_CACHE_H_
