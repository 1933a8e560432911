// What a BERT layer does besides its matrix products: attention, sums and LayerNorm.
// All float32, each row by itself, in a form for each instruction set.
#ifndef BERTFAST_ENGINE_VECTOR_OPS_H_
#define BERTFAST_ENGINE_VECTOR_OPS_H_

#include <cstddef>
#include <cstdint>

#include "bertfast/engine/linear.h"

namespace bertfast::engine {

// One head of one text. Rows of q, k, v and out lie `stride` floats apart.
struct Head {
  const float* q;
  std::size_t q_stride;
  std::size_t n_queries;  // the first ones of the text's tokens
  const float* k;
  const float* v;
  std::size_t kv_stride;
  std::size_t n_keys;  // tokens of the text, at least 1
  std::size_t size;    // width of the head
  float* out;          // [n_queries, size]
  std::size_t out_stride;
};

// gamma * (x - mean(x)) / sqrt(var(x) + epsilon) + beta
struct LayerNorm {
  const float* gamma;
  const float* beta;
  std::size_t width;
  float epsilon;
};

// Any of the tables' rows may lie at any address: they are read from files as they are.
struct EmbeddingRow {
  const void* word;  // float32 [width], or int8 [width] to be multiplied by word_scale
  bool word_is_int8;
  float word_scale;
  const void* position;  // float32 [width]
  const void* segment;   // float32 [width]
};

// The functions of one instruction set.
struct VectorOps {
  // Softmax(q . kT / sqrt(size)) . v; `scratch` is attention_scratch() floats, 64-byte
  // aligned. Source: "Attention Is All You Need", 3.2.1.
  void (*attend)(const Head& head, float* scratch);
  std::size_t (*attention_scratch)(std::size_t n_keys, std::size_t head_size);
  // out = norm(x + residual); out may be x or residual.
  void (*add_norm)(const LayerNorm& norm, const float* x, const float* residual,
                   float* out);
  // out = norm(word + position + segment)
  void (*embed)(const LayerNorm& norm, const EmbeddingRow& row, float* out);
  // out = sum of `n` rows of x [n, width]
  void (*sum_rows)(const float* x, std::size_t n, std::size_t width, float* out);
};

const VectorOps& vector_ops(Kernel kernel);

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_VECTOR_OPS_H_
