#include "bertfast/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace bertfast {

void ask_for_huge_pages(void* memory, std::size_t n_bytes) {
#ifdef MADV_HUGEPAGE
  // From the page's beginning on, where malloc keeps its header: a mapping of which
  // only a part were advised would be two, and realloc would copy it instead of moving
  // it.
  constexpr std::uintptr_t kPage = 4096;
  const std::uintptr_t before = reinterpret_cast<std::uintptr_t>(memory) % kPage;
  madvise(static_cast<char*>(memory) - before, n_bytes + before, MADV_HUGEPAGE);
#else
  static_cast<void>(memory);
  static_cast<void>(n_bytes);
#endif
}

}  // namespace bertfast
