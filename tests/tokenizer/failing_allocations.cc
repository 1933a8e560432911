// Preloaded by test_allocation.py: allocations that bertfast's compiled part asks for
// fail on demand; those of all others are left alone.
#include <dlfcn.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<std::int64_t> count{0};
std::atomic<std::int64_t> failing{0};
std::atomic<bool> for_good{false};

template <class Function>
Function next_symbol(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool is_ours(void* return_address) {
  Dl_info info;
  return dladdr(return_address, &info) != 0 && info.dli_fname != nullptr &&
         std::strstr(info.dli_fname, "bertfast/_native") != nullptr;
}

bool fails(void* return_address) {
  if (failing == 0 || !is_ours(return_address)) return false;
  const std::int64_t number = ++count;
  return number == failing || (for_good && number > failing);
}

void* allocate(std::size_t n_bytes, void* return_address) {
  void* memory = fails(return_address) ? nullptr : std::malloc(n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

extern "C" {

// Lets allocation `number`, from 1, fail, and the later ones, too, if `good`; 0 ends it.
// Returns how many there have been since the last call.
__attribute__((visibility("default"))) std::int64_t fail_allocation(std::int64_t number,
                                                                    int good) {
  failing = 0;
  const std::int64_t counted = count.exchange(0);
  for_good = good != 0;
  failing = number;
  return counted;
}

void* realloc(void* memory, std::size_t n_bytes) {
  static const auto next = next_symbol<void* (*)(void*, std::size_t)>("realloc");
  return fails(__builtin_return_address(0)) ? nullptr : next(memory, n_bytes);
}

void* mmap(void* at, std::size_t n_bytes, int protection, int flags, int file,
           off_t offset) {
  using Map = void* (*)(void*, std::size_t, int, int, int, off_t);
  static const auto next = next_symbol<Map>("mmap");
  if (!fails(__builtin_return_address(0)))
    return next(at, n_bytes, protection, flags, file, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

}  // extern "C"

void* operator new(std::size_t n_bytes) {
  return allocate(n_bytes, __builtin_return_address(0));
}
void* operator new[](std::size_t n_bytes) {
  return allocate(n_bytes, __builtin_return_address(0));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
