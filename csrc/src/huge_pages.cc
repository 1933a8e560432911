#include "bertfast/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace bertfast {

void ask_for_huge_pages(void* memory, std::size_t n_bytes) {
#ifdef MADV_HUGEPAGE
  constexpr std::uintptr_t kPage = 4096;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t skipped = (kPage - address % kPage) % kPage;
  if (n_bytes > skipped) {
    madvise(static_cast<char*>(memory) + skipped, n_bytes - skipped, MADV_HUGEPAGE);
  }
#else
  static_cast<void>(memory);
  static_cast<void>(n_bytes);
#endif
}

}  // namespace bertfast
