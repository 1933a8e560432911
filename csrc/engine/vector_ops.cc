#include "bertfast/engine/vector_ops.h"

#include <cmath>
#include <cstring>
#include <utility>

// A shuffle of two registers by constants, and registers of 512 bits, as each compiler
// spells them.
#ifdef __clang__
#define BERTFAST_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define BERTFAST_AVX512                                                 \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"), \
                 min_vector_width(512)))
#else
#define BERTFAST_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Ints{__VA_ARGS__})
#define BERTFAST_AVX512 \
  __attribute__((       \
      target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
// Registers are passed between functions of the same target alone.
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace bertfast::engine {

namespace portable {
#define BERTFAST_LANES 4
#define BERTFAST_TARGET
#include "vector_kernels.h"
#undef BERTFAST_TARGET
#undef BERTFAST_LANES
}  // namespace portable

#if defined(__x86_64__) && defined(__GNUC__)

namespace avx2 {
#define BERTFAST_LANES 8
#define BERTFAST_TARGET __attribute__((target("avx2,fma")))
#include "vector_kernels.h"
#undef BERTFAST_TARGET
#undef BERTFAST_LANES
}  // namespace avx2

namespace avx512 {
#define BERTFAST_LANES 16
#define BERTFAST_TARGET BERTFAST_AVX512
#include "vector_kernels.h"
#undef BERTFAST_TARGET
#undef BERTFAST_LANES
}  // namespace avx512

const VectorOps& vector_ops(Kernel kernel) {
  switch (kernel) {
    case Kernel::kAvx512:
      return avx512::kOps;
    case Kernel::kAvx2:
      return avx2::kOps;
    default:
      return portable::kOps;
  }
}

#else

const VectorOps& vector_ops(Kernel) { return portable::kOps; }

#endif

}  // namespace bertfast::engine
