// The engine's network: its vector kernels against double precision on every
// instruction set of this CPU, and a model whose rows must not depend on batches or
// threads.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "../engine/team.h"
#include "bertfast/engine/model.h"
#include "bertfast/engine/run.h"
#include "bertfast/engine/vector_ops.h"
#include "check.h"

namespace {

using namespace bertfast::engine;
using Floats = std::vector<float>;

constexpr float kCanary = 12345.0f;

std::vector<Kernel> kernels() {
  std::vector<Kernel> found;
  for (const Kernel kernel : {Kernel::kPortable, Kernel::kAvx2, Kernel::kAvx512})
    if (is_supported(kernel)) found.push_back(kernel);
  return found;
}

Floats random_floats(std::mt19937* random, std::size_t n, float deviation = 1.0f) {
  std::normal_distribution<float> normal(0.0f, deviation);
  Floats values(n);
  for (float& value : values) value = normal(*random);
  return values;
}

// softmax(q . kT / sqrt(size)) . v of one query.
std::vector<double> slow_attention(const float* q, const Floats& k, const Floats& v,
                                   std::size_t stride, std::size_t n,
                                   std::size_t size) {
  std::vector<double> weights(n);
  double largest = -1e300;
  for (std::size_t key = 0; key < n; ++key) {
    double score = 0.0;
    for (std::size_t i = 0; i < size; ++i)
      score += static_cast<double>(q[i]) * k[key * stride + i];
    weights[key] = score / std::sqrt(static_cast<double>(size));
    largest = std::max(largest, weights[key]);
  }
  double sum = 0.0;
  for (double& weight : weights) sum += weight = std::exp(weight - largest);
  std::vector<double> out(size, 0.0);
  for (std::size_t key = 0; key < n; ++key)
    for (std::size_t i = 0; i < size; ++i)
      out[i] += weights[key] / sum * v[key * stride + i];
  return out;
}

void test_attention(Kernel kernel, std::size_t n_keys, std::size_t n_queries,
                    std::size_t size, float deviation) {
  std::mt19937 random(static_cast<unsigned>(n_keys * 1000 + size));
  const std::size_t stride = size + 3;
  const Floats q = random_floats(&random, n_queries * stride, deviation);
  // Exactly as long as they must be: the sanitizer sees every read beyond.
  const Floats k = random_floats(&random, (n_keys - 1) * stride + size, deviation);
  const Floats v = random_floats(&random, (n_keys - 1) * stride + size);
  Floats out(n_queries * (size + 2) + 8, kCanary);
  const VectorOps& ops = vector_ops(kernel);
  Workspace memory;
  auto* scratch = static_cast<float*>(
      memory.reserve(sizeof(float) * ops.attention_scratch(n_keys, size)));
  ops.attend({q.data(), stride, n_queries, k.data(), v.data(), stride, n_keys, size,
              out.data(), size + 2},
             scratch);
  double worst = 0.0;
  bool is_clean = true;
  for (std::size_t row = 0; row < n_queries; ++row) {
    const auto expected =
        slow_attention(q.data() + row * stride, k, v, stride, n_keys, size);
    for (std::size_t i = 0; i < size; ++i)
      worst = std::max(worst, std::fabs(expected[i] - out[row * (size + 2) + i]));
    is_clean &= out[row * (size + 2) + size] == kCanary;
  }
  CHECK(worst < 1e-5 * std::max(1.0f, deviation * deviation));
  CHECK(is_clean);
  CHECK(out.back() == kCanary);
}

// Whatever bits the NaN has: a damaged model must not look sound.
void test_attention_keeps_nan(Kernel kernel, std::size_t n_keys) {
  constexpr std::size_t kSize = 16;
  const VectorOps& ops = vector_ops(kernel);
  const Floats v(n_keys * kSize, 1.0f);
  Workspace memory;
  auto* scratch = static_cast<float*>(
      memory.reserve(sizeof(float) * ops.attention_scratch(n_keys, kSize)));
  for (const std::uint32_t bits :
       {0x7FC00000u, 0xFFC00001u, 0x7FC001FFu, 0x7F800000u}) {
    float bad;
    std::memcpy(&bad, &bits, sizeof bad);
    Floats q(2 * kSize, 1.0f), k(n_keys * kSize, 1.0f), out(2 * kSize);
    q[kSize + 3] = bad;
    ops.attend({q.data(), kSize, 2, k.data(), v.data(), kSize, n_keys, kSize,
                out.data(), kSize},
               scratch);
    for (std::size_t i = 0; i < kSize; ++i) {
      CHECK(std::fabs(out[i] - 1.0f) < 1e-5f);
      CHECK(std::isnan(out[kSize + i]));
    }
    k[(n_keys - 1) * kSize] = bad;
    ops.attend({q.data(), kSize, 1, k.data(), v.data(), kSize, n_keys, kSize,
                out.data(), kSize},
               scratch);
    for (std::size_t i = 0; i < kSize; ++i) CHECK(std::isnan(out[i]));
  }
}

void test_norms(Kernel kernel, std::size_t width) {
  std::mt19937 random(static_cast<unsigned>(width));
  const Floats gamma = random_floats(&random, width),
               beta = random_floats(&random, width);
  const Floats x = random_floats(&random, width), y = random_floats(&random, width);
  const LayerNorm norm{gamma.data(), beta.data(), width, 1e-5f};
  Floats out(width + 1, kCanary);
  vector_ops(kernel).add_norm(norm, x.data(), y.data(), out.data());
  double mean = 0.0, variance = 0.0, worst = 0.0;
  for (std::size_t i = 0; i < width; ++i) mean += (double{x[i]} + y[i]) / width;
  for (std::size_t i = 0; i < width; ++i)
    variance += std::pow(double{x[i]} + y[i] - mean, 2) / width;
  for (std::size_t i = 0; i < width; ++i) {
    const double normed = (double{x[i]} + y[i] - mean) / std::sqrt(variance + 1e-5);
    worst = std::max(worst, std::fabs(normed * gamma[i] + beta[i] - out[i]));
  }
  CHECK(worst < 1e-4);
  CHECK(out[width] == kCanary);
}

// Tables that begin at odd addresses, float32 and int8.
void test_embeddings(Kernel kernel, std::size_t width) {
  std::mt19937 random(static_cast<unsigned>(width));
  const Floats gamma(width, 1.0f), beta(width, 0.0f);
  const LayerNorm norm{gamma.data(), beta.data(), width, 1e-5f};
  const Floats rest = random_floats(&random, width), zeros(width, 0.0f);
  std::vector<std::int8_t> bytes(width);
  Floats word(width);
  for (std::size_t i = 0; i < width; ++i) {
    bytes[i] = static_cast<std::int8_t>(random());
    word[i] = static_cast<float>(bytes[i]) * 0.25f;
  }
  std::vector<char> table(1 + 4 * width);
  std::memcpy(table.data() + 1, word.data(), 4 * width);
  Floats expected(width), from_floats(width), from_bytes(width);
  const VectorOps& ops = vector_ops(kernel);
  ops.add_norm(norm, word.data(), rest.data(), expected.data());
  ops.embed(norm, {table.data() + 1, false, 1.0f, rest.data(), zeros.data()},
            from_floats.data());
  ops.embed(norm, {bytes.data(), true, 0.25f, rest.data(), zeros.data()},
            from_bytes.data());
  CHECK(from_floats == expected);
  CHECK(from_bytes == expected);
}

void test_sums(Kernel kernel, std::size_t width) {
  std::mt19937 random(3);
  const Floats x = random_floats(&random, 5 * width);
  Floats out(width + 1, kCanary);
  vector_ops(kernel).sum_rows(x.data(), 5, width, out.data());
  for (std::size_t i = 0; i < width; ++i) {
    double sum = 0.0;
    for (std::size_t row = 0; row < 5; ++row) sum += x[row * width + i];
    CHECK(std::fabs(sum - out[i]) < 1e-5);
  }
  CHECK(out[width] == kCanary);
}

// A model of random weights that owns its tables.
class SmallModel {
 public:
  SmallModel(Kernel kernel, bool quantize) {
    const std::size_t h = kShape.hidden, f = kShape.intermediate;
    const EmbeddingWeights tables{floats(kShape.vocab_size * h), nullptr,
                                  floats(kShape.n_positions * h),
                                  floats(kShape.n_segments * h), norm()};
    model = std::make_unique<Model>(kShape, tables, kernel);
    for (std::size_t layer = 0; layer < kShape.n_layers; ++layer) {
      model->add_layer({dense(h, 3 * h, quantize), dense(h, h, quantize), norm(),
                        dense(h, f, quantize), dense(f, h, quantize), norm()});
    }
    model->set_pooler(dense(h, h, false));
    model->set_classifier(dense(h, 3, false), 3);
  }

  static constexpr ModelShape kShape{50,    40, 2, 36, 2, 3, 70, Activation::kGeluErf,
                                     1e-12f};
  std::unique_ptr<Model> model;

 private:
  const float* floats(std::size_t n) {
    owned_.push_back(random_floats(&random_, n, 0.5f));
    return owned_.back().data();
  }
  NormWeights norm() { return {floats(kShape.hidden), floats(kShape.hidden)}; }
  DenseWeights dense(std::size_t k, std::size_t n, bool quantize) {
    return {floats(k * n), nullptr, nullptr, floats(n), quantize};
  }

  std::mt19937 random_{7};
  std::vector<Floats> owned_;
};

struct Input {
  explicit Input(const std::vector<std::int64_t>& lengths) {
    std::mt19937 random(5);
    for (const std::int64_t length : lengths) {
      offsets.push_back(offsets.back() + length);
      for (std::int64_t i = 0; i < length; ++i) {
        ids.push_back(static_cast<std::int32_t>(random() % 50));
        segments.push_back(static_cast<std::int32_t>(random() % 2));
      }
    }
  }
  Texts texts() const { return {ids.data(), segments.data(), offsets.data()}; }
  std::size_t size() const { return offsets.size() - 1; }

  std::vector<std::int32_t> ids, segments;
  std::vector<std::int64_t> offsets{0};
};

class Counter final : public Observer {
 public:
  explicit Counter(bool goes_on = true) : goes_on_(goes_on) {}
  bool advance(std::size_t n_texts, std::size_t n_tokens) override {
    texts += n_texts;
    tokens += n_tokens;
    return goes_on_;
  }
  std::size_t texts = 0, tokens = 0;

 private:
  bool goes_on_;
};

void test_rows_do_not_depend_on_batches_or_threads(Kernel kernel, Output output,
                                                   bool quantize) {
  const SmallModel small(kernel, quantize);
  const Input input({1, 40, 3, 17, 9, 2, 33, 8, 5, 40, 21, 1, 6});
  const auto n_tokens = static_cast<std::size_t>(input.offsets.back());
  const std::size_t n_rows = output == Output::kSequence ? n_tokens : input.size();
  MemoryPool pool;
  Floats first;
  for (const std::size_t budget : {1, 64, 10000}) {
    for (const auto& [n_threads, n_workers] :
         {std::pair<std::size_t, std::size_t>{1, 0}, {3, 0}, {3, 1}, {5, 2}, {40, 1}}) {
      Floats out(n_rows * small.model->width(output) + 1, kCanary);
      Counter counter;
      CHECK(run_texts(*small.model, input.texts(), input.size(),
                      {output, budget, n_threads, n_workers}, out.data(), &pool,
                      &counter));
      CHECK(counter.texts == input.size() && counter.tokens == n_tokens);
      CHECK(out.back() == kCanary);
      if (first.empty()) first = out;
      CHECK(out == first);
    }
  }
}

void test_observer_stops_a_run() {
  const SmallModel small(default_kernel(), false);
  const Input input(std::vector<std::int64_t>(50, 10));
  Floats out(input.size() * 3);
  MemoryPool pool;
  for (const std::size_t n_threads : {1, 3}) {  // together on each batch
    Counter counter(false);
    CHECK(!run_texts(*small.model, input.texts(), input.size(),
                     {Output::kLogits, 64, n_threads, 1}, out.data(), &pool, &counter));
    CHECK(counter.texts == 6);
  }
}

void test_a_member_that_gives_up_frees_the_others() {
  Team team(3);
  std::atomic<int> met{0}, broken{0};
  std::vector<std::thread> members;
  for (int i = 0; i < 2; ++i) {
    members.emplace_back([&] {
      try {
        team.meet();
        ++met;
        team.meet();
        ++met;
      } catch (const TeamBroken&) {
        ++broken;
      }
    });
  }
  team.meet();
  team.give_up();
  for (std::thread& member : members) member.join();
  CHECK(met <= 2 && broken == 2);
  bool is_refused_later = false;
  try {
    team.meet();
  } catch (const TeamBroken&) {
    is_refused_later = true;
  }
  CHECK(is_refused_later);
}

template <class Function>
bool is_refused(Function function) {
  try {
    function();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void test_what_the_tables_do_not_hold_is_refused() {
  const SmallModel small(default_kernel(), false);
  const auto check = [&](const Input& input) {
    small.model->check(input.texts(), input.size(), Output::kLogits);
  };
  CHECK(!is_refused([&] { check(Input({40, 1})); }));
  CHECK(is_refused([&] { check(Input({41})); }));
  CHECK(is_refused([&] { check(Input({3, 0})); }));
  for (const std::int32_t bad : {50, -1}) {
    Input input({5, 5});
    input.ids[9] = bad;
    CHECK(is_refused([&] { check(input); }));
  }
  Input input({5, 5});
  input.segments[0] = 2;
  CHECK(is_refused([&] { check(input); }));
}

}  // namespace

int main() {
  for (const Kernel kernel : kernels()) {
    for (const std::size_t n : {1, 2, 7, 8, 15, 16, 17, 33, 64, 65, 100, 512}) {
      for (const std::size_t size : {1, 3, 8, 16, 20, 32, 64, 70}) {
        test_attention(kernel, n, n, size, 1.0f);
        test_attention(kernel, n, 1, size, 4.0f);
      }
    }
    for (const std::size_t n : {1, 15, 16, 40}) test_attention_keeps_nan(kernel, n);
    for (const std::size_t width : {1, 2, 8, 15, 16, 24, 31, 32, 100, 384, 768}) {
      test_norms(kernel, width);
      test_embeddings(kernel, width);
      test_sums(kernel, width);
    }
    for (const Output output : {Output::kPooled, Output::kSequence, Output::kMean,
                                Output::kLogits, Output::kProbabilities}) {
      for (const bool quantize : {false, true})
        test_rows_do_not_depend_on_batches_or_threads(kernel, output, quantize);
    }
  }
  test_observer_stops_a_run();
  test_a_member_that_gives_up_frees_the_others();
  test_what_the_tables_do_not_hold_is_refused();
  return bertfast_test::report("engine_model");
}
