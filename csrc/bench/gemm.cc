// Times Linear at the shapes of MiniLM-L6 and BERT-base, beside what the core can do: a
// loop of fused multiply-adds in registers.
//
//   bench_gemm [m ...]     rows, 256 by default
//
// BERTFAST_KERNEL limits it to one kernel.
// Prints the best of many runs, in GFLOP/s (2 m k n operations), for each kernel that
// the CPU has; int8 counts its operations in the same way. The peak is measured anew
// before each row, since clocks change.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "../engine/target_region.h"
#include "bertfast/engine/linear.h"

namespace {

using bertfast::engine::Activation;
using bertfast::engine::Kernel;
using bertfast::engine::Linear;
using bertfast::engine::Workspace;

constexpr std::size_t kPeakRounds = 200000;

// CPU time of this thread: others may be at work beside it.
double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The best time of `run` over `budget` seconds and ten runs at least.
template <class Run>
double best_seconds(Run run, double budget) {
  double best = 1e9;
  const double begin = now();
  for (int i = 0; i < 10 || now() - begin < budget; ++i) {
    const double start = now();
    run();
    best = std::min(best, now() - start);
  }
  return best;
}

#ifdef BERTFAST_X86
// Ten independent chains: more than the latency times the units of any x86 CPU so far.
__attribute__((target("avx2,fma"))) void chains_avx2() {
  for (std::size_t i = 0; i < kPeakRounds; ++i) {
    __asm__ volatile(
        "vfmadd231ps %%ymm15, %%ymm15, %%ymm0\n vfmadd231ps %%ymm15, %%ymm15, %%ymm1\n"
        "vfmadd231ps %%ymm15, %%ymm15, %%ymm2\n vfmadd231ps %%ymm15, %%ymm15, %%ymm3\n"
        "vfmadd231ps %%ymm15, %%ymm15, %%ymm4\n vfmadd231ps %%ymm15, %%ymm15, %%ymm5\n"
        "vfmadd231ps %%ymm15, %%ymm15, %%ymm6\n vfmadd231ps %%ymm15, %%ymm15, %%ymm7\n"
        "vfmadd231ps %%ymm15, %%ymm15, %%ymm8\n vfmadd231ps %%ymm15, %%ymm15, "
        "%%ymm9\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
              "xmm9");
  }
}

__attribute__((target("avx512f"))) void chains_avx512() {
  for (std::size_t i = 0; i < kPeakRounds; ++i) {
    __asm__ volatile(
        "vfmadd231ps %%zmm15, %%zmm15, %%zmm0\n vfmadd231ps %%zmm15, %%zmm15, %%zmm1\n"
        "vfmadd231ps %%zmm15, %%zmm15, %%zmm2\n vfmadd231ps %%zmm15, %%zmm15, %%zmm3\n"
        "vfmadd231ps %%zmm15, %%zmm15, %%zmm4\n vfmadd231ps %%zmm15, %%zmm15, %%zmm5\n"
        "vfmadd231ps %%zmm15, %%zmm15, %%zmm6\n vfmadd231ps %%zmm15, %%zmm15, %%zmm7\n"
        "vfmadd231ps %%zmm15, %%zmm15, %%zmm8\n vfmadd231ps %%zmm15, %%zmm15, "
        "%%zmm9\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
              "xmm9");
  }
}
#endif

// GFLOP/s of multiply-adds in registers; 0 where this program has no such loop.
double peak(Kernel kernel) {
#ifdef BERTFAST_X86
  // Zeros: what the registers hold does not matter but for NaN and tiny values.
  __asm__ volatile("vzeroall" ::: "memory");
  if (kernel == Kernel::kAvx2) {
    return 2e-9 * 8 * 10 * kPeakRounds / best_seconds(chains_avx2, 0.02);
  }
  if (kernel == Kernel::kAvx512) {
    return 2e-9 * 16 * 10 * kPeakRounds / best_seconds(chains_avx512, 0.02);
  }
#endif
  (void)kernel;
  return 0;
}

std::vector<float> random_floats(std::size_t count, float deviation) {
  static std::mt19937 random(1);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Shape {
  std::size_t k, n;
  Activation activation;
};

void measure(std::size_t m, const Shape& shape, Kernel kernel) {
  const auto weight = random_floats(shape.k * shape.n, 0.05f);
  const auto bias = random_floats(shape.n, 0.1f);
  const auto in = random_floats(m * shape.k, 1.0f);
  // On a cache line's edge, as the engine's buffers are.
  Workspace out_memory;
  auto* out = static_cast<float*>(out_memory.reserve(m * shape.n * sizeof(float)));
  Workspace workspace;
  const auto gflops = [&](const Linear& linear) {
    const double seconds = best_seconds(
        [&] {
          linear.apply(in.data(), m, shape.k, shape.activation, out, shape.n,
                       workspace);
        },
        0.3);
    return 2e-9 * static_cast<double>(m * shape.k * shape.n) / seconds;
  };
  const double best = peak(kernel);
  const double fp32 =
      gflops(Linear::from_float(weight.data(), bias.data(), shape.k, shape.n, kernel));
  const double int8 =
      gflops(Linear::quantize(weight.data(), bias.data(), shape.k, shape.n, kernel));
  std::printf("%-9s %5zu %5zu %5zu %-5s %8.1f %8.1f", kernel_name(kernel), m, shape.k,
              shape.n, shape.activation == Activation::kIdentity ? "" : "gelu", fp32,
              int8);
  if (best > 0) std::printf(" %8.1f %6.1f%%", best, 100 * fp32 / best);
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::size_t> rows;
  for (int i = 1; i < argc; ++i) rows.push_back(std::strtoul(argv[i], nullptr, 10));
  if (rows.empty()) rows.push_back(256);
  const Shape shapes[] = {
      {384, 1152, Activation::kIdentity}, {384, 384, Activation::kIdentity},
      {384, 1536, Activation::kGeluErf},  {1536, 384, Activation::kIdentity},
      {768, 2304, Activation::kIdentity}, {768, 768, Activation::kIdentity},
      {768, 3072, Activation::kGeluErf},  {3072, 768, Activation::kIdentity},
  };
  std::printf(
      "kernel        m     k     n           fp32     int8     peak   fp32 of it\n");
  for (const Kernel kernel : {Kernel::kAvx512, Kernel::kAvx2, Kernel::kPortable}) {
    if (!is_supported(kernel)) continue;
    if (std::getenv("BERTFAST_KERNEL") && kernel != bertfast::engine::default_kernel())
      continue;
    for (const std::size_t m : rows) {
      for (const Shape& shape : shapes) measure(m, shape, kernel);
    }
  }
  return 0;
}
