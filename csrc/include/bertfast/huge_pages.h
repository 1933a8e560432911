// Large memory in huge pages.
#ifndef BERTFAST_HUGE_PAGES_H_
#define BERTFAST_HUGE_PAGES_H_

#include <cstddef>

namespace bertfast {

// Below this huge pages are not worth the asking; numpy draws the line there, too.
constexpr std::size_t kMinHugeBytes = std::size_t{4} << 20;

// Asks for huge pages in [memory, memory + n_bytes), which must be mapped, where the
// system gives them: the first touch of a page costs 0.5 us and more, which for results
// of many small pages is a quarter of the time that they take. Never fails.
void ask_for_huge_pages(void* memory, std::size_t n_bytes);

}  // namespace bertfast

#endif  // BERTFAST_HUGE_PAGES_H_
