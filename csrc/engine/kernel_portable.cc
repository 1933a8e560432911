// Tiles of 4 rows by 8 columns for any CPU, in the compiler's own vectors of 128 bits,
// which it maps to what there is. Quantized values are widened to 32 bits.
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "activation_table.h"
#include "kernels.h"
#include "target_region.h"

namespace bertfast::engine {
namespace {

#include "activate.h"
#include "tile.h"

constexpr std::size_t kVectorsWide = 2;
constexpr std::size_t kRowsHigh = 4;

typedef float Float4 __attribute__((vector_size(16)));
typedef std::int32_t Int4 __attribute__((vector_size(16)));
typedef std::int8_t Byte4 __attribute__((vector_size(4)));

struct Lanes {
  using Vector = float;
  using Table = const float*;
  static constexpr std::size_t kLanes = 1, kPieces = 16;
  static constexpr std::size_t kGeluDegree = 4, kTanhDegree = 7;

  static float load(const float* at) { return *at; }
  static void store(float* at, float x) { *at = x; }
  static float all(float x) { return x; }
  static float max(float a, float b) { return a > b ? a : b; }
  static float min(float a, float b) { return a < b ? a : b; }
  static float subtract(float a, float b) { return a - b; }
  static float multiply_add(float a, float b, float c) { return a * b + c; }
  static float absolute(float x) { return std::fabs(x); }
  static float with_sign(float x, float sign) { return std::copysign(x, sign); }
  static Table table(const float* at) { return at; }
  static float look_up(Table table, float bits) {
    std::uint32_t number;
    std::memcpy(&number, &bits, sizeof number);
    return table[number % kPieces];
  }
};

template <class Vector>
BERTFAST_INLINE Vector load_as(const void* at) {
  Vector vector;
  std::memcpy(&vector, at, sizeof vector);
  return vector;
}

struct FloatProduct {
  using Sum = Float4;
  using Weights = Float4;
  using Input = float;
  static constexpr std::size_t kVectors = kVectorsWide;
  static constexpr std::size_t kStepBytes = 16 * kVectors;

  static BERTFAST_INLINE Sum load(const float* at) { return load_as<Sum>(at); }
  static BERTFAST_INLINE void store(float* at, Sum sum) {
    std::memcpy(at, &sum, sizeof sum);
  }
  static BERTFAST_INLINE Weights weights(const std::uint8_t* panel, std::size_t v) {
    return load_as<Weights>(panel + 16 * v);
  }
  static BERTFAST_INLINE Input input(const std::uint8_t* at) {
    return load_as<float>(at);
  }
  static BERTFAST_INLINE Sum multiply_add(Input x, Weights w, Sum sum) {
    return x * w + sum;
  }
};

struct Int8Product {
  using Sum = Int4;
  using Weights = Int4;
  using Input = std::int32_t;
  static constexpr std::size_t kVectors = kVectorsWide;
  static constexpr std::size_t kStepBytes = 4 * kVectors;

  static BERTFAST_INLINE Sum zero() { return Sum{}; }
  static BERTFAST_INLINE void store_scaled(Sum sum, RowScale row,
                                           const float* column_scale,
                                           const float* column_shift, const float* bias,
                                           float* out) {
    const Float4 scaled = __builtin_convertvector(sum, Float4) * row.scale;
    const Float4 shifted =
        row.shift * FloatProduct::load(column_shift) + FloatProduct::load(bias);
    FloatProduct::store(out, scaled * FloatProduct::load(column_scale) + shifted);
  }
  static BERTFAST_INLINE Weights weights(const std::uint8_t* panel, std::size_t v) {
    return __builtin_convertvector(load_as<Byte4>(panel + 4 * v), Int4);
  }
  static BERTFAST_INLINE Input input(const std::uint8_t* at) {
    return load_as<std::int32_t>(at);
  }
  static BERTFAST_INLINE Sum multiply_add(Input x, Weights w, Sum sum) {
    return x * w + sum;
  }
};

// Adding 1.5 * 2^23 rounds to the nearest even integer and leaves it in the low bits.
inline std::int32_t round_to_byte(float x) {
  const float magic = 12582912.0f;
  const float shifted = (x > 0.0f ? (x < 255.0f ? x : 255.0f) : 0.0f) + magic;
  return load_as<std::int32_t>(&shifted) - load_as<std::int32_t>(&magic);
}

void quantize(const float* in, std::size_t rows, std::size_t ldi, std::size_t k,
              std::uint8_t* out, RowScale* scales) {
  for (std::size_t row = 0; row < rows; ++row, in += ldi) {
    float least = k > 0 ? in[0] : 0.0f, greatest = least, damage = 0.0f;
    for (std::size_t i = 0; i < k; ++i) {
      least = in[i] < least ? in[i] : least;
      greatest = in[i] > greatest ? in[i] : greatest;
      damage += in[i] * 0.0f;
    }
    scales[row] = make_row_scale(least, greatest, damage);
    const float inverse = inverse_of(least, greatest);
    for (std::size_t i = 0; i < k; ++i) {
      const std::int32_t value = round_to_byte((in[i] - least) * inverse);
      std::uint8_t* chunk = out + (i / kStepsPerChunk * rows + row) * kChunkBytes;
      std::memcpy(chunk + 4 * (i % kStepsPerChunk), &value, sizeof value);
    }
  }
}

}  // namespace

constexpr FloatKernel kPortableFloat = make_float_kernel<FloatProduct>(
    4 * kVectorsWide, activate_tile<Lanes>, std::make_index_sequence<kRowsHigh>());
constexpr Int8Kernel kPortableInt8 =
    make_int8_kernel<Int8Product>({4 * kVectorsWide, 1}, quantize, activate_tile<Lanes>,
                                  std::make_index_sequence<kRowsHigh>());

}  // namespace bertfast::engine
