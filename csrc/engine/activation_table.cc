#include "activation_table.h"

#include <cmath>

namespace bertfast::engine {
namespace {

constexpr double kPi = 3.14159265358979323846;
// Beyond these, what is left is below 1.1e-7 and 3e-8.
constexpr double kGeluLimit = 5.5;
constexpr double kTanhLimit = 9.0;

// x - gelu(x), which is max(x, 0) - gelu(x) where x is not negative. The first piece
// reaches beyond 0, where the former is smooth and the latter is not.
double gelu_erf_rest(double x) { return 0.5 * x * std::erfc(x / std::sqrt(2.0)); }

double gelu_tanh_rest(double x) {
  const double inner = std::sqrt(2.0 / kPi) * (x + 0.044715 * x * x * x);
  return x / (1.0 + std::exp(2.0 * inner));
}

// The polynomial of `degree` through f at Chebyshev's nodes of [-1/2, 1/2]: Newton's
// divided differences, then expanded from the innermost bracket outwards.
template <class Function>
void interpolate(Function f, std::size_t degree, double* coefficients) {
  double nodes[kMaxDegree + 1], differences[kMaxDegree + 1];
  for (std::size_t i = 0; i <= degree; ++i) {
    nodes[i] = 0.5 * std::cos(kPi * (2.0 * i + 1.0) / (2.0 * degree + 2.0));
    differences[i] = f(nodes[i]);
  }
  for (std::size_t order = 1; order <= degree; ++order) {
    for (std::size_t i = degree; i >= order; --i) {
      differences[i] =
          (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order]);
    }
  }
  for (std::size_t i = 0; i <= degree; ++i) coefficients[i] = 0.0;
  for (std::size_t i = degree + 1; i-- > 0;) {
    for (std::size_t power = degree; power > 0; --power) {
      coefficients[power] = coefficients[power - 1] - nodes[i] * coefficients[power];
    }
    coefficients[0] = differences[i] - nodes[i] * coefficients[0];
  }
}

Piecewise fit(double (*f)(double), double limit, std::size_t n_pieces,
              std::size_t degree) {
  Piecewise table{};
  // A little less than the last piece, so that the limit does not round to the next
  // one.
  const double width = limit / (static_cast<double>(n_pieces) - 0.51);
  table.limit = static_cast<float>(limit);
  table.scale = static_cast<float>(1.0 / width);
  for (std::size_t piece = 0; piece < n_pieces; ++piece) {
    double coefficients[kMaxDegree + 1];
    const auto at = [&](double t) {
      return f((static_cast<double>(piece) + t) * width);
    };
    interpolate(at, degree, coefficients);
    for (std::size_t i = 0; i <= degree; ++i) {
      table.coefficients[i][piece] = static_cast<float>(coefficients[i]);
    }
  }
  return table;
}

}  // namespace

ActivationTables::ActivationTables(std::size_t n_pieces, std::size_t gelu_degree,
                                   std::size_t tanh_degree)
    : gelu_erf(fit(gelu_erf_rest, kGeluLimit, n_pieces, gelu_degree)),
      gelu_tanh(fit(gelu_tanh_rest, kGeluLimit, n_pieces, gelu_degree)),
      tanh(fit([](double x) { return std::tanh(x); }, kTanhLimit, n_pieces,
               tanh_degree)) {}

}  // namespace bertfast::engine
