// The kernels of vector_ops.h for one instruction set. Included by vector_ops.cc once
// for each, with BERTFAST_LANES floats a register and BERTFAST_TARGET before each
// function.
//
// Written with the compilers' vector types: one text for all instruction sets.

constexpr std::size_t kLanes = BERTFAST_LANES;
// Rows and registers of a tile's accumulators: 24 of 32 registers, or 12 of 16.
constexpr int kTileRows = 6;
constexpr int kTileVectors = kLanes == 16 ? 4 : 2;

typedef float Vector __attribute__((vector_size(4 * BERTFAST_LANES)));
typedef std::int32_t Ints __attribute__((vector_size(4 * BERTFAST_LANES)));
typedef float UnalignedVector
    __attribute__((vector_size(4 * BERTFAST_LANES), aligned(1), may_alias));
typedef std::int8_t Bytes __attribute__((vector_size(BERTFAST_LANES)));
typedef std::int8_t UnalignedBytes
    __attribute__((vector_size(BERTFAST_LANES), aligned(1), may_alias));
using Lanes = std::make_index_sequence<kLanes>;

BERTFAST_TARGET inline Vector load(const void* at) {
  return *static_cast<const UnalignedVector*>(at);
}
BERTFAST_TARGET inline void store(float* at, Vector value) {
  *reinterpret_cast<UnalignedVector*>(at) = value;
}
BERTFAST_TARGET inline Vector fill(float value) { return Vector{} + value; }
// b if one is NaN.
BERTFAST_TARGET inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }

template <std::size_t kStep, std::size_t... I>
BERTFAST_TARGET inline Vector swap_blocks(Vector v, std::index_sequence<I...>) {
  return BERTFAST_SHUFFLE(v, v, static_cast<int>(I ^ kStep)...);
}

// Every lane becomes the result over all lanes.
template <class Operation, std::size_t kStep = kLanes / 2>
BERTFAST_TARGET inline Vector reduce(Vector v) {
  if constexpr (kStep == 0) {
    return v;
  } else {
    v = Operation::apply(v, swap_blocks<kStep>(v, Lanes{}));
    return reduce<Operation, kStep / 2>(v);
  }
}
struct Sum {
  BERTFAST_TARGET static Vector apply(Vector a, Vector b) { return a + b; }
};
struct Largest {
  BERTFAST_TARGET static Vector apply(Vector a, Vector b) { return larger(a, b); }
};

// e^x for x <= 0, to 1e-7 of its value; below -87 as at -87. Cephes' polynomial. NaN
// gives NaN.
BERTFAST_TARGET inline Vector exp_of(Vector x) {
  x = larger(fill(-87.0f), x);
  // Adding 1.5 * 2^23 rounds to an integer, which the low bits then hold.
  const Vector shifted = x * 1.44269504f + 12582912.0f;
  const Vector n = shifted - 12582912.0f;
  Vector r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  Vector p = fill(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return p * reinterpret_cast<Vector>((reinterpret_cast<Ints>(shifted) + 127) << 23);
}

// c[r][v] = sum over i of a[r * lda + i] * b[i * ldb + v], for kRows rows and kVectors
// registers of columns.
template <int kRows, int kVectors>
BERTFAST_TARGET inline void multiply_tile(const float* a, std::size_t lda,
                                          std::size_t n, const float* b,
                                          std::size_t ldb, float* c, std::size_t ldc) {
  Vector sums[kRows][kVectors] = {};
  for (std::size_t i = 0; i < n; ++i) {
    Vector row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = load(b + i * ldb + v * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const Vector factor = fill(a[r * lda + i]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * row[v];
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(c + r * ldc + v * kLanes, sums[r][v]);
  }
}

// The same for `width` columns, a multiple of kLanes.
template <int kRows>
BERTFAST_TARGET void multiply(const float* a, std::size_t lda, std::size_t n,
                              const float* b, std::size_t ldb, std::size_t width,
                              float* c, std::size_t ldc) {
  std::size_t at = 0;
  for (; at + kTileVectors * kLanes <= width; at += kTileVectors * kLanes)
    multiply_tile<kRows, kTileVectors>(a, lda, n, b + at, ldb, c + at, ldc);
  if constexpr (kTileVectors > 2) {
    for (; at + 2 * kLanes <= width; at += 2 * kLanes)
      multiply_tile<kRows, 2>(a, lda, n, b + at, ldb, c + at, ldc);
  }
  for (; at < width; at += kLanes)
    multiply_tile<kRows, 1>(a, lda, n, b + at, ldb, c + at, ldc);
}

template <std::size_t kFirst, std::size_t... I>
BERTFAST_TARGET inline Vector interleave(Vector a, Vector b,
                                         std::index_sequence<I...>) {
  return BERTFAST_SHUFFLE(a, b, static_cast<int>(kFirst + I / 2 + (I % 2) * kLanes)...);
}

// log2(kLanes) perfect shuffles of kLanes rows swap rows and columns.
template <std::size_t kStages>
BERTFAST_TARGET inline void transpose(Vector* rows) {
  if constexpr (kStages > 1) {
    Vector next[kLanes];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + kLanes / 2], Lanes{});
      next[2 * i + 1] = interleave<kLanes / 2>(rows[i], rows[i + kLanes / 2], Lanes{});
    }
    transpose<kStages / 2>(next);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kLanes; ++i) rows[i] = next[i];
  }
}

BERTFAST_TARGET std::size_t rounded_up(std::size_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

// out [size, padded n]: k [n, size] with rows and columns swapped, zeros behind the
// last key.
BERTFAST_TARGET void swap_rows_and_columns(const float* k, std::size_t stride,
                                           std::size_t n, std::size_t size,
                                           float* out) {
  const std::size_t padded = rounded_up(n);
  for (std::size_t key = 0; key < padded; key += kLanes) {
    const std::size_t n_rows = n - key < kLanes ? n - key : kLanes;
    std::size_t column = 0;
    for (; column + kLanes <= size; column += kLanes) {
      Vector block[kLanes] = {};
      for (std::size_t i = 0; i < n_rows; ++i)
        block[i] = load(k + (key + i) * stride + column);
      transpose<kLanes>(block);
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kLanes; ++i)
        store(out + (column + i) * padded + key, block[i]);
    }
    for (; column < size; ++column) {
      float* row = out + column * padded + key;
      for (std::size_t i = 0; i < kLanes; ++i)
        row[i] = i < n_rows ? k[(key + i) * stride + column] : 0.0f;
    }
  }
}

// out [n, padded size]: v [n, size], zeros behind each row.
BERTFAST_TARGET void copy_rows(const float* v, std::size_t stride, std::size_t n,
                               std::size_t size, float* out) {
  const std::size_t padded = rounded_up(size);
  for (std::size_t row = 0; row < n; ++row, v += stride, out += padded) {
    std::size_t i = 0;
    for (; i + kLanes <= size; i += kLanes) store(out + i, load(v + i));
    if (i == size) continue;
    store(out + i, Vector{});
    for (; i < size; ++i) out[i] = v[i];
  }
}

// scores [padded n] become e^(scale * (score - largest)), 0 behind the n-th; returns 1
// / sum.
BERTFAST_TARGET float exponents(float* scores, std::size_t n, float scale) {
  const std::size_t padded = rounded_up(n);
  for (std::size_t i = n; i < padded; ++i) scores[i] = scores[0];
  Vector largest = load(scores);
  for (std::size_t i = kLanes; i < padded; i += kLanes)
    largest = larger(largest, load(scores + i));
  const Vector shift = reduce<Largest>(largest) * scale;
  Vector sum{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vector value = exp_of(load(scores + i) * scale - shift);
    store(scores + i, value);
    sum += value;
  }
  if (i < n) {
    Vector value = exp_of(load(scores + i) * scale - shift);
    for (std::size_t lane = n - i; lane < kLanes; ++lane) value[lane] = 0.0f;
    store(scores + i, value);
    sum += value;
  }
  return 1.0f / reduce<Sum>(sum)[0];
}

struct HeadMemory {
  float* keys;     // [size, padded n_keys]
  float* values;   // [n_keys, padded size]
  float* scores;   // [kTileRows, padded n_keys]
  float* context;  // [kTileRows, padded size]
};

// kRows queries, from `first` on.
template <int kRows>
BERTFAST_TARGET void attend_rows(const Head& head, std::size_t first,
                                 const HeadMemory& memory, float scale) {
  const std::size_t keys = rounded_up(head.n_keys);
  const std::size_t width = rounded_up(head.size);
  multiply<kRows>(head.q + first * head.q_stride, head.q_stride, head.size, memory.keys,
                  keys, keys, memory.scores, keys);
  float inverse[kRows];
  for (int r = 0; r < kRows; ++r)
    inverse[r] = exponents(memory.scores + r * keys, head.n_keys, scale);
  multiply<kRows>(memory.scores, keys, head.n_keys, memory.values, width, width,
                  memory.context, width);
  for (int r = 0; r < kRows; ++r) {
    const float* context = memory.context + r * width;
    float* out = head.out + (first + r) * head.out_stride;
    std::size_t i = 0;
    for (; i + kLanes <= head.size; i += kLanes)
      store(out + i, load(context + i) * inverse[r]);
    for (; i < head.size; ++i) out[i] = context[i] * inverse[r];
  }
}

std::size_t attention_scratch(std::size_t n_keys, std::size_t size) {
  const std::size_t keys = rounded_up(n_keys);
  const std::size_t width = rounded_up(size);
  return size * keys + n_keys * width + kTileRows * (keys + width);
}

BERTFAST_TARGET void attend(const Head& head, float* scratch) {
  const std::size_t keys = rounded_up(head.n_keys);
  const std::size_t width = rounded_up(head.size);
  HeadMemory memory;
  memory.keys = scratch;
  memory.scores = memory.keys + head.size * keys;
  memory.values = memory.scores + kTileRows * keys;
  memory.context = memory.values + head.n_keys * width;
  swap_rows_and_columns(head.k, head.kv_stride, head.n_keys, head.size, memory.keys);
  copy_rows(head.v, head.kv_stride, head.n_keys, head.size, memory.values);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head.size));
  std::size_t row = 0;
  for (; row + kTileRows <= head.n_queries; row += kTileRows)
    attend_rows<kTileRows>(head, row, memory, scale);
  for (; row + 3 <= head.n_queries; row += 3) attend_rows<3>(head, row, memory, scale);
  for (; row < head.n_queries; ++row) attend_rows<1>(head, row, memory, scale);
}

// Mean and variance in two passes: the sum of squares alone would cancel.
BERTFAST_TARGET void normalize(const LayerNorm& norm, float* x) {
  const std::size_t width = norm.width;
  const auto count = static_cast<float>(width);
  Vector sums{};
  std::size_t i = 0;
  for (; i + kLanes <= width; i += kLanes) sums += load(x + i);
  float sum = reduce<Sum>(sums)[0];
  for (; i < width; ++i) sum += x[i];
  const float mean = sum / count;
  sums = Vector{};
  for (i = 0; i + kLanes <= width; i += kLanes) {
    const Vector centred = load(x + i) - mean;
    sums += centred * centred;
  }
  sum = reduce<Sum>(sums)[0];
  for (; i < width; ++i) sum += (x[i] - mean) * (x[i] - mean);
  const float factor = 1.0f / std::sqrt(sum / count + norm.epsilon);
  for (i = 0; i + kLanes <= width; i += kLanes) {
    const Vector centred = (load(x + i) - mean) * factor;
    store(x + i, centred * load(norm.gamma + i) + load(norm.beta + i));
  }
  for (; i < width; ++i) x[i] = (x[i] - mean) * factor * norm.gamma[i] + norm.beta[i];
}

BERTFAST_TARGET void add_norm(const LayerNorm& norm, const float* x,
                              const float* residual, float* out) {
  std::size_t i = 0;
  for (; i + kLanes <= norm.width; i += kLanes)
    store(out + i, load(x + i) + load(residual + i));
  for (; i < norm.width; ++i) out[i] = x[i] + residual[i];
  normalize(norm, out);
}

// Float i of a table's row, wherever it lies.
BERTFAST_TARGET inline float float_at(const void* row, std::size_t i) {
  float value;
  std::memcpy(&value, static_cast<const char*>(row) + 4 * i, sizeof value);
  return value;
}

BERTFAST_TARGET void embed(const LayerNorm& norm, const EmbeddingRow& row, float* out) {
  const auto* bytes = static_cast<const std::int8_t*>(row.word);
  const auto* word = static_cast<const char*>(row.word);
  const auto* position = static_cast<const char*>(row.position);
  const auto* segment = static_cast<const char*>(row.segment);
  std::size_t i = 0;
  for (; i + kLanes <= norm.width; i += kLanes) {
    const Vector rest = load(position + 4 * i) + load(segment + 4 * i);
    Vector value;
    if (row.word_is_int8) {
      const Bytes narrow = *reinterpret_cast<const UnalignedBytes*>(bytes + i);
      value = __builtin_convertvector(narrow, Vector) * row.word_scale;
    } else {
      value = load(word + 4 * i);
    }
    store(out + i, value + rest);
  }
  for (; i < norm.width; ++i) {
    const float value = row.word_is_int8 ? static_cast<float>(bytes[i]) * row.word_scale
                                         : float_at(word, i);
    out[i] = value + (float_at(position, i) + float_at(segment, i));
  }
  normalize(norm, out);
}

BERTFAST_TARGET void sum_rows(const float* x, std::size_t n, std::size_t width,
                              float* out) {
  std::size_t at = 0;
  for (; at + kLanes <= width; at += kLanes) {
    Vector sum{};
    for (std::size_t row = 0; row < n; ++row) sum += load(x + row * width + at);
    store(out + at, sum);
  }
  for (; at < width; ++at) {
    out[at] = 0.0f;
    for (std::size_t row = 0; row < n; ++row) out[at] += x[row * width + at];
  }
}

constexpr VectorOps kOps = {attend, attention_scratch, add_norm, embed, sum_rows};
