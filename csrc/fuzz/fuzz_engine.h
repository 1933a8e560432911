// What the targets of the engine share: numbers made from the fuzzer's bytes, in memory
// of exactly their size, and the activations in double precision.
#ifndef BERTFAST_FUZZ_FUZZ_ENGINE_H_
#define BERTFAST_FUZZ_FUZZ_ENGINE_H_

#include <cmath>
#include <limits>

#include "../tests/reference_activation.h"
#include "bertfast/engine/linear.h"
#include "fuzz.h"

namespace bertfast_fuzz {

using bertfast::engine::Activation;
using bertfast::engine::Kernel;

constexpr Kernel kKernels[] = {Kernel::kPortable, Kernel::kAvx2, Kernel::kAvx512};
constexpr Activation kActivations[] = {Activation::kIdentity, Activation::kGeluErf,
                                       Activation::kGeluTanh, Activation::kRelu,
                                       Activation::kTanh};

// An array of exactly n elements, so that ASan sees any reading beyond it.
template <class T>
class Exact {
 public:
  explicit Exact(std::size_t n) : n_(n), memory_(new T[n]) {}

  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }
  T& operator[](std::size_t i) { return memory_[i]; }
  const T& operator[](std::size_t i) const { return memory_[i]; }
  std::size_t size() const { return n_; }
  const T* begin() const { return memory_.get(); }
  const T* end() const { return memory_.get() + n_; }

 private:
  std::size_t n_;
  std::unique_ptr<T[]> memory_;
};

// Numbers out of an input, and out of a generator that its last ones seed.
class Numbers {
 public:
  explicit Numbers(Input* input) : input_(input) {}

  std::uint8_t byte() {
    if (!input_->empty()) {
      const std::uint8_t taken = input_->byte();
      state_ = (state_ ^ taken) * 0x9E3779B97F4A7C15u;
      return taken;
    }
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::uint8_t>(state_ >> 32);
  }

  // -128 .. 127 times a power of two, all exact.
  float small(float unit) { return static_cast<float>(signed_byte()) * unit; }

  std::int8_t signed_byte() { return static_cast<std::int8_t>(byte()); }

  Exact<float> floats(std::size_t n, float unit) {
    Exact<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = small(unit);
    return values;
  }

 private:
  Input* input_;
  std::uint64_t state_ = 0x2545F4914F6CDD1Du;
};

// Half the distance of two float32 next to 1.
constexpr double kRounding = 6e-8;

}  // namespace bertfast_fuzz

#endif  // BERTFAST_FUZZ_FUZZ_ENGINE_H_
