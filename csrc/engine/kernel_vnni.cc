// int8 tiles of 14 rows by 32 columns for AVX-512 with VNNI, whose one instruction adds
// four products of an unsigned and a signed byte to a sum of 32 bits, exactly. The rows
// are therefore offset by 128, and 128 times the sum of each column of weights is taken
// away at the start.
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

  static BERTFAST_INLINE Sum load_sums(const std::int32_t* at) {
    return _mm512_loadu_si512(at);
  }
  static BERTFAST_INLINE void store_scaled(Sum sum, float row_scale,
                                           const float* column_scale, const float* bias,
                                           float* out) {
    const __m512 scaled =
        _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(row_scale));
    _mm512_storeu_ps(out, _mm512_fmadd_ps(scaled, _mm512_loadu_ps(column_scale),
                                          _mm512_loadu_ps(bias)));
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

// The bits of non-negative floats, NaN included, are ordered as the floats are.
float absolute_maximum(const float* row, std::size_t k) {
  const __m512i without_sign = _mm512_set1_epi32(0x7fffffff);
  __m512i largest = _mm512_setzero_si512(), other = largest;
  std::size_t i = 0;
  for (; i + 32 <= k; i += 32) {
    largest = _mm512_max_epi32(
        largest, _mm512_and_si512(_mm512_loadu_si512(row + i), without_sign));
    other = _mm512_max_epi32(
        other, _mm512_and_si512(_mm512_loadu_si512(row + i + 16), without_sign));
  }
  for (; i < k; i += 16) {
    const __m512i bits = _mm512_maskz_loadu_epi32(first_lanes(k - i), row + i);
    largest = _mm512_max_epi32(largest, _mm512_and_si512(bits, without_sign));
  }
  const std::int32_t bits = _mm512_reduce_max_epi32(_mm512_max_epi32(largest, other));
  float maximum;
  std::memcpy(&maximum, &bits, sizeof maximum);
  return maximum;
}

// 64 values, of which the first `count` are there, as bytes offset by 128.
BERTFAST_INLINE __m512i quantize_chunk(const float* in, std::size_t count,
                                       __m512 inverse) {
  const auto quarter = [&](std::size_t i) __attribute__((always_inline)) {
    const std::size_t left = count > 16 * i ? count - 16 * i : 0;
    const __m512 values = _mm512_maskz_loadu_ps(first_lanes(left), in + 16 * i);
    return _mm512_cvtps_epi32(_mm512_mul_ps(values, inverse));
  };
  // Packing works within lanes of 128 bits; the permutation puts these in order.
  const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(quarter(0), quarter(1)),
                                           _mm512_packs_epi32(quarter(2), quarter(3)));
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_xor_si512(_mm512_permutexvar_epi32(order, bytes),
                          _mm512_set1_epi8(static_cast<char>(0x80)));
}

void quantize(const float* in, std::size_t rows, std::size_t ldi, std::size_t k,
              std::uint8_t* out, float* row_scale) {
  for (std::size_t row = 0; row < rows; ++row, in += ldi) {
    const float maximum = absolute_maximum(in, k);
    const bool is_zero = maximum < kSmallestMaximum;
    row_scale[row] = is_zero ? 0.0f : maximum / 127.0f;
    const __m512 inverse = _mm512_set1_ps(is_zero ? 0.0f : 127.0f / maximum);
    std::uint8_t* chunk = out + row * kChunkBytes;
    std::size_t i = 0;
    for (; i + 64 <= k; i += 64, chunk += rows * kChunkBytes) {
      _mm512_store_si512(chunk, quantize_chunk(in + i, 64, inverse));
    }
    if (i < k) _mm512_store_si512(chunk, quantize_chunk(in + i, k - i, inverse));
  }
}

}  // namespace

constexpr Int8Kernel kAvx512Int8 = make_int8_kernel<Int8Product>(
    {16 * kVectorsWide, 4, 128}, quantize, activate_tile<Lanes>,
    std::make_index_sequence<kRowsHigh>());

}  // namespace bertfast::engine

BERTFAST_END_TARGET_REGION

#endif  // BERTFAST_X86
