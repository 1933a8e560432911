#include "packed_weights.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace bertfast::engine {
namespace {

AlignedArray<float> padded(const float* values, std::size_t n, std::size_t padded_n) {
  AlignedArray<float> copy = allocate_zeros<float>(padded_n);
  if (values != nullptr) std::copy_n(values, n, copy.get());
  return copy;
}

// Writes `n_rows` rows, `stride` apart, value beside value: column j of row i to
// out[j * group + i]; adds each column to its sum.
void interleave(const std::int8_t* rows, std::size_t stride, std::size_t n_rows,
                std::size_t columns, std::size_t group, std::int8_t* out,
                std::int32_t* sums) {
  for (std::size_t i = 0; i < n_rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      out[j * group + i] = rows[i * stride + j];
      sums[j] += rows[i * stride + j];
    }
  }
}

// The same for four rows of a group of four, with one store a column: a model is loaded
// in a quarter of the time.
void interleave_four(const std::int8_t* rows, std::size_t stride, std::size_t columns,
                     std::int8_t* out, std::int32_t* sums) {
  const std::int8_t* row1 = rows + stride;
  const std::int8_t* row2 = row1 + stride;
  const std::int8_t* row3 = row2 + stride;
  for (std::size_t j = 0; j < columns; ++j) {
    const std::int8_t values[4] = {rows[j], row1[j], row2[j], row3[j]};
    std::memcpy(out + 4 * j, values, sizeof(values));
    sums[j] += values[0] + values[1] + values[2] + values[3];
  }
}

}  // namespace

FloatWeights::FloatWeights(const FloatKernel* given_kernel, const float* weight,
                           const float* given_bias, std::size_t given_k,
                           std::size_t given_n)
    : kernel(given_kernel),
      k(given_k),
      n(given_n),
      n_panels((n + kernel->width - 1) / kernel->width),
      panels(allocate_zeros<float>(n_panels * kernel->width * k)),
      bias(padded(given_bias, n, n_panels * kernel->width)) {
  const std::size_t width = kernel->width;
  for (std::size_t from = 0; from < k; from += kFloatBlock) {
    const std::size_t steps = std::min(kFloatBlock, k - from);
    for (std::size_t number = 0; number < n_panels; ++number) {
      float* out = panels.get() + (from * n_panels + steps * number) * width;
      const std::size_t columns = std::min(width, n - number * width);
      for (std::size_t step = 0; step < steps; ++step) {
        std::copy_n(weight + (from + step) * n + number * width, columns,
                    out + step * width);
      }
    }
  }
}

std::size_t FloatWeights::n_bytes() const {
  return n_panels * kernel->width * (k + 1) * sizeof(float);
}

Int8Weights::Int8Weights(const Int8Kernel* given_kernel, const std::int8_t* weight,
                         const float* given_scale, const float* given_bias,
                         std::size_t given_k, std::size_t given_n)
    : kernel(given_kernel),
      k(given_k),
      n(given_n),
      n_panels((n + kernel->width - 1) / kernel->width),
      n_steps((k + kernel->group - 1) / kernel->group),
      panels(allocate_zeros<std::int8_t>(n_panels * kernel->width * n_steps *
                                         kernel->group)),
      scale(padded(given_scale, n, n_panels * kernel->width)),
      shift(allocate_zeros<float>(n_panels * kernel->width)),
      bias(padded(given_bias, n, n_panels * kernel->width)) {
  const std::size_t width = kernel->width, group = kernel->group;
  std::vector<std::int32_t> sums(n_panels * width, 0);
  for (std::size_t number = 0; number < n_panels; ++number) {
    const std::size_t first = number * width, columns = std::min(width, n - first);
    std::int8_t* out = panels.get() + number * n_steps * width * group;
    for (std::size_t i = 0; i < k; i += group, out += width * group) {
      const std::int8_t* rows = weight + i * n + first;
      if (group == 4 && k - i >= 4) {
        interleave_four(rows, n, columns, out, &sums[first]);
      } else {
        interleave(rows, n, std::min(group, k - i), columns, group, out, &sums[first]);
      }
    }
  }
  for (std::size_t column = 0; column < n; ++column) {
    shift[column] = static_cast<float>(sums[column]) * scale[column];
  }
}

std::size_t Int8Weights::n_bytes() const {
  const std::size_t columns = n_panels * kernel->width;
  return columns * (n_steps * kernel->group + 3 * sizeof(float));
}

}  // namespace bertfast::engine
