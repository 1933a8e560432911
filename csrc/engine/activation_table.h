// The activations as piecewise polynomials, one piece for each lane of a vector
// register: a coefficient is then looked up by one permutation of the register that
// holds them all.
//
// The polynomials interpolate at Chebyshev's nodes. They are computed in double
// precision when a model is made, or when they are first wanted without one, which
// takes some 20 microseconds.
#ifndef BERTFAST_ENGINE_ACTIVATION_TABLE_H_
#define BERTFAST_ENGINE_ACTIVATION_TABLE_H_

#include <cstddef>

namespace bertfast::engine {

constexpr std::size_t kMaxPieces = 16;
constexpr std::size_t kMaxDegree = 10;

// A function on [0, limit]. Piece i has its centre at i / scale and reaches half a
// piece to both sides; its polynomial is one in t = scale * x - i.
struct Piecewise {
  float limit, scale;
  alignas(64) float coefficients[kMaxDegree + 1][kMaxPieces];  // of t^0, t^1, ...
};

// gelu_* hold max(x, 0) - gelu(x), which is even in x and 0 from some x on; tanh holds
// itself.
struct ActivationTables {
  Piecewise gelu_erf, gelu_tanh, tanh;

  ActivationTables(std::size_t n_pieces, std::size_t gelu_degree,
                   std::size_t tanh_degree);
};

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_ACTIVATION_TABLE_H_
