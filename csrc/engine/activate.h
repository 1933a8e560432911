// The activations, for any set of instructions. To be included within a target region,
// in an anonymous namespace.
//
// Lanes offers a Vector of kLanes float32: load, store, all, add, subtract, max (its
// second argument if one is NaN), min (the same), multiply_add, absolute, with_sign,
// and look_up(table, bits), which picks by the low bits of each lane.

// The table's function at 0 <= x <= limit. Adding 2^23 + 2^22 rounds to an integer and
// leaves it in the low bits.
template <class Lanes, std::size_t kDegree>
BERTFAST_INLINE typename Lanes::Vector evaluate(const Piecewise& table,
                                                typename Lanes::Vector x) {
  const typename Lanes::Vector magic = Lanes::all(12582912.0f);
  const typename Lanes::Vector scale = Lanes::all(table.scale);
  const typename Lanes::Vector piece = Lanes::multiply_add(x, scale, magic);
  const typename Lanes::Vector t =
      Lanes::multiply_add(x, scale, Lanes::subtract(magic, piece));
  typename Lanes::Vector y = Lanes::look_up(table.coefficients[kDegree], piece);
  for (std::size_t i = kDegree; i-- > 0;) {
    y = Lanes::multiply_add(y, t, Lanes::look_up(table.coefficients[i], piece));
  }
  return y;
}

template <class Lanes>
struct Relu {
  BERTFAST_INLINE typename Lanes::Vector operator()(typename Lanes::Vector x) const {
    return Lanes::max(Lanes::all(0.0f), x);
  }
};

template <class Lanes>
struct Gelu {
  const Piecewise& rest;

  BERTFAST_INLINE typename Lanes::Vector operator()(typename Lanes::Vector x) const {
    const auto clamped = Lanes::min(Lanes::all(rest.limit), Lanes::absolute(x));
    return Lanes::subtract(Relu<Lanes>()(x),
                           evaluate<Lanes, Lanes::kGeluDegree>(rest, clamped));
  }
};

template <class Lanes>
struct Tanh {
  const Piecewise& table;

  BERTFAST_INLINE typename Lanes::Vector operator()(typename Lanes::Vector x) const {
    const auto clamped = Lanes::min(Lanes::all(table.limit), Lanes::absolute(x));
    return Lanes::with_sign(evaluate<Lanes, Lanes::kTanhDegree>(table, clamped), x);
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
      return map_tile<Lanes>(Gelu<Lanes>{tables.gelu_erf}, tile, rows, width, stride);
    case Activation::kGeluTanh:
      return map_tile<Lanes>(Gelu<Lanes>{tables.gelu_tanh}, tile, rows, width, stride);
    case Activation::kRelu:
      return map_tile<Lanes>(Relu<Lanes>(), tile, rows, width, stride);
    case Activation::kTanh:
      return map_tile<Lanes>(Tanh<Lanes>{tables.tanh}, tile, rows, width, stride);
  }
}
