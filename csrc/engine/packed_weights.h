// A layer's weights in the order in which the tiles read them.
#ifndef BERTFAST_ENGINE_PACKED_WEIGHTS_H_
#define BERTFAST_ENGINE_PACKED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>

#include "aligned_buffer.h"
#include "kernels.h"

namespace bertfast::engine {

// How many steps of a float32 panel are read before the next panel: 32 columns of them
// are 48 KB, which with the rows of a tile stay in the L2 cache while the rows go by.
constexpr std::size_t kFloatBlock = 384;
// 255 * 128 * k must fit 31 bits.
constexpr std::size_t kMaxInt8Depth = 65536;

// float32: blocks of k, in them panels of columns, in them [steps, width]; the columns
// beyond n are zeros.
struct FloatWeights {
  const FloatKernel* kernel;
  std::size_t k, n, n_panels;
  AlignedArray<float> panels;
  AlignedArray<float> bias;  // [n_panels * width]

  FloatWeights(const FloatKernel* kernel, const float* weight, const float* bias,
               std::size_t k, std::size_t n);

  // The panel of the block of k that begins at `from` and has `steps` steps.
  const float* panel(std::size_t from, std::size_t steps, std::size_t number) const {
    return panels.get() + (from * n_panels + steps * number) * kernel->width;
  }
  std::size_t n_bytes() const;
};

// int8: panels of columns, in them [steps, width, group].
struct Int8Weights {
  const Int8Kernel* kernel;
  std::size_t k, n, n_panels, n_steps;
  AlignedArray<std::int8_t> panels;
  AlignedArray<float> scale, shift, bias;  // [n_panels * width]

  Int8Weights(const Int8Kernel* kernel, const std::int8_t* weight, const float* scale,
              const float* bias, std::size_t k, std::size_t n);

  const std::int8_t* panel(std::size_t number) const {
    return panels.get() + number * n_steps * kernel->width * kernel->group;
  }
  std::size_t n_bytes() const;
};

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_PACKED_WEIGHTS_H_
