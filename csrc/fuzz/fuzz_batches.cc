// Whole models on every kernel of this CPU: texts that there are give, in any batches
// and on any threads, the bits that each gives alone; other ids, segments, lengths and
// offsets are refused. Canaries round the output.
//
// Input: kernel and precision, output, token budget, threads, then for each text its
// length and its tokens; what is no token of the model comes up now and then.
#include <stdexcept>

#include "bertfast/engine/model.h"
#include "bertfast/engine/run.h"
#include "fuzz_engine.h"

namespace bertfast_fuzz {
namespace {

using bertfast::engine::DenseWeights;
using bertfast::engine::EmbeddingWeights;
using bertfast::engine::ForwardMemory;
using bertfast::engine::MemoryPool;
using bertfast::engine::Model;
using bertfast::engine::ModelShape;
using bertfast::engine::NormWeights;
using bertfast::engine::Output;
using bertfast::engine::RunOptions;
using bertfast::engine::Texts;

constexpr Output kOutputs[] = {Output::kPooled, Output::kSequence, Output::kMean,
                               Output::kLogits, Output::kProbabilities};
constexpr ModelShape kShape{20, 12, 2, 12, 2, 3, 22, Activation::kGeluErf, 1e-12f};
constexpr std::size_t kLabels = 3;
constexpr float kUnset = -12345.5f;

// A model and the numbers that it is made of.
class SmallModel {
 public:
  SmallModel(Kernel kernel, bool quantize, bool has_heads) : quantize_(quantize) {
    const std::size_t h = kShape.hidden;
    const std::size_t f = kShape.intermediate;
    const EmbeddingWeights tables{floats(kShape.vocab_size * h), nullptr,
                                  floats(kShape.n_positions * h),
                                  floats(kShape.n_segments * h), norm()};
    model = std::make_unique<Model>(kShape, tables, kernel);
    for (std::size_t layer = 0; layer < kShape.n_layers; ++layer)
      model->add_layer(
          {dense(h, 3 * h), dense(h, h), norm(), dense(h, f), dense(f, h), norm()});
    if (!has_heads) return;
    model->set_pooler(dense(h, h));
    model->set_classifier(dense(h, kLabels), kLabels);
  }

  std::unique_ptr<Model> model;
  MemoryPool pool;

 private:
  const float* floats(std::size_t n) {
    owned_.push_back(numbers_.floats(n, 0.0078125f));
    return owned_.back().data();
  }
  NormWeights norm() { return {floats(kShape.hidden), floats(kShape.hidden)}; }
  DenseWeights dense(std::size_t k, std::size_t n) {
    const float* weight = floats(k * n);
    const float* smoothing = k == kShape.hidden && quantize_ ? floats(k) : nullptr;
    return {weight, nullptr, nullptr, floats(n), quantize_, smoothing};
  }

  const bool quantize_;
  Input nothing_{nullptr, 0};
  Numbers numbers_{&nothing_};
  std::vector<Exact<float>> owned_;
};

// One for each kernel, precision, and with and without heads; kept.
SmallModel* shared_model(std::size_t number) {
  static std::unique_ptr<SmallModel> made[12];
  const Kernel kernel = kKernels[number % 3];
  if (!bertfast::engine::is_supported(kernel)) return nullptr;
  auto& model = made[number % 12];
  if (model == nullptr)
    model =
        std::make_unique<SmallModel>(kernel, number / 3 % 2 == 1, number / 6 % 2 == 0);
  return model.get();
}

struct Given {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> segments;
  std::vector<std::int64_t> offsets{0};
  bool is_good = true;

  Texts view() const { return {ids.data(), segments.data(), offsets.data()}; }
  std::size_t n_texts() const { return offsets.size() - 1; }
};

std::int32_t token(Input* input, std::size_t limit, Given* given) {
  const std::size_t drawn = input->byte();
  if (drawn < 250) return static_cast<std::int32_t>(drawn % limit);
  const auto end = static_cast<std::int32_t>(limit);
  const std::int32_t odd[] = {-1, end, end + 1, INT32_MIN, INT32_MAX, end * 1000};
  given->is_good = false;
  return odd[drawn - 250];
}

Given make_texts(Input* input) {
  Given given;
  while (!input->empty() && given.n_texts() < 40) {
    const std::size_t drawn = input->byte();
    std::int64_t length = 1 + static_cast<std::int64_t>(drawn % kShape.n_positions);
    if (drawn >= 253) {
      given.is_good = false;
      length = drawn == 253   ? 0
               : drawn == 254 ? -given.offsets.back() / 2
                              : static_cast<std::int64_t>(kShape.n_positions) + 1;
    }
    for (std::int64_t i = 0; i < length; ++i) {
      given.ids.push_back(token(input, kShape.vocab_size, &given));
      given.segments.push_back(token(input, kShape.n_segments, &given));
    }
    given.offsets.push_back(given.offsets.back() + length);
  }
  return given;
}

// False if the model refuses the texts.
bool run(SmallModel* small, const Given& given, const RunOptions& options, float* out) {
  try {
    REQUIRE(run_texts(*small->model, given.view(), given.n_texts(), options, out,
                      &small->pool, nullptr));
  } catch (const std::invalid_argument&) {
    return false;
  }
  return true;
}

// Each text alone, by a memory that is only large enough for it.
void check_texts_alone(SmallModel* small, const Given& given, Output output,
                       const float* together) {
  const std::size_t width = small->model->width(output);
  for (std::size_t text = 0; text < given.n_texts(); ++text) {
    const auto n_tokens =
        static_cast<std::size_t>(given.offsets[text + 1] - given.offsets[text]);
    const std::size_t n = width * (output == Output::kSequence ? n_tokens : 1);
    Guarded<float> alone(n, kUnset);
    ForwardMemory memory;
    small->model->run(given.view(), text, text + 1, output, alone.data(), &memory);
    REQUIRE(std::memcmp(alone.data(), together, n * sizeof(float)) == 0);
    together += n;
  }
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  Input input(data, size);
  SmallModel* small = shared_model(input.byte());
  const Output output = kOutputs[input.below(5)];
  const std::size_t budget = 1 + input.byte();
  // Starting threads takes longer than all the rest.
  const std::size_t threads = input.byte();
  if (small == nullptr) return 0;
  const Given given = make_texts(&input);
  const std::size_t width = small->model->width(output);
  const std::size_t n_rows =
      output == Output::kSequence ? given.ids.size() : given.n_texts();
  Guarded<float> out(n_rows * width, kUnset);
  const RunOptions options{output, budget, threads % 16 == 15 ? 2u + threads / 128 : 1};
  const bool is_done = run(small, given, options, out.data());
  REQUIRE(is_done == (given.is_good && width > 0));
  if (is_done) check_texts_alone(small, given, output, out.data());
  if (!is_done) {
    for (std::size_t i = 0; i < out.size(); ++i) REQUIRE(out[i] == kUnset);
  }
  return 0;
}
