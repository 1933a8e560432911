// Products with packed weights, on every kernel of this CPU: against exact integers or
// double precision, a row alone against a row in company, canaries round the output and
// between its rows; a NaN or an infinity stays in its row.
//
// Input: kind and kernel, damage, m, k, n, gaps, activation, units; then the numbers.
#include "bertfast/engine/linear.h"
#include "fuzz_engine.h"

namespace bertfast_fuzz {
namespace {

using bertfast::engine::Linear;
using bertfast::engine::Workspace;

enum class Kind { kFloat, kInt8, kQuantized };
constexpr float kUnset = -12345.5f;

struct Problem {
  std::size_t m, k, n, ldi, ldo;
  Activation activation;
  Exact<float> in;          // [m, k], row stride ldi
  Exact<float> weight;      // [k, n]; integers if the kind is not kFloat
  Exact<std::int8_t> int8;  // the same
  Exact<float> scale;       // [n]
  Exact<float> bias;        // [n]
};

float unit(std::size_t number) {
  const float units[] = {1.0f, 0.0078125f, 1024.0f, 1e-6f};
  return units[number % 4];
}

Problem make_problem(Input* input) {
  const std::size_t m = input->below(32);
  const std::size_t depth = input->byte();
  // Every now and then beyond a block of k.
  const std::size_t k = depth < 224 ? depth % 72 : 376 + depth % 32;
  const std::size_t n = 1 + input->below(72);
  const std::size_t gaps = input->byte();
  const Activation activation = kActivations[input->below(5)];
  const std::size_t units = input->byte();
  const std::size_t ldi = k + gaps % 4;
  const std::size_t ldo = n + gaps / 4 % 4;
  Numbers numbers(input);
  Problem problem{m,
                  k,
                  n,
                  ldi,
                  ldo,
                  activation,
                  numbers.floats(m == 0 ? 0 : (m - 1) * ldi + k, unit(units)),
                  Exact<float>(k * n),
                  Exact<std::int8_t>(k * n),
                  Exact<float>(n),
                  numbers.floats(n, unit(units / 16))};
  for (std::size_t i = 0; i < k * n; ++i) {
    problem.int8[i] = numbers.signed_byte();
    problem.weight[i] = static_cast<float>(problem.int8[i]) * unit(units / 4);
  }
  for (std::size_t i = 0; i < n; ++i)
    problem.scale[i] = std::fabs(numbers.small(unit(units / 4)));
  return problem;
}

Linear make_linear(const Problem& problem, Kind kind, Kernel kernel) {
  const float* bias = problem.bias.data();
  if (kind == Kind::kFloat)
    return Linear::from_float(problem.weight.data(), bias, problem.k, problem.n,
                              kernel);
  if (kind == Kind::kInt8)
    return Linear::from_int8(problem.int8.data(), problem.scale.data(), bias, problem.k,
                             problem.n, kernel);
  return Linear::quantize(problem.weight.data(), bias, problem.k, problem.n, kernel);
}

// What a row of the input stands for once it is quantized: shift + scale * values.
struct QuantizedRow {
  double scale, shift;
  std::vector<std::int32_t> values;
};

QuantizedRow quantize_row(const float* row, std::size_t k) {
  if (k == 0) return {0, 0, {}};
  const float least = *std::min_element(row, row + k);
  const float range = *std::max_element(row, row + k) - least;
  const float inverse = range < 1e-36f ? 0 : 255.0f / range;
  QuantizedRow quantized{range < 1e-36f ? 0 : range / 255.0f, least, {}};
  for (std::size_t i = 0; i < k; ++i)
    quantized.values.push_back(
        static_cast<std::int32_t>(std::nearbyint((row[i] - least) * inverse)));
  return quantized;
}

// An element before its activation, and the sum of what it was added up from.
struct Sum {
  double value, size;
};

Sum float_sum(const Problem& problem, std::size_t row, std::size_t column) {
  Sum sum{problem.bias[column], std::fabs(problem.bias[column])};
  for (std::size_t i = 0; i < problem.k; ++i) {
    const double product = static_cast<double>(problem.in[row * problem.ldi + i]) *
                           problem.weight[i * problem.n + column];
    sum.value += product;
    sum.size += std::fabs(product);
  }
  return sum;
}

Sum int8_sum(const Problem& problem, const QuantizedRow& row, std::size_t column) {
  std::int64_t products = 0;
  std::int64_t weights = 0;
  for (std::size_t i = 0; i < problem.k; ++i) {
    const std::int8_t weight = problem.int8[i * problem.n + column];
    products += std::int64_t{row.values[i]} * weight;
    weights += weight;
  }
  const double scale = problem.scale[column];
  const double scaled = static_cast<double>(products) * row.scale * scale;
  const double shifted = static_cast<double>(weights) * row.shift * scale;
  return {scaled + shifted + problem.bias[column],
          std::fabs(scaled) + std::fabs(shifted) + std::fabs(problem.bias[column])};
}

void require_near(float given, const Sum& sum, Activation activation, double steps) {
  const double limit = 3e-6 + (steps + 8) * kRounding * sum.size;
  REQUIRE(std::fabs(given - bertfast_tests::reference_activation(activation,
                                                                 sum.value)) <= limit);
}

void check_values(const Problem& problem, Kind kind, const float* out) {
  for (std::size_t row = 0; row < problem.m; ++row) {
    const QuantizedRow quantized = quantize_row(problem.in.data() + row * problem.ldi,
                                                kind == Kind::kInt8 ? problem.k : 0);
    for (std::size_t column = 0; column < problem.n; ++column) {
      const float given = out[row * problem.ldo + column];
      if (kind == Kind::kFloat) {
        const auto steps = static_cast<double>(problem.k);
        require_near(given, float_sum(problem, row, column), problem.activation, steps);
      } else {
        // The products are exact: only their scaling is rounded.
        require_near(given, int8_sum(problem, quantized, column), problem.activation,
                     0);
      }
    }
  }
}

void check_gaps(const Problem& problem, Guarded<float>* out) {
  for (std::size_t row = 0; row < problem.m; ++row) {
    for (std::size_t i = problem.n; i < problem.ldo; ++i)
      REQUIRE((*out)[row * problem.ldo + i] == kUnset);
  }
}

void apply(const Problem& problem, const Linear& linear, Guarded<float>* out) {
  static Workspace workspace;
  linear.apply(problem.in.data(), problem.m, problem.ldi, problem.activation,
               out->data(), problem.ldo, workspace);
  check_gaps(problem, out);
}

bool is_finite(const Problem& problem, std::size_t row) {
  const float* begin = problem.in.data() + row * problem.ldi;
  return std::all_of(begin, begin + problem.k,
                     [](float value) { return std::isfinite(value); });
}

void check_row_alone(const Problem& problem, const Linear& linear, std::size_t row,
                     Guarded<float>* together) {
  Problem one{1,
              problem.k,
              problem.n,
              problem.k,
              problem.ldo,
              problem.activation,
              Exact<float>(problem.k),
              Exact<float>(0),
              Exact<std::int8_t>(0),
              Exact<float>(0),
              Exact<float>(0)};
  std::copy_n(problem.in.data() + row * problem.ldi, problem.k, one.in.data());
  Guarded<float> alone(problem.ldo, kUnset);
  apply(one, linear, &alone);
  REQUIRE(std::memcmp(alone.data(), together->data() + row * problem.ldo,
                      problem.n * sizeof(float)) == 0);
}

// Puts what is no number, or the largest ones, where the damage says.
void damage(Problem* problem, std::size_t how, std::size_t where) {
  const float values[] = {
      std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
      -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max(),
      std::numeric_limits<float>::denorm_min()};
  if (problem->in.size() > 0) problem->in[where % problem->in.size()] = values[how % 5];
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  Input input(data, size);
  const std::size_t way = input.byte();
  const Kind kind = static_cast<Kind>(way % 3);
  const Kernel kernel = kKernels[way / 3 % 3];
  if (!bertfast::engine::is_supported(kernel)) return 0;
  const std::size_t damaged = input.byte();
  const std::size_t where = input.byte();
  Problem problem = make_problem(&input);
  const bool is_damaged = damaged >= 192;
  if (is_damaged) damage(&problem, damaged, where);
  const Linear linear = make_linear(problem, kind, kernel);
  Guarded<float> out(problem.m * problem.ldo, kUnset);
  apply(problem, linear, &out);
  if (!is_damaged && kind != Kind::kQuantized) check_values(problem, kind, out.data());
  for (std::size_t i = 0; i < std::min<std::size_t>(problem.m, 3); ++i) {
    const std::size_t row = (where + i) % problem.m;
    if (is_finite(problem, row)) check_row_alone(problem, linear, row, &out);
  }
  return 0;
}
