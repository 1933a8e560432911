#include "bertfast/engine/linear.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kernels.h"
#include "packed_weights.h"

namespace bertfast::engine {
namespace {

// How much of the input is packed at a time: with a panel of the weights and the next
// one, it stays in an L2 cache of 512 KB.
constexpr std::size_t kBlockBytes = 256 * 1024;

// Rows shared out among as few parts as can be, as evenly as can be.
struct Parts {
  std::size_t rows, count;

  Parts(std::size_t n_rows, std::size_t most)
      : rows(n_rows), count((n_rows + most - 1) / most) {}
  std::size_t begin(std::size_t part) const { return rows * part / count; }
  std::size_t size(std::size_t part) const { return begin(part + 1) - begin(part); }
};

// The rows of `m` that are packed together: whole tiles, at least one.
Parts row_blocks(std::size_t m, std::size_t max_rows, std::size_t bytes_per_row) {
  const std::size_t fit = kBlockBytes / std::max<std::size_t>(bytes_per_row, 1);
  return Parts(m, std::max(fit / max_rows, std::size_t{1}) * max_rows);
}

std::size_t chunked_bytes(std::size_t n_steps) {
  return (n_steps + kStepsPerChunk - 1) / kStepsPerChunk * kChunkBytes;
}

// Where a tile is written: `out` itself, or, for the last columns, a tile of its own
// whose first columns go there.
class TileTarget {
 public:
  TileTarget(float* out, std::size_t ldo, std::size_t rows, std::size_t columns,
             std::size_t width)
      : out_(out), ldo_(ldo), rows_(rows), columns_(columns), width_(width) {}

  bool is_partial() const { return columns_ < width_; }
  float* at() { return is_partial() ? partial_ : out_; }
  std::size_t stride() const { return is_partial() ? width_ : ldo_; }

  // Sums of the blocks of k before.
  void fetch() {
    if (!is_partial()) return;
    for (std::size_t row = 0; row < rows_; ++row) {
      std::copy_n(out_ + row * ldo_, columns_, partial_ + row * width_);
      std::fill_n(partial_ + row * width_ + columns_, width_ - columns_, 0.0f);
    }
  }

  void finish() {
    if (!is_partial()) return;
    for (std::size_t row = 0; row < rows_; ++row) {
      std::copy_n(partial_ + row * width_, columns_, out_ + row * ldo_);
    }
  }

 private:
  float* out_;
  std::size_t ldo_, rows_, columns_, width_;
  alignas(kAlignment) float partial_[kMaxRows * kMaxWidth];
};

// Steps [from, from + steps) of the rows of one tile, in chunks. Returns their end.
std::uint8_t* pack_rows(const float* in, std::size_t rows, std::size_t ldi,
                        std::size_t steps, std::uint8_t* out) {
  for (std::size_t i = 0; i < steps; i += kStepsPerChunk) {
    const std::size_t count = std::min(kStepsPerChunk, steps - i);
    for (std::size_t row = 0; row < rows; ++row, out += kChunkBytes) {
      const float* from = in + row * ldi + i;
      if (count == kStepsPerChunk) {
        std::memcpy(out, from, kChunkBytes);
      } else {
        std::memcpy(out, from, count * sizeof(float));
      }
    }
  }
  return out;
}

// The part of the next panel, which follows `panel`, that tile i of `count` fetches.
// Without it, the first tile of each panel waits for the L3 cache.
Ahead next_panel(const void* panel, std::size_t panel_bytes, std::size_t n_steps,
                 std::size_t i, std::size_t count) {
  const std::size_t n_chunks = (n_steps + kStepsPerChunk - 1) / kStepsPerChunk;
  const std::size_t share = panel_bytes / count;
  const std::size_t per_chunk =
      round_up(share / std::max<std::size_t>(n_chunks, 1), 64);
  const auto* next = static_cast<const std::uint8_t*>(panel) + panel_bytes;
  return {next + i * per_chunk * n_chunks, per_chunk};
}

struct Call {
  const float* in;
  std::size_t m, ldi;
  Activation activation;
  float* out;
  std::size_t ldo;
  Workspace& workspace;
};

// One block of rows against one block of k.
void multiply_block(const FloatWeights& weights, const Call& call, const Parts& tiles,
                    std::size_t from, std::size_t steps, std::uint8_t* packed) {
  const FloatKernel& kernel = *weights.kernel;
  std::uint8_t* end = packed;
  for (std::size_t i = 0; i < tiles.count; ++i) {
    const float* in = call.in + tiles.begin(i) * call.ldi + from;
    end = pack_rows(in, tiles.size(i), call.ldi, steps, end);
  }
  const std::size_t bytes_per_row = chunked_bytes(steps);
  for (std::size_t number = 0; number < weights.n_panels; ++number) {
    const std::size_t column = number * kernel.width;
    const std::size_t columns = std::min(kernel.width, weights.n - column);
    const float* panel = weights.panel(from, steps, number);
    const std::size_t panel_bytes = steps * kernel.width * sizeof(float);
    for (std::size_t i = 0; i < tiles.count; ++i) {
      const std::size_t rows = tiles.size(i);
      TileTarget target(call.out + tiles.begin(i) * call.ldo + column, call.ldo, rows,
                        columns, kernel.width);
      FloatTileArguments arguments{
          packed + tiles.begin(i) * bytes_per_row,
          panel,
          steps,
          weights.bias.get() + column,
          0,
          target.at(),
          target.stride(),
          next_panel(panel, panel_bytes, steps, i, tiles.count)};
      if (from > 0) {
        target.fetch();
        arguments.start = target.at();
        arguments.start_stride = target.stride();
      }
      kernel.tiles[rows - 1](arguments);
      if (from + steps == weights.k) {
        kernel.activate(call.activation, target.at(), rows, kernel.width,
                        target.stride());
      }
      target.finish();
    }
  }
}

Call rows_of(const Call& call, const Parts& blocks, std::size_t block) {
  const std::size_t begin = blocks.begin(block);
  return {
      call.in + begin * call.ldi,  blocks.size(block), call.ldi,      call.activation,
      call.out + begin * call.ldo, call.ldo,           call.workspace};
}

void multiply(const FloatWeights& weights, const Call& call) {
  const std::size_t max_rows = weights.kernel->max_rows;
  const std::size_t bytes_per_row = chunked_bytes(std::min(kFloatBlock, weights.k));
  const Parts blocks = row_blocks(call.m, max_rows, bytes_per_row);
  for (std::size_t block = 0; block < blocks.count; ++block) {
    const Call part = rows_of(call, blocks, block);
    const Parts tiles(part.m, max_rows);
    auto* packed =
        static_cast<std::uint8_t*>(call.workspace.reserve(part.m * bytes_per_row));
    std::size_t from = 0;
    do {  // once even if k is 0, for the bias
      const std::size_t steps = std::min(kFloatBlock, weights.k - from);
      multiply_block(weights, part, tiles, from, steps, packed);
      from += steps;
    } while (from < weights.k);
  }
}

void multiply_block(const Int8Weights& weights, const Call& call, const Parts& tiles,
                    std::uint8_t* quantized, RowScale* scales) {
  const Int8Kernel& kernel = *weights.kernel;
  const std::size_t bytes_per_row = chunked_bytes(weights.n_steps);
  for (std::size_t i = 0; i < tiles.count; ++i) {
    const std::size_t row = tiles.begin(i);
    kernel.quantize(call.in + row * call.ldi, tiles.size(i), call.ldi, weights.k,
                    quantized + row * bytes_per_row, scales + row);
  }
  for (std::size_t number = 0; number < weights.n_panels; ++number) {
    const std::size_t column = number * kernel.width;
    const std::size_t columns = std::min(kernel.width, weights.n - column);
    const std::int8_t* panel = weights.panel(number);
    const std::size_t panel_bytes = weights.panel(number + 1) - panel;
    for (std::size_t i = 0; i < tiles.count; ++i) {
      const std::size_t row = tiles.begin(i), rows = tiles.size(i);
      TileTarget target(call.out + row * call.ldo + column, call.ldo, rows, columns,
                        kernel.width);
      kernel.tiles[rows - 1](
          {quantized + row * bytes_per_row, panel, weights.n_steps, scales + row,
           weights.scale.get() + column, weights.shift.get() + column,
           weights.bias.get() + column, target.at(), target.stride(),
           next_panel(panel, panel_bytes, weights.n_steps, i, tiles.count)});
      kernel.activate(call.activation, target.at(), rows, kernel.width,
                      target.stride());
      target.finish();
    }
  }
}

void multiply(const Int8Weights& weights, const Call& call) {
  const std::size_t max_rows = weights.kernel->max_rows;
  const std::size_t bytes_per_row = chunked_bytes(weights.n_steps);
  const Parts blocks = row_blocks(call.m, max_rows, bytes_per_row);
  for (std::size_t block = 0; block < blocks.count; ++block) {
    const Call part = rows_of(call, blocks, block);
    const std::size_t n_bytes = part.m * bytes_per_row;
    auto* quantized = static_cast<std::uint8_t*>(
        call.workspace.reserve(n_bytes + part.m * sizeof(RowScale)));
    multiply_block(weights, part, Parts(part.m, max_rows), quantized,
                   reinterpret_cast<RowScale*>(quantized + n_bytes));
  }
}

template <class Table>
const Table* require(const Table* table, Kernel kernel) {
  if (table == nullptr) {
    throw std::invalid_argument(std::string("this CPU has no kernel ") +
                                kernel_name(kernel));
  }
  return table;
}

}  // namespace

struct Workspace::Memory {
  AlignedArray<std::uint8_t> bytes;
  std::size_t n_bytes = 0;
};

Workspace::Workspace() : memory_(std::make_unique<Memory>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

void* Workspace::reserve(std::size_t n_bytes) {
  if (n_bytes > memory_->n_bytes) {
    memory_->bytes.reset();
    memory_->n_bytes = 0;
    memory_->bytes = allocate_aligned<std::uint8_t>(n_bytes);
    memory_->n_bytes = n_bytes;
  }
  return memory_->bytes.get();
}

struct Linear::Packed {
  std::variant<FloatWeights, Int8Weights> weights;
};

Linear::Linear(std::unique_ptr<Packed> packed) : packed_(std::move(packed)) {}
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

Linear Linear::from_float(const float* weight, const float* bias, std::size_t k,
                          std::size_t n, Kernel kernel) {
  const FloatKernel* table = require(float_kernel(kernel), kernel);
  return Linear(
      std::unique_ptr<Packed>(new Packed{FloatWeights(table, weight, bias, k, n)}));
}

Linear Linear::from_int8(const std::int8_t* weight, const float* scale,
                         const float* bias, std::size_t k, std::size_t n,
                         Kernel kernel) {
  if (k > kMaxInt8Depth) {
    throw std::invalid_argument("int8 sums could overflow: k is " + std::to_string(k) +
                                ", at most " + std::to_string(kMaxInt8Depth));
  }
  const Int8Kernel* table = require(int8_kernel(kernel), kernel);
  return Linear(std::unique_ptr<Packed>(
      new Packed{Int8Weights(table, weight, scale, bias, k, n)}));
}

Linear Linear::quantize(const float* weight, const float* bias, std::size_t k,
                        std::size_t n, Kernel kernel) {
  std::vector<float> scale(n, 0.0f);
  std::vector<float> damage(n, 0.0f);  // NaN where a column holds a NaN or an infinity
  for (std::size_t i = 0; i < k * n; ++i) {
    scale[i % n] = std::max(scale[i % n], std::fabs(weight[i]));
    damage[i % n] += weight[i] * 0.0f;
  }
  std::vector<std::int8_t> quantized(k * n);
  for (std::size_t i = 0; i < k * n; ++i) {
    const float largest = scale[i % n];
    if (largest < kSmallestRange) continue;
    const float value = std::nearbyint(weight[i] * (127.0f / largest));
    quantized[i] = static_cast<std::int8_t>(std::min(127.0f, std::max(-127.0f, value)));
  }
  for (std::size_t j = 0; j < n; ++j) scale[j] = scale[j] / 127.0f + damage[j];
  return from_int8(quantized.data(), scale.data(), bias, k, n, kernel);
}

std::size_t Linear::k() const {
  return std::visit([](const auto& weights) { return weights.k; }, packed_->weights);
}

std::size_t Linear::n() const {
  return std::visit([](const auto& weights) { return weights.n; }, packed_->weights);
}

std::size_t Linear::n_bytes() const {
  return std::visit([](const auto& weights) { return weights.n_bytes(); },
                    packed_->weights);
}

void Linear::apply(const float* in, std::size_t m, std::size_t ldi,
                   Activation activation, float* out, std::size_t ldo,
                   Workspace& workspace) const {
  const Call call{in, m, ldi, activation, out, ldo, workspace};
  std::visit([&](const auto& weights) { multiply(weights, call); }, packed_->weights);
}

}  // namespace bertfast::engine
