// The inner loops of a tile, for any set of instructions. To be included within a
// target region, in an anonymous namespace.
//
// A Product says how 4 bytes of a row meet a vector of weights:
//   Sum, Weights, Input        vector types
//   kVectors                   vectors of sums in the width of a tile
//   kStepBytes                 bytes of the panel for one step
//   weights(panel, v)          the v-th vector of a step
//   input(bytes)               4 bytes of a row, broadcast
//   multiply_add(x, w, sum)    sum + x . w
#include "unroll.h"

template <class Product, std::size_t kRows>
struct Tile {
  using Sum = typename Product::Sum;
  using Vectors = std::make_index_sequence<Product::kVectors>;
  using Rows = std::make_index_sequence<kRows>;

  Sum sums[kRows][Product::kVectors];

  // `ahead` is fetched into the L2 cache meanwhile.
  BERTFAST_INLINE void multiply(const std::uint8_t* in, const std::uint8_t* panel,
                                std::size_t n_steps, const Ahead& ahead) {
    const std::uint8_t* fetched = ahead.begin;
    // One place for the step: with a loop of its own for the last chunk, GCC spills
    // sums.
    while (n_steps > 0) {
      const std::size_t count = n_steps < kStepsPerChunk ? n_steps : kStepsPerChunk;
      for (std::size_t i = 0; i < count; ++i) {
        step(in + 4 * i, panel, Vectors(), Rows());
        panel += Product::kStepBytes;
      }
      in += kRows * kChunkBytes;
      n_steps -= count;
      const std::uint8_t* until = fetched + ahead.bytes_per_chunk;
      for (; fetched < until; fetched += 64) __builtin_prefetch(fetched, 0, 2);
    }
  }

 private:
  template <std::size_t... kVector, std::size_t... kRow>
  BERTFAST_INLINE void step(const std::uint8_t* in, const std::uint8_t* panel,
                            std::index_sequence<kVector...> vectors,
                            std::index_sequence<kRow...>) {
    const typename Product::Weights weights[] = {Product::weights(panel, kVector)...};
    (multiply_row(sums[kRow], Product::input(in + kRow * kChunkBytes), weights,
                  vectors),
     ...);
  }

  template <std::size_t... kVector>
  static BERTFAST_INLINE void multiply_row(
      Sum (&sum)[Product::kVectors], typename Product::Input input,
      const typename Product::Weights (&weights)[Product::kVectors],
      std::index_sequence<kVector...>) {
    ((sum[kVector] = Product::multiply_add(input, weights[kVector], sum[kVector])),
     ...);
  }
};

// Calls body(row, vector) for each vector of sums, with both as constants.
template <class Product, std::size_t kRows, class Body>
BERTFAST_INLINE void for_each_sum(Body&& body) {
  const auto for_row = [&](auto row) __attribute__((always_inline)) {
    unroll([&](auto vector) __attribute__((always_inline)) { body(row, vector); },
           std::make_index_sequence<Product::kVectors>());
  };
  unroll(for_row, std::make_index_sequence<kRows>());
}

template <class Product, std::size_t kRows>
void float_tile(const FloatTileArguments& given) {
  constexpr std::size_t kLanes = sizeof(typename Product::Sum) / sizeof(float);
  Tile<Product, kRows> tile;
  for_each_sum<Product, kRows>(
      [&](auto row, auto vector) __attribute__((always_inline)) {
        tile.sums[row][vector] =
            Product::load(given.start + row * given.start_stride + vector * kLanes);
        __builtin_prefetch(given.out + row * given.out_stride + vector * kLanes, 1, 3);
      });
  tile.multiply(given.in, reinterpret_cast<const std::uint8_t*>(given.panel),
                given.n_steps, given.ahead);
  for_each_sum<Product, kRows>(
      [&](auto row, auto vector) __attribute__((always_inline)) {
        Product::store(given.out + row * given.out_stride + vector * kLanes,
                       tile.sums[row][vector]);
      });
}

template <class Product, std::size_t kRows>
void int8_tile(const Int8TileArguments& given) {
  constexpr std::size_t kLanes = sizeof(typename Product::Sum) / sizeof(float);
  Tile<Product, kRows> tile;
  for_each_sum<Product, kRows>(
      [&](auto row, auto vector) __attribute__((always_inline)) {
        tile.sums[row][vector] = Product::zero();
        __builtin_prefetch(given.out + row * given.out_stride + vector * kLanes, 1, 3);
      });
  tile.multiply(given.in, reinterpret_cast<const std::uint8_t*>(given.panel),
                given.n_steps, given.ahead);
  for_each_sum<Product, kRows>(
      [&](auto row, auto vector) __attribute__((always_inline)) {
        const std::size_t column = vector * kLanes;
        Product::store_scaled(tile.sums[row][vector], given.rows[row],
                              given.column_scale + column, given.column_shift + column,
                              given.bias + column,
                              given.out + row * given.out_stride + column);
      });
}

template <class Product, std::size_t... kRow>
constexpr FloatKernel make_float_kernel(std::size_t width, Activate activate,
                                        std::index_sequence<kRow...>) {
  return {sizeof...(kRow), width, {float_tile<Product, kRow + 1>...}, activate};
}

struct Int8Layout {
  std::size_t width, group;
};

template <class Product, std::size_t... kRow>
constexpr Int8Kernel make_int8_kernel(Int8Layout layout,
                                      decltype(Int8Kernel::quantize) quantize,
                                      Activate activate, std::index_sequence<kRow...>) {
  return {sizeof...(kRow), layout.width,
          layout.group,    {int8_tile<Product, kRow + 1>...},
          quantize,        activate};
}
