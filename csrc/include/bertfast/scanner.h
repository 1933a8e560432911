// Finds the chunks between ASCII whitespace, a block of 64 bytes at a time.
//
// A block becomes a bitmask of its whitespace; a bit that differs from the one before
// it is where a chunk begins or ends, by turns:
//
//   bytes     "The cat  sat"
//   space      000100011000
//   edges      1001100010100...   -> 0,3 4,7 9,12
//
// Source of the idea: Langdale and Lemire, "Parsing gigabytes of JSON per second"
// (2019).
#ifndef BERTFAST_SCANNER_H_
#define BERTFAST_SCANNER_H_

#include <cstddef>
#include <cstdint>

namespace bertfast {

constexpr std::size_t kScanBlock = 64;

// Stores the edges of all chunks in bytes[0, n), begin and end by turns, and returns
// their number, an even one. n is at most 65,535 and a chunk may end at n. bytes[n,
// next multiple of 64) must be spaces; `edges` has room for n + 1 + kScanBlock numbers.
using FindEdges = std::size_t (*)(const std::uint8_t* bytes, std::size_t n,
                                  std::uint16_t* edges);

// An implementation for one instruction set; every one gives the same edges.
struct ScannerKernel {
  const char* name;
  FindEdges find_edges;
};

// The best kernel for this processor. The environment variable BERTFAST_KERNEL, read
// once, forces one by name: "portable", "avx2", "avx512"; one that cannot run here is
// ignored.
const ScannerKernel& scanner_kernel();

// Every kernel that this processor can run, for tests; the portable one is first.
std::size_t available_kernels(const ScannerKernel** kernels);

}  // namespace bertfast

#endif  // BERTFAST_SCANNER_H_
