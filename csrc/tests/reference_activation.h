// The activations in double precision, as their definitions say.
#ifndef BERTFAST_TESTS_REFERENCE_ACTIVATION_H_
#define BERTFAST_TESTS_REFERENCE_ACTIVATION_H_

#include <algorithm>
#include <cmath>

#include "bertfast/engine/linear.h"

namespace bertfast_tests {

inline double reference_activation(bertfast::engine::Activation activation, double x) {
  using bertfast::engine::Activation;
  switch (activation) {
    case Activation::kGeluErf:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kTanh:
      return std::tanh(x);
    default:
      return x;
  }
}

}  // namespace bertfast_tests

#endif  // BERTFAST_TESTS_REFERENCE_ACTIVATION_H_
