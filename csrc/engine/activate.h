// The activations, for any set of instructions. To be included within a target region,
// in an anonymous namespace.
//
// Lanes offers a Vector of kLanes float32: load, store, all, add, subtract, max (its
// second argument if one is NaN), min (the same), multiply_add, absolute, with_sign,
// and look_up(table, bits), which picks by the low bits of each lane.

#include "unroll.h"

// A table in registers: what is written to a tile could otherwise be the table.
template <class Lanes, std::size_t kDegree>
struct Polynomials {
  using Vector = typename Lanes::Vector;

  Vector limit, scale;
  typename Lanes::Table coefficients[kDegree + 1];

  BERTFAST_INLINE explicit Polynomials(const Piecewise& table)
      : limit(Lanes::all(table.limit)), scale(Lanes::all(table.scale)) {
    unroll(
        [&](auto i) __attribute__((always_inline)) {
          coefficients[i] = Lanes::table(table.coefficients[i]);
        },
        std::make_index_sequence<kDegree + 1>());
  }

  // The function at |x|. Adding 2^23 + 2^22 rounds to an integer and leaves it in the
  // low bits.
  BERTFAST_INLINE Vector operator()(Vector x) const {
    const Vector magic = Lanes::all(12582912.0f);
    const Vector clamped = Lanes::min(limit, Lanes::absolute(x));
    const Vector piece = Lanes::multiply_add(clamped, scale, magic);
    const Vector t = Lanes::multiply_add(clamped, scale, Lanes::subtract(magic, piece));
    Vector y = Lanes::look_up(coefficients[kDegree], piece);
    unroll(
        [&](auto i) __attribute__((always_inline)) {
          const auto& next = coefficients[kDegree - 1 - i];
          y = Lanes::multiply_add(y, t, Lanes::look_up(next, piece));
        },
        std::make_index_sequence<kDegree>());
    return y;
  }
};

template <class Lanes>
struct Relu {
  BERTFAST_INLINE typename Lanes::Vector operator()(typename Lanes::Vector x) const {
    return Lanes::max(Lanes::all(0.0f), x);
  }
};

template <class Lanes>
struct Gelu {
  Polynomials<Lanes, Lanes::kGeluDegree> rest;

  BERTFAST_INLINE typename Lanes::Vector operator()(typename Lanes::Vector x) const {
    return Lanes::subtract(Relu<Lanes>()(x), rest(x));
  }
};

template <class Lanes>
struct Tanh {
  Polynomials<Lanes, Lanes::kTanhDegree> polynomials;

  BERTFAST_INLINE typename Lanes::Vector operator()(typename Lanes::Vector x) const {
    return Lanes::with_sign(polynomials(x), x);
  }
};

template <class Lanes, class Function>
BERTFAST_INLINE void map_tile(Function function, float* tile, std::size_t rows,
                              std::size_t width, std::size_t stride) {
  for (std::size_t row = 0; row < rows; ++row, tile += stride) {
    for (std::size_t i = 0; i < width; i += Lanes::kLanes) {
      Lanes::store(tile + i, function(Lanes::load(tile + i)));
    }
  }
}

template <class Lanes>
void activate_tile(Activation activation, float* tile, std::size_t rows,
                   std::size_t width, std::size_t stride) {
  static const ActivationTables tables(Lanes::kPieces, Lanes::kGeluDegree,
                                       Lanes::kTanhDegree);
  switch (activation) {
    case Activation::kIdentity:
      return;
    case Activation::kGeluErf:
      return map_tile<Lanes>(
          Gelu<Lanes>{Polynomials<Lanes, Lanes::kGeluDegree>(tables.gelu_erf)}, tile,
          rows, width, stride);
    case Activation::kGeluTanh:
      return map_tile<Lanes>(
          Gelu<Lanes>{Polynomials<Lanes, Lanes::kGeluDegree>(tables.gelu_tanh)}, tile,
          rows, width, stride);
    case Activation::kRelu:
      return map_tile<Lanes>(Relu<Lanes>(), tile, rows, width, stride);
    case Activation::kTanh:
      return map_tile<Lanes>(
          Tanh<Lanes>{Polynomials<Lanes, Lanes::kTanhDegree>(tables.tanh)}, tile, rows,
          width, stride);
  }
}
