// What a set of instructions must offer to Linear: products of small tiles.
//
// A tile of the result is up to `max_rows` rows by `width` columns, and lives in
// registers. Its rows of the input lie in chunks of 64 bytes, so that one pointer and
// constant distances reach all of them, and no two fall on the same cache set:
//
//   row 0: bytes 0..63 | row 1: bytes 0..63 | ... | row 0: bytes 64..127 | ...
//
// Each step takes 4 bytes of each row: one float32, or a group of quantized values. A
// panel of the weights holds, step by step, what meets them in `width` columns.
#ifndef BERTFAST_ENGINE_KERNELS_H_
#define BERTFAST_ENGINE_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "bertfast/engine/linear.h"

namespace bertfast::engine {

constexpr std::size_t kChunkBytes = 64;
constexpr std::size_t kStepsPerChunk = 16;
constexpr std::size_t kMaxRows = 14;
constexpr std::size_t kMaxWidth = 64;

// Applies the activation to `rows` rows of `width` values in place.
using Activate = void (*)(Activation activation, float* tile, std::size_t rows,
                          std::size_t width, std::size_t stride);

// Weights that will be wanted next: how much of them to fetch with each chunk of steps.
struct Ahead {
  const std::uint8_t* begin;
  std::size_t bytes_per_chunk;
};

struct FloatTileArguments {
  const std::uint8_t* in;    // rows in chunks
  const float* panel;        // [n_steps, width]
  std::size_t n_steps;       // how much of k
  const float* start;        // what the sums begin with: [rows, width]
  std::size_t start_stride;  // 0 if all rows begin with the same
  float* out;                // [rows, width]; may be `start`
  std::size_t out_stride;
  Ahead ahead;
};

struct FloatKernel {
  std::size_t max_rows, width;
  // tiles[r - 1] computes r rows.
  void (*tiles[kMaxRows])(const FloatTileArguments&);
  Activate activate;
};

// How a row was quantized: value = shift + scale * q, with q from 0 to 255. A row's
// values are not centred at 0 behind a GELU, or where one column stands out. On 80
// sentences of SST-2 the cosine of MiniLM's embeddings to those of float32 is 0.9987 on
// the mean and 0.9972 at worst; with symmetric steps of absmax / 127 it was 0.9967 and
// 0.9929.
struct RowScale {
  float scale, shift;
};

struct Int8TileArguments {
  const std::uint8_t* in;     // quantized rows in chunks
  const std::int8_t* panel;   // [n_steps, width, group]
  std::size_t n_steps;        // k / group, rounded up
  const RowScale* rows;       // [rows]
  const float* column_scale;  // [width]
  const float* column_shift;  // [width]: the sum of the column's dequantized weights
  const float* bias;          // [width]
  float* out;                 // [rows, width]
  std::size_t out_stride;
  Ahead ahead;
};

struct Int8Kernel {
  std::size_t max_rows, width;
  std::size_t group;  // how many quantized values there are in the 4 bytes of a step
  void (*tiles[kMaxRows])(const Int8TileArguments&);
  // Quantizes rows [rows, k] of stride ldi into the chunks of one tile.
  void (*quantize)(const float* in, std::size_t rows, std::size_t ldi, std::size_t k,
                   std::uint8_t* out, RowScale* scales);
  Activate activate;
};

// nullptr where the CPU, or the compiler's target, does not have the instructions.
const FloatKernel* float_kernel(Kernel kernel);
const Int8Kernel* int8_kernel(Kernel kernel);

// The tables of each file of kernels, for the two functions above.
extern const FloatKernel kPortableFloat, kAvx2Float, kAvx512Float;
extern const Int8Kernel kPortableInt8, kAvx2Int8, kAvx512Int8;

// A range of values below this is taken for none: 255 / range would not be finite.
constexpr float kSmallestRange = 1e-36f;

// The scale of a row of which the least and the greatest value are known. `damage` is
// NaN if the row holds a NaN or an infinity, and then so is all that comes of it; else
// 0.
inline RowScale make_row_scale(float least, float greatest, float damage) {
  const float range = greatest - least;
  return {(range < kSmallestRange ? 0.0f : range / 255.0f) + damage, least + damage};
}

inline float inverse_of(float least, float greatest) {
  const float range = greatest - least;
  return range < kSmallestRange ? 0.0f : 255.0f / range;
}

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_KERNELS_H_
