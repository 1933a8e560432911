// Attention, LayerNorm, embeddings and sums, on every kernel of this CPU: against
// double precision, canaries round the output and between its rows, every input in
// memory of exactly its size.
//
// Input: what to compute, the kernel, sizes, units; then the numbers.
#include "bertfast/engine/vector_ops.h"
#include "fuzz_engine.h"

namespace bertfast_fuzz {
namespace {

using bertfast::engine::EmbeddingRow;
using bertfast::engine::Head;
using bertfast::engine::LayerNorm;
using bertfast::engine::VectorOps;
using bertfast::engine::Workspace;

constexpr float kUnset = -12345.5f;

float unit(std::size_t number) {
  const float units[] = {0.0078125f, 0.03125f, 1.0f, 1e-4f};
  return units[number % 4];
}

// Rows of `width` values, `stride` apart, without a gap behind the last one.
Exact<float> matrix(Numbers* numbers, std::size_t rows, std::size_t stride,
                    std::size_t width, float unit) {
  return numbers->floats((rows - 1) * stride + width, unit);
}

struct Scores {
  std::vector<double> weights;  // of the keys, their sum 1
  double size;                  // the largest sum of what a score was added up from
};

Scores score(const Head& head, std::size_t query) {
  Scores scores{std::vector<double>(head.n_keys), 0};
  const double root = std::sqrt(static_cast<double>(head.size));
  for (std::size_t key = 0; key < head.n_keys; ++key) {
    double size = 0;
    for (std::size_t i = 0; i < head.size; ++i) {
      const double product = static_cast<double>(head.q[query * head.q_stride + i]) *
                             head.k[key * head.kv_stride + i];
      scores.weights[key] += product / root;
      size += std::fabs(product) / root;
    }
    scores.size = std::max(scores.size, size);
  }
  const double largest =
      *std::max_element(scores.weights.begin(), scores.weights.end());
  double sum = 0;
  for (double& weight : scores.weights) sum += weight = std::exp(weight - largest);
  for (double& weight : scores.weights) weight /= sum;
  return scores;
}

void check_attention(const Head& head, Guarded<float>* out) {
  float largest = 0;
  for (std::size_t key = 0; key < head.n_keys; ++key) {
    for (std::size_t i = 0; i < head.size; ++i)
      largest = std::max(largest, std::fabs(head.v[key * head.kv_stride + i]));
  }
  for (std::size_t query = 0; query < head.n_queries; ++query) {
    const Scores scores = score(head, query);
    const double steps = static_cast<double>(head.size) + 8;
    const double limit = 1e-30 + largest * (5e-6 + 4 * steps * kRounding * scores.size);
    for (std::size_t i = 0; i < head.out_stride; ++i) {
      const float given = (*out)[query * head.out_stride + i];
      if (i >= head.size) {
        REQUIRE(given == kUnset);
        continue;
      }
      double expected = 0;
      for (std::size_t key = 0; key < head.n_keys; ++key)
        expected += scores.weights[key] * head.v[key * head.kv_stride + i];
      REQUIRE(std::fabs(given - expected) <= limit);
    }
  }
}

void attend(Input* input, const VectorOps& ops) {
  Head head;
  head.n_keys = 1 + input->below(40);
  head.n_queries = 1 + input->below(head.n_keys);
  head.size = 1 + input->below(70);
  const std::size_t gaps = input->byte();
  const std::size_t units = input->byte();
  head.q_stride = head.size + gaps % 4;
  head.kv_stride = head.size + gaps / 4 % 4;
  head.out_stride = head.size + gaps / 16 % 4;
  Numbers numbers(input);
  const auto q =
      matrix(&numbers, head.n_queries, head.q_stride, head.size, unit(units % 3));
  const auto k =
      matrix(&numbers, head.n_keys, head.kv_stride, head.size, unit(units / 4 % 2));
  const auto v =
      matrix(&numbers, head.n_keys, head.kv_stride, head.size, unit(units / 16));
  Guarded<float> out(head.n_queries * head.out_stride, kUnset);
  head.q = q.data();
  head.k = k.data();
  head.v = v.data();
  head.out = out.data();
  Workspace memory;
  const std::size_t n_scratch = ops.attention_scratch(head.n_keys, head.size);
  ops.attend(head, static_cast<float*>(memory.reserve(sizeof(float) * n_scratch)));
  check_attention(head, &out);
}

// `sums` [width] is what is normed.
void check_norm(const LayerNorm& norm, const Exact<float>& sums, Guarded<float>* out) {
  const auto width = static_cast<double>(norm.width);
  double mean = 0;
  double variance = 0;
  double largest = 0;
  for (const float x : sums) {
    mean += x / width;
    largest = std::max(largest, std::fabs(static_cast<double>(x)));
  }
  for (const float x : sums) variance += (x - mean) * (x - mean) / width;
  const double deviation = std::sqrt(variance + norm.epsilon);
  const double error = (width + 16) * kRounding * (1 + largest / deviation);
  for (std::size_t i = 0; i < norm.width; ++i) {
    const double normed = (sums[i] - mean) / deviation;
    const double limit = 1e-6 +
                         4 * error * (1 + error) * (1 + std::fabs(normed)) *
                             (1 + std::fabs(norm.gamma[i])) +
                         kRounding * std::fabs(norm.beta[i]);
    REQUIRE(std::fabs((*out)[i] - (normed * norm.gamma[i] + norm.beta[i])) <= limit);
  }
}

// Adds a row to another, or three rows of tables at odd addresses, and norms the sum.
void add_norm(Input* input, const VectorOps& ops, bool is_embedding) {
  const std::size_t width = 1 + input->below(100);
  const std::size_t units = input->byte();
  const bool is_int8 = input->below(2) == 1;
  const float epsilon = input->below(2) == 1 ? 1e-12f : 1e-5f;
  Numbers numbers(input);
  const auto gamma = numbers.floats(width, 0.015625f);
  const auto beta = numbers.floats(width, 0.015625f);
  const LayerNorm norm{gamma.data(), beta.data(), width, epsilon};
  const auto x = numbers.floats(width, unit(units));
  const auto y = numbers.floats(width, unit(units / 4));
  Guarded<float> out(width, kUnset);
  Exact<float> sums(width);
  if (!is_embedding) {
    for (std::size_t i = 0; i < width; ++i) sums[i] = x[i] + y[i];
    ops.add_norm(norm, x.data(), y.data(), out.data());
    check_norm(norm, sums, &out);
    return;
  }
  const auto z = numbers.floats(width, unit(units / 16));
  Exact<std::int8_t> bytes(width);
  for (std::size_t i = 0; i < width; ++i) {
    bytes[i] = numbers.signed_byte();
    const float word = is_int8 ? static_cast<float>(bytes[i]) * 0.03125f : x[i];
    sums[i] = word + y[i] + z[i];
  }
  Exact<char> table(1 + width * sizeof(float));
  std::memcpy(table.data() + 1, x.data(), width * sizeof(float));
  const void* word = is_int8 ? static_cast<const void*>(bytes.data())
                             : static_cast<const void*>(table.data() + 1);
  const EmbeddingRow row{word, is_int8, is_int8 ? 0.03125f : 1.0f, y.data(), z.data()};
  ops.embed(norm, row, out.data());
  check_norm(norm, sums, &out);
}

void sum_rows(Input* input, const VectorOps& ops) {
  const std::size_t rows = 1 + input->below(40);
  const std::size_t width = 1 + input->below(100);
  const float step = unit(input->byte());
  Numbers numbers(input);
  const auto x = numbers.floats(rows * width, step);
  Guarded<float> out(width, kUnset);
  ops.sum_rows(x.data(), rows, width, out.data());
  for (std::size_t i = 0; i < width; ++i) {
    double sum = 0;
    double size = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      sum += x[row * width + i];
      size += std::fabs(x[row * width + i]);
    }
    const auto steps = static_cast<double>(rows);
    REQUIRE(std::fabs(out[i] - sum) <= steps * kRounding * size);
  }
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  Input input(data, size);
  const std::size_t what = input.below(4);
  const Kernel kernel = kKernels[input.below(3)];
  if (!bertfast::engine::is_supported(kernel)) return 0;
  const VectorOps& ops = bertfast::engine::vector_ops(kernel);
  if (what == 0) {
    attend(&input, ops);
  } else if (what == 3) {
    sum_rows(&input, ops);
  } else {
    add_norm(&input, ops, what == 2);
  }
  return 0;
}
