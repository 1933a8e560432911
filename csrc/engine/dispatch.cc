#include <cstdlib>
#include <cstring>

#include "kernels.h"
#include "target_region.h"

namespace bertfast::engine {
namespace {

constexpr Kernel kAllKernels[] = {Kernel::kPortable, Kernel::kAvx2, Kernel::kAvx512};

#ifdef BERTFAST_X86
bool cpu_has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool cpu_has_avx512() {
  return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

bool cpu_has_vnni() { return __builtin_cpu_supports("avx512vnni"); }
#endif

Kernel choose_kernel() {
  const char* wanted = std::getenv("BERTFAST_KERNEL");
  Kernel best = Kernel::kPortable;
  for (const Kernel kernel : kAllKernels) {
    if (!is_supported(kernel)) continue;
    if (wanted != nullptr && std::strcmp(wanted, kernel_name(kernel)) == 0) {
      return kernel;
    }
    best = kernel;
  }
  return best;
}

}  // namespace

bool is_supported(Kernel kernel) {
#ifdef BERTFAST_X86
  __builtin_cpu_init();
  if (kernel == Kernel::kAvx2) return cpu_has_avx2();
  if (kernel == Kernel::kAvx512) return cpu_has_avx512();
#endif
  return kernel == Kernel::kPortable;
}

Kernel default_kernel() {
  static const Kernel kernel = choose_kernel();
  return kernel;
}

const char* kernel_name(Kernel kernel) {
  switch (kernel) {
    case Kernel::kAvx2:
      return "avx2";
    case Kernel::kAvx512:
      return "avx512";
    default:
      return "portable";
  }
}

const FloatKernel* float_kernel(Kernel kernel) {
  if (!is_supported(kernel)) return nullptr;
#ifdef BERTFAST_X86
  if (kernel == Kernel::kAvx2) return &kAvx2Float;
  if (kernel == Kernel::kAvx512) return &kAvx512Float;
#endif
  return &kPortableFloat;
}

const Int8Kernel* int8_kernel(Kernel kernel) {
  if (!is_supported(kernel)) return nullptr;
#ifdef BERTFAST_X86
  if (kernel == Kernel::kAvx512 && cpu_has_vnni()) return &kAvx512Int8;
  if (kernel != Kernel::kPortable) return &kAvx2Int8;
#endif
  return &kPortableInt8;
}

}  // namespace bertfast::engine
