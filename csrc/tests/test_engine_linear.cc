// Linear against products in double precision and in exact integers: every kernel that
// the CPU has, over shapes with and without tails.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "bertfast/engine/linear.h"
#include "check.h"
#include "reference_activation.h"

namespace {

using bertfast::engine::Activation;
using bertfast::engine::Kernel;
using bertfast::engine::Linear;
using bertfast::engine::Workspace;

constexpr Kernel kKernels[] = {Kernel::kPortable, Kernel::kAvx2, Kernel::kAvx512};
constexpr float kCanary = -12345.5f;
constexpr std::size_t kMargin = 32;  // canaries before and after the output

std::mt19937 random_bits(7);

std::vector<float> random_floats(std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random_bits);
  return values;
}

// A matrix [rows, columns] with canaries round it and between its rows.
class Guarded {
 public:
  Guarded(std::size_t rows, std::size_t columns, std::size_t stride)
      : rows_(rows),
        columns_(columns),
        stride_(stride),
        values_(2 * kMargin + rows * stride, kCanary) {}

  float* data() { return values_.data() + kMargin; }
  float at(std::size_t row, std::size_t column) const {
    return values_[kMargin + row * stride_ + column];
  }
  const float* row(std::size_t number) const {
    return values_.data() + kMargin + number * stride_;
  }
  bool is_intact() const {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const bool is_margin = i < kMargin || i >= kMargin + rows_ * stride_;
      if (!is_margin && (i - kMargin) % stride_ < columns_) continue;
      if (values_[i] != kCanary) return false;
    }
    return true;
  }

 private:
  std::size_t rows_, columns_, stride_;
  std::vector<float> values_;
};

struct Layer {
  std::size_t k, n;
  std::vector<float> weight, bias;

  Layer(std::size_t given_k, std::size_t given_n)
      : k(given_k),
        n(given_n),
        weight(random_floats(given_k * given_n)),
        bias(random_floats(given_n)) {}
};

void test_float_equals_double(const Layer& layer, std::size_t m, std::size_t gap,
                              bool has_bias, Activation activation, Kernel kernel) {
  const std::size_t k = layer.k, n = layer.n, ldi = k + gap;
  const std::vector<float> in = random_floats(m * ldi + 1);
  const Linear linear = Linear::from_float(
      layer.weight.data(), has_bias ? layer.bias.data() : nullptr, k, n, kernel);
  CHECK(linear.k() == k && linear.n() == n && linear.n_bytes() >= 4 * k * n);
  Guarded out(m, n, n + gap);
  Workspace workspace;
  linear.apply(in.data(), m, ldi, activation, out.data(), n + gap, workspace);
  bool is_close = true;
  for (std::size_t row = 0; row < m; ++row) {
    for (std::size_t column = 0; column < n; ++column) {
      double sum = has_bias ? layer.bias[column] : 0.0, size = std::fabs(sum);
      for (std::size_t i = 0; i < k; ++i) {
        const double product =
            static_cast<double>(in[row * ldi + i]) * layer.weight[i * n + column];
        sum += product;
        size += std::fabs(product);
      }
      // Rounding errors of a chain grow as its square root; 6 deviations.
      const double limit =
          2e-6 + 6 * 6e-8 * std::sqrt(static_cast<double>(k + 1)) * (size + 1e-3);
      is_close &= std::fabs(out.at(row, column) - bertfast_tests::reference_activation(
                                                      activation, sum)) <= limit;
    }
  }
  CHECK(is_close);
  CHECK(out.is_intact());
}

struct QuantizedRow {
  float scale, shift;
  std::vector<std::int32_t> values;
};

QuantizedRow quantize_row(const float* row, std::size_t k) {
  const float least = *std::min_element(row, row + k);
  const float range = *std::max_element(row, row + k) - least;
  QuantizedRow quantized{range / 255.0f, least, {}};
  const float inverse = range == 0 ? 0 : 255.0f / range;
  for (std::size_t i = 0; i < k; ++i) {
    quantized.values.push_back(
        static_cast<std::int32_t>(std::nearbyint((row[i] - least) * inverse)));
  }
  return quantized;
}

// How far what is computed in float32 from the exact sum may be from the reference.
bool is_near(float value, double wanted, double size) {
  return std::fabs(value - wanted) <= 2e-6 + 4e-7 * size;
}

void test_int8_equals_integers(std::size_t m, std::size_t k, std::size_t n,
                               std::size_t gap, bool is_extreme, Activation activation,
                               Kernel kernel) {
  std::vector<std::int8_t> weight(k * n);
  for (auto& value : weight) {
    const auto drawn = static_cast<std::int8_t>(random_bits());
    value = is_extreme ? (drawn < 0 ? -128 : 127) : drawn;
  }
  const std::vector<float> bias = random_floats(n);
  std::vector<float> scale = random_floats(n);
  for (float& value : scale) value = 0.001f * std::fabs(value);
  const std::size_t ldi = k + gap;
  std::vector<float> in = random_floats(m * ldi + 1);
  if (is_extreme) {
    for (float& value : in) value = value < 0 ? -1.0f : 1.0f;
  }
  const Linear linear =
      Linear::from_int8(weight.data(), scale.data(), bias.data(), k, n, kernel);
  CHECK(linear.k() == k && linear.n() == n && linear.n_bytes() >= k * n);
  Guarded out(m, n, n + gap);
  Workspace workspace;
  linear.apply(in.data(), m, ldi, activation, out.data(), n + gap, workspace);
  bool is_equal = true;
  for (std::size_t row = 0; row < m; ++row) {
    const QuantizedRow quantized = quantize_row(in.data() + row * ldi, k);
    for (std::size_t column = 0; column < n; ++column) {
      std::int64_t sum = 0, weights = 0;
      for (std::size_t i = 0; i < k; ++i) {
        sum += quantized.values[i] * weight[i * n + column];
        weights += weight[i * n + column];
      }
      const double scaled = static_cast<double>(sum) * quantized.scale * scale[column];
      const double shifted =
          static_cast<double>(weights) * quantized.shift * scale[column];
      is_equal &=
          is_near(out.at(row, column),
                  bertfast_tests::reference_activation(activation,
                                                       scaled + shifted + bias[column]),
                  std::fabs(scaled) + std::fabs(shifted) + std::fabs(bias[column]));
    }
  }
  CHECK(is_equal);
  CHECK(out.is_intact());
}

void test_row_is_the_same_in_any_company(const Linear& linear, std::size_t m,
                                         Activation activation) {
  const std::size_t k = linear.k(), n = linear.n();
  const std::vector<float> in = random_floats(m * k);
  std::vector<float> all(m * n), some(m * n);
  Workspace workspace;
  linear.apply(in.data(), m, k, activation, all.data(), n, workspace);
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}, m / 2, m - 1}) {
    if (count == 0 || count > m) continue;
    for (std::size_t begin = 0; begin + count <= m; begin += count) {
      linear.apply(in.data() + begin * k, count, k, activation, some.data(), n,
                   workspace);
      CHECK(std::memcmp(some.data(), all.data() + begin * n,
                        count * n * sizeof(float)) == 0);
    }
  }
}

void test_quantize_rounds_columns(Kernel kernel) {
  const Layer layer(77, 45);
  std::vector<std::int8_t> weight(layer.k * layer.n);
  std::vector<float> scale(layer.n);
  for (std::size_t column = 0; column < layer.n; ++column) {
    float largest = 0;
    for (std::size_t i = 0; i < layer.k; ++i) {
      largest = std::max(largest, std::fabs(layer.weight[i * layer.n + column]));
    }
    scale[column] = largest / 127.0f;
    for (std::size_t i = 0; i < layer.k; ++i) {
      const std::size_t at = i * layer.n + column;
      weight[at] = static_cast<std::int8_t>(
          std::nearbyint(layer.weight[at] * (127.0f / largest)));
    }
  }
  const Linear given = Linear::from_int8(weight.data(), scale.data(), layer.bias.data(),
                                         layer.k, layer.n, kernel);
  const Linear made = Linear::quantize(layer.weight.data(), layer.bias.data(), layer.k,
                                       layer.n, kernel);
  const std::vector<float> in = random_floats(9 * layer.k);
  std::vector<float> a(9 * layer.n), b(9 * layer.n);
  Workspace workspace;
  given.apply(in.data(), 9, layer.k, Activation::kIdentity, a.data(), layer.n,
              workspace);
  made.apply(in.data(), 9, layer.k, Activation::kIdentity, b.data(), layer.n,
             workspace);
  CHECK(a == b);
}

// A column that holds one is NaN throughout: it must not become a sound number.
void test_quantize_keeps_nan_and_infinity(Kernel kernel) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    const std::size_t k = 3, n = 20;
    std::vector<float> weight(k * n, 0.5f);
    weight[1 * n + 4] = bad;
    const Linear linear = Linear::quantize(weight.data(), nullptr, k, n, kernel);
    const std::vector<float> in = {1.0f, 2.0f, 3.0f};
    std::vector<float> out(n);
    Workspace workspace;
    linear.apply(in.data(), 1, k, Activation::kIdentity, out.data(), n, workspace);
    for (std::size_t column = 0; column < n; ++column) {
      CHECK(column == 4 ? std::isnan(out[column])
                        : std::fabs(out[column] - 3.0f) < 0.1f);
    }
  }
}

// An input of the identity matrix's size shows the activation itself.
void test_activation_is_accurate(Activation activation, Kernel kernel) {
  const float one = 1.0f;
  const Linear linear = Linear::from_float(&one, nullptr, 1, 1, kernel);
  std::vector<float> in;
  for (float x = -12.0f; x <= 12.0f; x += 0.00037f) in.push_back(x);
  for (const float x : {0.0f, -0.0f, 1e-30f, -1e-30f, 100.0f, -100.0f, 3e38f, -3e38f}) {
    in.push_back(x);
  }
  std::vector<float> out(in.size());
  Workspace workspace;
  linear.apply(in.data(), in.size(), 1, activation, out.data(), 1, workspace);
  double worst = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double wanted = bertfast_tests::reference_activation(activation, in[i]);
    // Far out the result is the input itself, or its negative part's limit.
    worst = std::max(worst, std::fabs(out[i] - wanted));
  }
  CHECK(worst <= 2e-6);
}

void test_nan_and_infinity_stay_in_their_row(const Linear& linear,
                                             Activation activation) {
  const std::size_t k = linear.k(), n = linear.n();
  std::vector<float> in = random_floats(5 * k);
  std::vector<float> clean(5 * n), out(5 * n);
  Workspace workspace;
  linear.apply(in.data(), 5, k, activation, clean.data(), n, workspace);
  in[1 * k + k / 2] = std::numeric_limits<float>::quiet_NaN();
  in[3 * k] = std::numeric_limits<float>::infinity();
  linear.apply(in.data(), 5, k, activation, out.data(), n, workspace);
  for (std::size_t column = 0; column < n; ++column) CHECK(std::isnan(out[n + column]));
  for (const std::size_t row : {0, 2, 4}) {
    CHECK(std::equal(out.begin() + row * n, out.begin() + (row + 1) * n,
                     clean.begin() + row * n));
  }
}

void test_rows_of_zeros_and_tiny_values(Kernel kernel) {
  const Layer layer(40, 21);
  const Linear linear = Linear::quantize(layer.weight.data(), layer.bias.data(),
                                         layer.k, layer.n, kernel);
  std::vector<float> in(3 * layer.k, 0.0f), out(3 * layer.n);
  std::fill(in.begin() + layer.k, in.begin() + 2 * layer.k, 1e-42f);
  std::fill(in.begin() + 2 * layer.k, in.end(), 1e-37f);
  Workspace workspace;
  linear.apply(in.data(), 3, layer.k, Activation::kIdentity, out.data(), layer.n,
               workspace);
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == layer.bias[i % layer.n]);
}

void test_degenerate_shapes(Kernel kernel) {
  const Layer layer(16, 8);
  Workspace workspace;
  Guarded out(0, 8, 8);
  const Linear linear =
      Linear::from_float(layer.weight.data(), layer.bias.data(), 16, 8, kernel);
  linear.apply(layer.weight.data(), 0, 16, Activation::kGeluErf, out.data(), 8,
               workspace);
  CHECK(out.is_intact());
  const Linear empty = Linear::from_float(nullptr, layer.bias.data(), 0, 8, kernel);
  Guarded bias(2, 8, 8);
  empty.apply(layer.weight.data(), 2, 0, Activation::kIdentity, bias.data(), 8,
              workspace);
  for (std::size_t i = 0; i < 8; ++i) CHECK(bias.at(1, i) == layer.bias[i]);
}

template <class Make>
bool is_refused(Make make) {
  try {
    make();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void test_what_cannot_be_computed_is_refused() {
  const std::int8_t weight = 1;
  const float scale = 1;
  CHECK(is_refused([&] {
    Linear::from_int8(&weight, &scale, nullptr, 65537, 1, Kernel::kPortable);
  }));
  for (const Kernel kernel : kKernels) {
    const bool refused =
        is_refused([&] { Linear::from_float(&scale, nullptr, 1, 1, kernel); });
    CHECK(refused == !is_supported(kernel));
  }
  CHECK(is_supported(bertfast::engine::default_kernel()));
}

void test_random_shapes(Kernel kernel, int count) {
  const Activation activations[] = {Activation::kIdentity, Activation::kGeluErf,
                                    Activation::kGeluTanh, Activation::kRelu,
                                    Activation::kTanh};
  for (int i = 0; i < count; ++i) {
    const std::size_t m = random_bits() % 47;
    const std::size_t k = 1 + random_bits() % (i % 8 == 0 ? 900 : 150);
    const std::size_t n = 1 + random_bits() % 130;
    const std::size_t gap = random_bits() % 2 * (random_bits() % 40);
    const Activation activation = activations[random_bits() % 5];
    test_float_equals_double(Layer(k, n), m, gap, i % 4 != 0, activation, kernel);
    test_int8_equals_integers(m, k, n, gap, i % 5 == 0, activation, kernel);
  }
}

void test_company(Kernel kernel, std::size_t k, std::size_t n, std::size_t m) {
  const Layer layer(k, n);
  const auto both = [&](Activation activation) {
    test_row_is_the_same_in_any_company(
        Linear::from_float(layer.weight.data(), layer.bias.data(), k, n, kernel), m,
        activation);
    test_row_is_the_same_in_any_company(
        Linear::quantize(layer.weight.data(), layer.bias.data(), k, n, kernel), m,
        activation);
  };
  both(Activation::kGeluErf);
  both(Activation::kIdentity);
}

void test_kernel(Kernel kernel) {
  test_quantize_keeps_nan_and_infinity(kernel);
  test_random_shapes(kernel, 60);
  test_float_equals_double(Layer(1537, 33), 31, 0, true, Activation::kGeluErf, kernel);
  test_int8_equals_integers(15, 4096, 64, 0, true, Activation::kIdentity, kernel);
  test_company(kernel, 384, 96, 61);
  test_company(kernel, 801, 47, 17);
  test_company(kernel, 33, 3, 300);
  test_quantize_rounds_columns(kernel);
  test_rows_of_zeros_and_tiny_values(kernel);
  test_degenerate_shapes(kernel);
  const Layer layer(70, 40);
  for (const Activation activation :
       {Activation::kIdentity, Activation::kGeluErf, Activation::kGeluTanh,
        Activation::kRelu, Activation::kTanh}) {
    test_activation_is_accurate(activation, kernel);
    test_nan_and_infinity_stay_in_their_row(
        Linear::from_float(layer.weight.data(), layer.bias.data(), 70, 40, kernel),
        activation);
    test_nan_and_infinity_stay_in_their_row(
        Linear::quantize(layer.weight.data(), layer.bias.data(), 70, 40, kernel),
        activation);
  }
}

}  // namespace

int main() {
  test_what_cannot_be_computed_is_refused();
  for (const Kernel kernel : kKernels) {
    if (is_supported(kernel)) {
      test_kernel(kernel);
    } else {
      std::printf("engine_linear: no %s here\n", kernel_name(kernel));
    }
  }
  return bertfast_test::report("engine_linear");
}
