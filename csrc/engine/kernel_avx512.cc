// Tiles of 14 rows by 32 columns for AVX-512: 28 registers of sums, two of weights, one
// of input.
#include <type_traits>
#include <utility>

#include "activation_table.h"
#include "kernels.h"
#include "target_region.h"

#ifdef BERTFAST_X86

BERTFAST_TARGET_REGION("avx512f,avx512bw,avx512dq,avx512vl,fma")

namespace bertfast::engine {
namespace {

#include "activate.h"
#include "lanes_avx512.h"
#include "tile.h"

constexpr std::size_t kVectorsWide = 2;
constexpr std::size_t kRowsHigh = 14;

struct FloatProduct {
  using Sum = __m512;
  using Weights = __m512;
  using Input = __m512;
  static constexpr std::size_t kVectors = kVectorsWide;
  static constexpr std::size_t kStepBytes = 64 * kVectors;

  static BERTFAST_INLINE Sum load(const float* at) { return _mm512_loadu_ps(at); }
  static BERTFAST_INLINE void store(float* at, Sum sum) { _mm512_storeu_ps(at, sum); }
  static BERTFAST_INLINE Weights weights(const std::uint8_t* panel, std::size_t v) {
    return _mm512_load_ps(panel + 64 * v);
  }
  static BERTFAST_INLINE Input input(const std::uint8_t* at) {
    return _mm512_set1_ps(*reinterpret_cast<const float*>(at));
  }
  static BERTFAST_INLINE Sum multiply_add(Input x, Weights w, Sum sum) {
    return _mm512_fmadd_ps(x, w, sum);
  }
};

}  // namespace

constexpr FloatKernel kAvx512Float = make_float_kernel<FloatProduct>(
    16 * kVectorsWide, activate_tile<Lanes>, std::make_index_sequence<kRowsHigh>());

}  // namespace bertfast::engine

BERTFAST_END_TARGET_REGION

#endif  // BERTFAST_X86
