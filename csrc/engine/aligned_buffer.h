// Memory aligned for whole vector registers and cache lines.
#ifndef BERTFAST_ENGINE_ALIGNED_BUFFER_H_
#define BERTFAST_ENGINE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace bertfast::engine {

constexpr std::size_t kAlignment = 64;

constexpr std::size_t round_up(std::size_t n, std::size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

struct AlignedDelete {
  void operator()(void* memory) const {
    ::operator delete(memory, std::align_val_t{kAlignment});
  }
};

// `count` values of T, which must be trivial; not initialized. Throws std::bad_alloc.
template <class T>
using AlignedArray = std::unique_ptr<T[], AlignedDelete>;

template <class T>
AlignedArray<T> allocate_aligned(std::size_t count) {
  if (count > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_alloc();
  const std::size_t n_bytes = round_up(count * sizeof(T), kAlignment);
  return AlignedArray<T>(
      static_cast<T*>(::operator new(n_bytes, std::align_val_t{kAlignment})));
}

template <class T>
AlignedArray<T> allocate_zeros(std::size_t count) {
  AlignedArray<T> array = allocate_aligned<T>(count);
  std::memset(static_cast<void*>(array.get()), 0, count * sizeof(T));
  return array;
}

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_ALIGNED_BUFFER_H_
