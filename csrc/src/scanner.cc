#include "bertfast/scanner.h"

#include <cstdlib>
#include <cstring>

#include "bertfast/text.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define BERTFAST_X86 1
// GCC 12 warns of its own headers (bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace bertfast {
namespace {

std::uint64_t space_mask_portable(const std::uint8_t* block) {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kScanBlock; ++i) {
    mask |= static_cast<std::uint64_t>(is_ascii_space(block[i])) << i;
  }
  return mask;
}

// Stores base + the positions of the bits of `mask`, up to 7 beyond them, in groups of
// eight so that the loop's end is the only branch; returns how many bits there are.
inline std::size_t store_bits(std::uint64_t mask, std::size_t base,
                              std::uint16_t* out) {
  const auto count = static_cast<std::size_t>(__builtin_popcountll(mask));
  for (std::size_t done = 0; done < count; done += 8) {
    for (std::size_t i = 0; i < 8; ++i) {
      // The or keeps the argument from being 0 past the last bit.
      out[done + i] = static_cast<std::uint16_t>(
          base + static_cast<std::size_t>(__builtin_ctzll(mask | 1ull << 63)));
      mask &= mask - 1;
    }
  }
  return count;
}

// `space` holds the whitespace before this block in its bit 0, and is kept up to date.
inline std::uint64_t edge_mask(std::uint64_t mask, std::uint64_t* before) {
  const std::uint64_t edges = mask ^ (mask << 1 | *before);
  *before = mask >> 63;
  return edges;
}

// A last chunk that fills its block to the end has no whitespace behind it.
inline std::size_t close_last(std::size_t count, std::size_t n, std::uint16_t* edges) {
  if (count % 2 != 0) edges[count++] = static_cast<std::uint16_t>(n);
  return count;
}

std::size_t find_edges_portable(const std::uint8_t* bytes, std::size_t n,
                                std::uint16_t* edges) {
  std::uint64_t before = 1;
  std::size_t count = 0;
  for (std::size_t at = 0; at < n; at += kScanBlock) {
    const std::uint64_t mask = edge_mask(space_mask_portable(bytes + at), &before);
    count += store_bits(mask, at, edges + count);
  }
  return close_last(count, n, edges);
}

#ifdef BERTFAST_X86

// A byte is whitespace if the table, looked up by its low four bits, gives it back.
// Bytes from 0x80 look up 0, which none of them is.
#define BERTFAST_SPACE_TABLE ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0

__attribute__((target("avx2"))) inline std::uint64_t space_mask_avx2(
    const std::uint8_t* block) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(BERTFAST_SPACE_TABLE));
  const auto half = [&](const std::uint8_t* at) __attribute__((target("avx2"))) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i found = _mm256_cmpeq_epi8(bytes, _mm256_shuffle_epi8(table, bytes));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(found));
  };
  return half(block) | static_cast<std::uint64_t>(half(block + 32)) << 32;
}

__attribute__((target("avx2,bmi,popcnt"))) std::size_t find_edges_avx2(
    const std::uint8_t* bytes, std::size_t n, std::uint16_t* edges) {
  std::uint64_t before = 1;
  std::size_t count = 0;
  for (std::size_t at = 0; at < n; at += kScanBlock) {
    const std::uint64_t mask = edge_mask(space_mask_avx2(bytes + at), &before);
    count += store_bits(mask, at, edges + count);
  }
  return close_last(count, n, edges);
}

// One compressed store of the byte numbers in place of a loop over the bits.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,popcnt"))) std::size_t
find_edges_avx512(const std::uint8_t* bytes, std::size_t n, std::uint16_t* edges) {
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(BERTFAST_SPACE_TABLE));
  std::uint8_t numbers[kScanBlock];
  for (std::size_t i = 0; i < kScanBlock; ++i)
    numbers[i] = static_cast<std::uint8_t>(i);
  const __m512i iota = _mm512_loadu_si512(numbers);
  std::uint64_t before = 1;
  std::size_t count = 0;
  for (std::size_t at = 0; at < n; at += kScanBlock) {
    const __m512i block = _mm512_loadu_si512(bytes + at);
    const std::uint64_t space =
        _mm512_cmpeq_epi8_mask(block, _mm512_shuffle_epi8(table, block));
    const std::uint64_t mask = edge_mask(space, &before);
    const __m512i packed = _mm512_maskz_compress_epi8(mask, iota);
    const __m512i base = _mm512_set1_epi16(static_cast<short>(at));
    const __m512i low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(packed));
    _mm512_storeu_si512(edges + count, _mm512_add_epi16(base, low));
    const auto in_block = static_cast<std::size_t>(__builtin_popcountll(mask));
    if (in_block > 32) {
      const __m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(packed, 1));
      _mm512_storeu_si512(edges + count + 32, _mm512_add_epi16(base, high));
    }
    count += in_block;
  }
  return close_last(count, n, edges);
}

#endif  // BERTFAST_X86

struct KernelList {
  ScannerKernel kernels[3];
  std::size_t count;
};

KernelList list_kernels() {
  KernelList list{{{"portable", find_edges_portable}}, 1};
#ifdef BERTFAST_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) {
    list.kernels[list.count++] = {"avx2", find_edges_avx2};
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi2")) {
      list.kernels[list.count++] = {"avx512", find_edges_avx512};
    }
  }
#endif
  return list;
}

const KernelList& kernel_list() {
  static const KernelList list = list_kernels();
  return list;
}

const ScannerKernel& choose_kernel() {
  const KernelList& list = kernel_list();
  const char* wanted = std::getenv("BERTFAST_KERNEL");
  for (std::size_t i = 0; wanted != nullptr && i < list.count; ++i) {
    if (std::strcmp(wanted, list.kernels[i].name) == 0) return list.kernels[i];
  }
  return list.kernels[list.count - 1];
}

}  // namespace

const ScannerKernel& scanner_kernel() {
  static const ScannerKernel& kernel = choose_kernel();
  return kernel;
}

std::size_t available_kernels(const ScannerKernel** kernels) {
  *kernels = kernel_list().kernels;
  return kernel_list().count;
}

}  // namespace bertfast
