// Every allocation of the engine fails, one by one, once and for good: while a model is
// made, and while it runs on one thread and on three. std::bad_alloc or the right
// result, nothing lost, and the model works afterwards.
#include <atomic>
#include <cstdint>
#include <cstdlib>
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

void release(void* memory) {
  if (memory != nullptr) --live;
  std::free(memory);
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

// Any numbers will do: there are as many as the largest matrix has.
const Floats& numbers() {
  static const Floats all = [] {
    Floats values;
    for (int i = 0; i < 64; ++i) values.push_back(static_cast<float>(i % 7) * 0.1f);
    return values;
  }();
  return all;
}

std::unique_ptr<Model> make_model(bool quantize) {
  const float* any = numbers().data();
  const NormWeights norm{any, any};
  DenseWeights dense;
  dense.weight = dense.bias = dense.smoothing = any;
  dense.quantize = quantize;
  auto model = std::make_unique<Model>(
      kShape, EmbeddingWeights{any, any, any, any, norm}, default_kernel());
  for (std::size_t layer = 0; layer < kShape.n_layers; ++layer)
    model->add_layer({dense, dense, norm, dense, dense, norm});
  model->set_pooler(dense);
  model->set_classifier(dense, 3);
  return model;
}

Floats predict(const Model& model, std::size_t n_threads, MemoryPool* pool) {
  static const std::vector<std::int32_t> ids(kTextCount * 8, 3);
  static const std::vector<std::int32_t> segments(kTextCount * 8, 1);
  static const std::vector<std::int64_t> offsets = [] {
    std::vector<std::int64_t> ends;
    for (std::size_t i = 0; i <= kTextCount; ++i)
      ends.push_back(static_cast<std::int64_t>(i) * 8);
    return ends;
  }();
  Floats out(kTextCount * 3);
  CHECK(run_texts(model, {ids.data(), segments.data(), offsets.data()}, kTextCount,
                  {Output::kProbabilities, 64, n_threads}, out.data(), pool, nullptr));
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
      CHECK(live == before);
      if (count < site) break;
      ++n_failures;
    }
  }
}

}  // namespace

int main() {
  for (const bool quantize : {false, true}) {
    const auto model = make_model(quantize);
    MemoryPool pool;
    const Floats expected = predict(*model, 1, &pool);
    test_every_site(
        [&] {
          make_model(quantize);
          return expected;
        },
        expected);
    for (const std::size_t n_threads : {1, 3}) {
      test_every_site(
          [&] {
            MemoryPool own;
            return predict(*model, n_threads, &own);
          },
          expected);
    }
    CHECK(predict(*model, 3, &pool) == expected);
  }
  std::printf("%zu allocations refused\n", n_failures);
  return bertfast_test::report("engine_allocation");
}
