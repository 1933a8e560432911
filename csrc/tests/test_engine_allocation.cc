// Every allocation of the engine fails, one by one, once and for good: while a model is
// made, and while it runs on one thread and on three, also three on one batch.
// std::bad_alloc or the right result, nothing lost, and the model works afterwards.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "bertfast/engine/model.h"
#include "bertfast/engine/run.h"
#include "check.h"

namespace {

// What fails: the allocation with this number, from 1, and the later ones if for good.
std::atomic<std::int64_t> count{0};
std::atomic<std::int64_t> failing{0};
std::atomic<bool> for_good{false};
std::atomic<std::int64_t> live{0};  // allocations that have not been freed

void* allocate(std::size_t n_bytes, std::size_t alignment) {
  const std::int64_t number = ++count;
  const std::int64_t wanted = failing;
  if (wanted > 0 && (number == wanted || (for_good && number > wanted)))
    throw std::bad_alloc();
  void* memory =
      alignment == 0 ? std::malloc(n_bytes) : std::aligned_alloc(alignment, n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  ++live;
  return memory;
}

// Large memory is freed after a run and not within it, to see whether it was written to
// in between: a thread may give up while others of its team are at work.
struct Freed {
  std::uint8_t* memory;
  std::size_t n_bytes;
};
constexpr std::size_t kLarge = 64 << 10;
constexpr std::uint8_t kFreedByte = 0xDB;
constexpr std::size_t kMaxFreed = 64;
Freed freed[kMaxFreed];
std::atomic<std::size_t> n_freed{0};

void release(void* memory) {
  if (memory != nullptr) --live;
  const std::size_t n_bytes = memory == nullptr ? 0 : malloc_usable_size(memory);
  const std::size_t place = failing > 0 && n_bytes >= kLarge ? n_freed++ : kMaxFreed;
  if (place >= kMaxFreed) return std::free(memory);
  std::memset(memory, kFreedByte, n_bytes);
  freed[place] = {static_cast<std::uint8_t*>(memory), n_bytes};
}

// Frees what a run has freed; false if any of it was written to.
bool free_for_good() {
  bool is_whole = true;
  for (std::size_t i = 0; i < std::min<std::size_t>(n_freed, kMaxFreed); ++i) {
    std::uint8_t* end = freed[i].memory + freed[i].n_bytes;
    is_whole &= std::count(freed[i].memory, end, kFreedByte) == end - freed[i].memory;
    std::free(freed[i].memory);
  }
  n_freed = 0;
  return is_whole;
}

}  // namespace

// The engine asks for whole multiples of its alignment.
void* operator new(std::size_t n) { return allocate(n, 0); }
void* operator new(std::size_t n, std::align_val_t alignment) {
  return allocate(n, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}

namespace {

using namespace bertfast::engine;
using Floats = std::vector<float>;

constexpr ModelShape kShape{5, 8, 2, 4, 2, 2, 6, Activation::kRelu, 1e-12f};
constexpr std::size_t kTextCount = 40;
// Large enough for the members of a team to be at work while one of them gives up.
constexpr ModelShape kTeamShape{5, 256, 2, 128, 1, 4, 4096, Activation::kRelu, 1e-12f};

struct Size {
  ModelShape shape;
  std::size_t n_texts;
  std::size_t n_workers;
};
constexpr Size kSmall{kShape, kTextCount, 0};
constexpr Size kTeam{kTeamShape, 1, 1};

// Any numbers will do: there are as many as the largest matrix has.
const Floats& numbers() {
  static const Floats all = [] {
    Floats values;
    for (int i = 0; i < 128 * 4096; ++i)
      values.push_back(static_cast<float>(i % 7) * 0.1f);
    return values;
  }();
  return all;
}

std::unique_ptr<Model> make_model(const ModelShape& shape, bool quantize) {
  const float* any = numbers().data();
  const NormWeights norm{any, any};
  DenseWeights dense;
  dense.weight = dense.bias = dense.smoothing = any;
  dense.quantize = quantize;
  auto model = std::make_unique<Model>(
      shape, EmbeddingWeights{any, any, any, any, norm}, default_kernel());
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer)
    model->add_layer({dense, dense, norm, dense, dense, norm});
  model->set_pooler(dense);
  model->set_classifier(dense, 3);
  return model;
}

Floats predict(const Model& model, const Size& size, std::size_t n_threads,
               MemoryPool* pool) {
  const std::size_t length = size.shape.n_positions;
  const std::vector<std::int32_t> ids(size.n_texts * length, 3);
  const std::vector<std::int32_t> segments(ids.size(), 1);
  std::vector<std::int64_t> offsets;
  for (std::size_t i = 0; i <= size.n_texts; ++i)
    offsets.push_back(static_cast<std::int64_t>(i * length));
  Floats out(size.n_texts * 3);
  CHECK(run_texts(model, {ids.data(), segments.data(), offsets.data()}, size.n_texts,
                  {Output::kProbabilities, 64, n_threads, size.n_workers}, out.data(),
                  pool, nullptr));
  return out;
}

std::size_t n_failures = 0;

// Lets each allocation of `work` fail, which returns its result.
template <class Work>
void test_every_site(Work work, const Floats& expected) {
  for (const bool always : {false, true}) {
    for (std::int64_t site = 1;; ++site) {
      const std::int64_t before = live;
      for_good = always;
      count = 0;
      failing = site;
      bool is_right = true;
      try {
        is_right = work() == expected;
      } catch (const std::bad_alloc&) {
      }
      failing = 0;
      CHECK(is_right);
      CHECK(free_for_good());
      CHECK(live == before);
      if (count < site) break;
      ++n_failures;
    }
  }
}

}  // namespace

int main() {
  for (const bool quantize : {false, true}) {
    for (const Size& size : {kSmall, kTeam}) {
      const auto model = make_model(size.shape, quantize);
      MemoryPool pool;
      const Floats expected = predict(*model, size, 1, &pool);
      test_every_site(
          [&] {
            make_model(size.shape, quantize);
            return expected;
          },
          expected);
      for (const std::size_t n_threads : {1, 3}) {
        test_every_site(
            [&] {
              MemoryPool own;
              return predict(*model, size, n_threads, &own);
            },
            expected);
      }
      CHECK(predict(*model, size, 3, &pool) == expected);
    }
  }
  std::printf("%zu allocations refused\n", n_failures);
  return bertfast_test::report("engine_allocation");
}
