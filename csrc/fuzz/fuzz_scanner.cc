// Every kernel's edges of chunks against the definition, canaries behind their room.
//
// Input: the bytes of a window.
#include "bertfast/scanner.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  using bertfast::kScanBlock;
  const std::size_t n = std::min<std::size_t>(size, 65535);
  const std::size_t blocks = (n + kScanBlock - 1) / kScanBlock * kScanBlock;
  const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[blocks]);
  std::copy_n(data, n, bytes.get());
  std::fill(bytes.get() + n, bytes.get() + blocks, ' ');

  std::vector<std::uint16_t> expected;
  expected.reserve(n + 1);
  bool before = true;
  for (std::size_t i = 0; i <= n; ++i) {
    const bool space = i == n || bertfast::is_ascii_space(bytes[i]);
    if (space != before) expected.push_back(static_cast<std::uint16_t>(i));
    before = space;
  }
  const bertfast::ScannerKernel* kernels;
  const std::size_t n_kernels = bertfast::available_kernels(&kernels);
  for (std::size_t k = 0; k < n_kernels; ++k) {
    Guarded<std::uint16_t> edges(n + 1 + kScanBlock, 0);
    const std::size_t count = kernels[k].find_edges(bytes.get(), n, edges.data());
    REQUIRE(count == expected.size());
    REQUIRE(std::equal(expected.begin(), expected.end(), edges.data()));
  }
  return 0;
}
