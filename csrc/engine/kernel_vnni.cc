// int8 tiles of 14 rows by 32 columns for AVX-512 with VNNI, whose one instruction adds
// four products of an unsigned and a signed byte to a sum of 32 bits, exactly.
#include <cstring>
#include <type_traits>
#include <utility>

#include "activation_table.h"
#include "kernels.h"
#include "target_region.h"

#ifdef BERTFAST_X86

BERTFAST_TARGET_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")

namespace bertfast::engine {
namespace {

#include "activate.h"
#include "lanes_avx512.h"
#include "tile.h"

constexpr std::size_t kVectorsWide = 2;
constexpr std::size_t kRowsHigh = 14;

struct Int8Product {
  using Sum = __m512i;
  using Weights = __m512i;
  using Input = __m512i;
  static constexpr std::size_t kVectors = kVectorsWide;
  static constexpr std::size_t kStepBytes = 64 * kVectors;

  static BERTFAST_INLINE Sum zero() { return _mm512_setzero_si512(); }
  static BERTFAST_INLINE void store_scaled(Sum sum, RowScale row,
                                           const float* column_scale,
                                           const float* column_shift, const float* bias,
                                           float* out) {
    const __m512 scaled =
        _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(row.scale));
    const __m512 shifted =
        _mm512_fmadd_ps(_mm512_set1_ps(row.shift), _mm512_loadu_ps(column_shift),
                        _mm512_loadu_ps(bias));
    _mm512_storeu_ps(out,
                     _mm512_fmadd_ps(scaled, _mm512_loadu_ps(column_scale), shifted));
  }
  static BERTFAST_INLINE Weights weights(const std::uint8_t* panel, std::size_t v) {
    return _mm512_load_si512(panel + 64 * v);
  }
  static BERTFAST_INLINE Input input(const std::uint8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static BERTFAST_INLINE Sum multiply_add(Input x, Weights w, Sum sum) {
    // The intrinsic makes GCC 12 spill sums that would fit in the registers.
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
};

inline __mmask16 first_lanes(std::size_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : (1u << count) - 1);
}

struct Range {
  float least, greatest, damage;
};

Range range_of(const float* row, std::size_t k) {
  const __m512 first = _mm512_set1_ps(k > 0 ? row[0] : 0.0f);
  __m512 least = first, greatest = first, damage = _mm512_setzero_ps();
  for (std::size_t i = 0; i < k; i += 16) {
    const __m512 values = _mm512_mask_loadu_ps(first, first_lanes(k - i), row + i);
    least = _mm512_min_ps(values, least);
    greatest = _mm512_max_ps(values, greatest);
    damage = _mm512_fmadd_ps(values, _mm512_setzero_ps(), damage);
  }
  return {_mm512_reduce_min_ps(least), _mm512_reduce_max_ps(greatest),
          _mm512_reduce_add_ps(damage)};
}

// 64 values, of which the first `count` are there, as bytes.
BERTFAST_INLINE __m512i quantize_chunk(const float* in, std::size_t count, __m512 least,
                                       __m512 inverse) {
  const auto quarter = [&](std::size_t i) __attribute__((always_inline)) {
    const std::size_t left = count > 16 * i ? count - 16 * i : 0;
    const __m512 values = _mm512_maskz_loadu_ps(first_lanes(left), in + 16 * i);
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(values, least), inverse));
  };
  // Packing works within lanes of 128 bits; the permutation puts these in order.
  const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(quarter(0), quarter(1)),
                                            _mm512_packs_epi32(quarter(2), quarter(3)));
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, bytes);
}

void quantize(const float* in, std::size_t rows, std::size_t ldi, std::size_t k,
              std::uint8_t* out, RowScale* scales) {
  for (std::size_t row = 0; row < rows; ++row, in += ldi) {
    const Range range = range_of(in, k);
    scales[row] = make_row_scale(range.least, range.greatest, range.damage);
    const __m512 least = _mm512_set1_ps(range.least);
    const __m512 inverse = _mm512_set1_ps(inverse_of(range.least, range.greatest));
    std::uint8_t* chunk = out + row * kChunkBytes;
    std::size_t i = 0;
    for (; i + 64 <= k; i += 64, chunk += rows * kChunkBytes) {
      _mm512_store_si512(chunk, quantize_chunk(in + i, 64, least, inverse));
    }
    if (i < k) _mm512_store_si512(chunk, quantize_chunk(in + i, k - i, least, inverse));
  }
}

}  // namespace

constexpr Int8Kernel kAvx512Int8 = make_int8_kernel<Int8Product>(
    {16 * kVectorsWide, 4}, quantize, activate_tile<Lanes>,
    std::make_index_sequence<kRowsHigh>());

}  // namespace bertfast::engine

BERTFAST_END_TARGET_REGION

#endif  // BERTFAST_X86
