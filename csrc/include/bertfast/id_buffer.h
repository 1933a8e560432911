// Where ids go while their number is not known: a growing array that a caller can take
// over without a copy, with the texts' offsets beside it on request.
#ifndef BERTFAST_ID_BUFFER_H_
#define BERTFAST_ID_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "bertfast/huge_pages.h"

namespace bertfast {

// A malloc'ed array of T that grows by doubling. Throws std::bad_alloc.
template <class T>
class GrowingArray {
 public:
  GrowingArray() = default;
  GrowingArray(const GrowingArray&) = delete;
  GrowingArray& operator=(const GrowingArray&) = delete;
  ~GrowingArray() { std::free(data_); }

  T* data() { return data_; }
  std::size_t capacity() const { return capacity_; }

  // Makes room for `wanted` elements, keeping what is there.
  void reserve(std::size_t wanted) {
    if (wanted <= capacity_) return;
    std::size_t capacity = capacity_ < 512 ? 1024 : capacity_ * 2;
    if (capacity < wanted) capacity = wanted;
    if (capacity > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_alloc();
    void* grown = std::realloc(data_, capacity * sizeof(T));
    if (grown == nullptr) throw std::bad_alloc();
    const std::size_t n_bytes = capacity * sizeof(T);
    if (n_bytes >= kMinHugeBytes) ask_for_huge_pages(grown, n_bytes);
    data_ = static_cast<T*>(grown);
    capacity_ = capacity;
  }

  // Frees the memory if there is more than `most` elements need.
  void shrink(std::size_t most) {
    if (capacity_ > most) std::free(release());
  }

  // Hands the memory over, to be freed with std::free; the array is empty then.
  T* release() {
    capacity_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  T* data_ = nullptr;
  std::size_t capacity_ = 0;
};

// Start and end of a piece in its text, in code points.
struct Span {
  std::int32_t begin;
  std::int32_t end;
};

// The ids of one or more texts, one after the other, and their spans if wanted.
class IdBuffer {
 public:
  explicit IdBuffer(bool with_spans) : with_spans_(with_spans) {}

  bool with_spans() const { return with_spans_; }
  std::size_t size() const { return size_; }
  GrowingArray<std::int32_t>& ids() { return ids_; }
  GrowingArray<Span>& spans() { return spans_; }

  // Makes room for `extra` ids more, so that push() need not check.
  void reserve_more(std::size_t extra) {
    ids_.reserve(size_ + extra);
    if (with_spans_) spans_.reserve(size_ + extra);
  }
  void push(std::int32_t id) { ids_.data()[size_++] = id; }
  void push(std::int32_t id, Span span) {
    spans_.data()[size_] = span;
    ids_.data()[size_++] = id;
  }
  // For those who write ids themselves, into room made by reserve_more().
  std::int32_t* end() { return ids_.data() + size_; }
  void set_end(const std::int32_t* end) {
    size_ = static_cast<std::size_t>(end - ids_.data());
  }
  // Appends the ids [begin, end) of `other`.
  void append(IdBuffer* other, std::size_t begin, std::size_t end) {
    const std::size_t n = end - begin;
    reserve_more(n);
    std::copy_n(other->ids_.data() + begin, n, ids_.data() + size_);
    if (with_spans_)
      std::copy_n(other->spans_.data() + begin, n, spans_.data() + size_);
    size_ += n;
  }
  // Forgets everything, and most of the memory if that is more than `most_ids` need.
  void reset(bool with_spans, std::size_t most_ids) {
    with_spans_ = with_spans;
    size_ = 0;
    ids_.shrink(most_ids);
    spans_.shrink(most_ids);
  }
  // Forgets everything from `size` on.
  void truncate(std::size_t size) { size_ = size; }

 private:
  bool with_spans_;
  std::size_t size_ = 0;
  GrowingArray<std::int32_t> ids_;
  GrowingArray<Span> spans_;
};

}  // namespace bertfast

#endif  // BERTFAST_ID_BUFFER_H_
