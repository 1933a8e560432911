// A model whose weights and words are int8 in the file gives, bit by bit, what the one
// gives whose float32 weights are quantized here, if they are the same numbers. And
// what a model says of itself and refuses.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bertfast/engine/model.h"
#include "bertfast/engine/run.h"
#include "check.h"

namespace {

using namespace bertfast::engine;
using Floats = std::vector<float>;
using Bytes = std::vector<std::int8_t>;

constexpr ModelShape kShape{30, 16, 2, 24, 2, 3, 40, Activation::kGeluTanh, 1e-12f};
constexpr std::size_t kLabels = 3;
constexpr float kUnit = 0.03125f;  // a power of two: every product with it is exact

// int8 numbers, 127 in each column, and the float32 numbers that they stand for.
struct Matrix {
  Matrix(std::mt19937* random, std::size_t k, std::size_t n) : int8(k * n) {
    for (std::size_t i = 0; i < int8.size(); ++i) {
      int8[i] = static_cast<std::int8_t>(static_cast<int>((*random)() % 255) - 127);
      if (i < n) int8[i] = 127;
    }
    for (const std::int8_t value : int8)
      floats.push_back(static_cast<float>(value) * kUnit);
    scale.assign(std::max(k, n), kUnit);
  }
  Bytes int8;
  Floats floats, scale;
};

// All numbers of a model; both kinds of models point into them.
class Numbers {
 public:
  Numbers() {
    const std::size_t h = kShape.hidden, f = kShape.intermediate;
    for (const std::size_t rows :
         {kShape.vocab_size, kShape.n_positions, kShape.n_segments})
      tables_.push_back(std::make_unique<Matrix>(&random_, rows, h));
    for (std::size_t layer = 0; layer < kShape.n_layers; ++layer) {
      const std::size_t shapes[4][2] = {{h, 3 * h}, {h, h}, {h, f}, {f, h}};
      for (const auto& shape : shapes)
        dense_.push_back(std::make_unique<Matrix>(&random_, shape[0], shape[1]));
    }
    for (int i = 0; i < 400; ++i)
      small_.push_back(static_cast<float>(random_() % 100) * 0.01f);
  }

  std::unique_ptr<Model> make(Kernel kernel, bool from_int8, std::size_t n_layers,
                              bool has_heads) const {
    const NormWeights norm{small_.data(), small_.data() + kShape.hidden};
    const Matrix& words = *tables_[0];
    auto model = std::make_unique<Model>(
        kShape,
        EmbeddingWeights{from_int8 ? static_cast<const void*>(words.int8.data())
                                   : static_cast<const void*>(words.floats.data()),
                         from_int8 ? words.scale.data() : nullptr,
                         tables_[1]->floats.data(), tables_[2]->floats.data(), norm},
        kernel);
    for (std::size_t layer = 0; layer < n_layers; ++layer) {
      const auto weights = [&](std::size_t i) {
        return dense(*dense_[4 * layer + i], from_int8);
      };
      model->add_layer({weights(0), weights(1), norm, weights(2), weights(3), norm});
    }
    if (!has_heads) return model;
    model->set_pooler(dense(*dense_[1], from_int8));
    DenseWeights classifier;
    classifier.weight = dense_[0]->floats.data();
    classifier.bias = small_.data();
    model->set_classifier(classifier, kLabels);
    return model;
  }

 private:
  DenseWeights dense(const Matrix& matrix, bool from_int8) const {
    DenseWeights weights;
    weights.bias = small_.data();
    if (from_int8) {
      weights.int8 = matrix.int8.data();
      weights.scale = matrix.scale.data();
    } else {
      weights.weight = matrix.floats.data();
      weights.quantize = true;
    }
    return weights;
  }

  std::mt19937 random_{11};
  std::vector<std::unique_ptr<Matrix>> tables_, dense_;
  Floats small_;
};

const std::int32_t kIds[] = {0, 29, 3, 4, 5, 6, 7, 8, 1, 2};
const std::int32_t kSegments[] = {0, 0, 1, 0, 0, 1, 1, 0, 1, 0};
const std::int64_t kOffsets[] = {0, 1, 7, 10};
constexpr Texts kTexts{kIds, kSegments, kOffsets};
constexpr std::size_t kTextCount = 3;

Floats predict(const Model& model, Output output) {
  const std::size_t rows = output == Output::kSequence ? 10 : kTextCount;
  Floats out(rows * model.width(output));
  MemoryPool pool;
  CHECK(
      run_texts(model, kTexts, kTextCount, {output, 8, 1}, out.data(), &pool, nullptr));
  return out;
}

void test_given_int8_equals_made_int8(const Numbers& numbers, Kernel kernel) {
  const auto given = numbers.make(kernel, true, kShape.n_layers, true);
  const auto made = numbers.make(kernel, false, kShape.n_layers, true);
  CHECK(given->n_bytes() == made->n_bytes());
  CHECK(given->n_bytes() > 2 * (24 * 72 + 24 * 24 + 2 * 24 * 40));
  for (const Output output : {Output::kPooled, Output::kSequence, Output::kMean,
                              Output::kLogits, Output::kProbabilities}) {
    const Floats values = predict(*given, output);
    CHECK(!values.empty());
    CHECK(values == predict(*made, output));
  }
}

std::string refusal(const Model& model, const Texts& texts, std::size_t n_texts,
                    Output output) {
  try {
    model.check(texts, n_texts, output);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

void test_what_is_not_there_is_refused(const Numbers& numbers) {
  const Kernel kernel = default_kernel();
  const auto half = numbers.make(kernel, true, kShape.n_layers - 1, false);
  CHECK(half->n_bytes() > 0);
  CHECK(refusal(*half, kTexts, kTextCount, Output::kMean) == "layers are missing");
  const auto headless = numbers.make(kernel, false, kShape.n_layers, false);
  for (const Output output :
       {Output::kPooled, Output::kLogits, Output::kProbabilities}) {
    CHECK(headless->width(output) == 0);
    CHECK(refusal(*headless, kTexts, kTextCount, output) ==
          "the model lacks this output");
  }
  CHECK(headless->width(Output::kMean) == kShape.hidden);
  CHECK(refusal(*headless, kTexts, kTextCount, Output::kMean).empty());
  const std::int64_t falling[] = {0, 5, 3, 10};
  CHECK(refusal(*headless, {kIds, kSegments, falling}, 3, Output::kMean) ==
        "row 1 has -2 tokens; positions go to 16");
  MemoryPool pool;
  CHECK(
      run_texts(*headless, kTexts, 0, {Output::kMean, 8, 2}, nullptr, &pool, nullptr));
}

// More memories given back than are kept: the others are freed.
void test_pool_keeps_so_many_and_no_more() {
  MemoryPool pool;
  std::vector<std::unique_ptr<ForwardMemory>> taken;
  for (int i = 0; i < 70; ++i) taken.push_back(pool.take());
  for (auto& memory : taken) pool.give_back(std::move(memory));
  CHECK(pool.take() != nullptr);
}

// No CPU has a kernel of this number.
void test_an_unknown_kernel_is_refused() {
  const auto unknown = static_cast<Kernel>(3);
  CHECK(!is_supported(unknown));
  const float weight = 1.0f;
  const std::int8_t int8 = 1;
  const auto is_refused = [](auto make) {
    try {
      make();
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  CHECK(is_refused([&] { Linear::from_float(&weight, nullptr, 1, 1, unknown); }));
  CHECK(is_refused([&] { Linear::from_int8(&int8, &weight, nullptr, 1, 1, unknown); }));
}

void test_more_memory_than_there_is_is_refused() {
  Workspace workspace;
  bool is_refused = false;
  try {
    workspace.reserve(static_cast<std::size_t>(-1) - 64);
  } catch (const std::bad_alloc&) {
    is_refused = true;
  }
  CHECK(is_refused);
  CHECK(workspace.reserve(100) != nullptr);
}

}  // namespace

int main() {
  const Numbers numbers;
  for (const Kernel kernel : {Kernel::kPortable, Kernel::kAvx2, Kernel::kAvx512}) {
    if (is_supported(kernel)) test_given_int8_equals_made_int8(numbers, kernel);
  }
  test_what_is_not_there_is_refused(numbers);
  test_pool_keeps_so_many_and_no_more();
  test_an_unknown_kernel_is_refused();
  test_more_memory_than_there_is_is_refused();
  return bertfast_test::report("engine_int8");
}
