// Tiles of 6 rows by 16 columns for AVX2: 12 registers of sums, two of weights, one of
// input.
//
// int8: the bytes of the weights are widened to 16 bits as they are read, which all
// rows of the tile share, and pairs of products are added in 32 bits. That is exact for
// all weights. The byte instruction, vpmaddubsw, with the signs moved from the weights
// to the input so that it does not saturate, reaches 138 GFLOP/s where this reaches 167
// (Zen 4).
#include <cstring>
#include <type_traits>
#include <utility>

#include "activation_table.h"
#include "kernels.h"
#include "target_region.h"

#ifdef BERTFAST_X86

BERTFAST_TARGET_REGION("avx2,fma")

namespace bertfast::engine {
namespace {

#include "activate.h"
#include "tile.h"

constexpr std::size_t kVectorsWide = 2;
constexpr std::size_t kRowsHigh = 6;

struct Lanes {
  using Vector = __m256;
  using Table = Vector;
  static constexpr std::size_t kLanes = 8, kPieces = 8;
  static constexpr std::size_t kGeluDegree = 6, kTanhDegree = 10;

  static BERTFAST_INLINE Vector load(const float* at) { return _mm256_loadu_ps(at); }
  static BERTFAST_INLINE void store(float* at, Vector x) { _mm256_storeu_ps(at, x); }
  static BERTFAST_INLINE Vector all(float x) { return _mm256_set1_ps(x); }
  static BERTFAST_INLINE Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static BERTFAST_INLINE Vector min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
  static BERTFAST_INLINE Vector subtract(Vector a, Vector b) {
    return _mm256_sub_ps(a, b);
  }
  static BERTFAST_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  static BERTFAST_INLINE Vector absolute(Vector x) {
    return _mm256_andnot_ps(all(-0.0f), x);
  }
  static BERTFAST_INLINE Vector with_sign(Vector x, Vector sign) {
    return _mm256_or_ps(absolute(x), _mm256_and_ps(all(-0.0f), sign));
  }
  static BERTFAST_INLINE Table table(const float* at) { return load(at); }
  static BERTFAST_INLINE Vector look_up(Table table, Vector bits) {
    return _mm256_permutevar8x32_ps(table, _mm256_castps_si256(bits));
  }
};

struct FloatProduct {
  using Sum = __m256;
  using Weights = __m256;
  using Input = __m256;
  static constexpr std::size_t kVectors = kVectorsWide;
  static constexpr std::size_t kStepBytes = 32 * kVectors;

  static BERTFAST_INLINE Sum load(const float* at) { return _mm256_loadu_ps(at); }
  static BERTFAST_INLINE void store(float* at, Sum sum) { _mm256_storeu_ps(at, sum); }
  static BERTFAST_INLINE Weights weights(const std::uint8_t* panel, std::size_t v) {
    return _mm256_load_ps(reinterpret_cast<const float*>(panel) + 8 * v);
  }
  static BERTFAST_INLINE Input input(const std::uint8_t* at) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(at));
  }
  static BERTFAST_INLINE Sum multiply_add(Input x, Weights w, Sum sum) {
    return _mm256_fmadd_ps(x, w, sum);
  }
};

struct Int8Product {
  using Sum = __m256i;
  using Weights = __m256i;
  using Input = __m256i;
  static constexpr std::size_t kVectors = kVectorsWide;
  static constexpr std::size_t kStepBytes = 16 * kVectors;

  // Not to be seen through: GCC 12 spills sums that it knows to begin with the same
  // value.
  static BERTFAST_INLINE Sum zero() {
    Sum sum = _mm256_setzero_si256();
    __asm__("" : "+x"(sum));
    return sum;
  }
  static BERTFAST_INLINE void store_scaled(Sum sum, RowScale row,
                                           const float* column_scale,
                                           const float* column_shift, const float* bias,
                                           float* out) {
    const __m256 scaled =
        _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(row.scale));
    const __m256 shifted =
        _mm256_fmadd_ps(_mm256_set1_ps(row.shift), _mm256_loadu_ps(column_shift),
                        _mm256_loadu_ps(bias));
    _mm256_storeu_ps(out,
                     _mm256_fmadd_ps(scaled, _mm256_loadu_ps(column_scale), shifted));
  }
  static BERTFAST_INLINE Weights weights(const std::uint8_t* panel, std::size_t v) {
    return _mm256_cvtepi8_epi16(
        _mm_load_si128(reinterpret_cast<const __m128i*>(panel) + v));
  }
  static BERTFAST_INLINE Input input(const std::uint8_t* at) {
    std::int32_t pair;
    std::memcpy(&pair, at, sizeof pair);
    return _mm256_set1_epi32(pair);
  }
  static BERTFAST_INLINE Sum multiply_add(Input x, Weights w, Sum sum) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
  }
};

struct Range {
  float least, greatest, damage;
};

Range range_of(const float* row, std::size_t k) {
  const __m256 first = _mm256_set1_ps(k > 0 ? row[0] : 0.0f);
  __m256 least = first, greatest = first, damage = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 8 <= k; i += 8) {
    const __m256 values = _mm256_loadu_ps(row + i);
    least = _mm256_min_ps(values, least);
    greatest = _mm256_max_ps(values, greatest);
    damage = _mm256_fmadd_ps(values, _mm256_setzero_ps(), damage);
  }
  float lanes[3][8];
  _mm256_storeu_ps(lanes[0], least);
  _mm256_storeu_ps(lanes[1], greatest);
  _mm256_storeu_ps(lanes[2], damage);
  Range range{lanes[0][0], lanes[1][0], lanes[2][0]};
  for (std::size_t lane = 1; lane < 8; ++lane) {
    range.least = lanes[0][lane] < range.least ? lanes[0][lane] : range.least;
    range.greatest = lanes[1][lane] > range.greatest ? lanes[1][lane] : range.greatest;
    range.damage += lanes[2][lane];
  }
  for (; i < k; ++i) {
    range.least = row[i] < range.least ? row[i] : range.least;
    range.greatest = row[i] > range.greatest ? row[i] : range.greatest;
    range.damage += row[i] * 0.0f;
  }
  return range;
}

// 16 values as 16-bit integers in order.
BERTFAST_INLINE __m256i quantize_half(const float* in, __m256 least, __m256 inverse) {
  const auto eight = [&](const float* at) __attribute__((always_inline)) {
    const __m256 above = _mm256_sub_ps(_mm256_loadu_ps(at), least);
    return _mm256_cvtps_epi32(_mm256_mul_ps(above, inverse));
  };
  const __m256i packed = _mm256_packs_epi32(eight(in), eight(in + 8));
  return _mm256_permute4x64_epi64(packed, 0xd8);
}

BERTFAST_INLINE void quantize_chunk(const float* in, __m256 least, __m256 inverse,
                                    std::uint8_t* out) {
  __m256i* halves = reinterpret_cast<__m256i*>(out);
  _mm256_store_si256(halves, quantize_half(in, least, inverse));
  _mm256_store_si256(halves + 1, quantize_half(in + 16, least, inverse));
}

void quantize(const float* in, std::size_t rows, std::size_t ldi, std::size_t k,
              std::uint8_t* out, RowScale* scales) {
  for (std::size_t row = 0; row < rows; ++row, in += ldi) {
    const Range range = range_of(in, k);
    scales[row] = make_row_scale(range.least, range.greatest, range.damage);
    const __m256 least = _mm256_set1_ps(range.least);
    const __m256 inverse = _mm256_set1_ps(inverse_of(range.least, range.greatest));
    std::uint8_t* chunk = out + row * kChunkBytes;
    std::size_t i = 0;
    for (; i + 32 <= k; i += 32, chunk += rows * kChunkBytes) {
      quantize_chunk(in + i, least, inverse, chunk);
    }
    if (i == k) continue;
    float last[32] = {};
    std::memcpy(last, in + i, (k - i) * sizeof(float));
    quantize_chunk(last, least, inverse, chunk);
  }
}

}  // namespace

constexpr FloatKernel kAvx2Float = make_float_kernel<FloatProduct>(
    8 * kVectorsWide, activate_tile<Lanes>, std::make_index_sequence<kRowsHigh>());
constexpr Int8Kernel kAvx2Int8 =
    make_int8_kernel<Int8Product>({8 * kVectorsWide, 2}, quantize, activate_tile<Lanes>,
                                  std::make_index_sequence<kRowsHigh>());

}  // namespace bertfast::engine

BERTFAST_END_TARGET_REGION

#endif  // BERTFAST_X86
