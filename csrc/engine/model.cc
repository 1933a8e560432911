#include "bertfast/engine/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bertfast::engine {
namespace {

// What sentence-transformers puts under the division by the norm.
constexpr double kMinNorm = 1e-12;
// Buffers begin at cache lines: 16 floats.
constexpr std::size_t kLineFloats = 16;

std::size_t whole_lines(std::size_t n_floats) {
  return (n_floats + kLineFloats - 1) / kLineFloats * kLineFloats;
}

bool needs_first_tokens_only(Output output) {
  return output != Output::kSequence && output != Output::kMean;
}

const void* table_row(const void* table, std::size_t row, std::size_t row_bytes) {
  return static_cast<const char*>(table) + row * row_bytes;
}

void softmax(float* x, std::size_t n) {
  const float largest = *std::max_element(x, x + n);
  float sum = 0.0f;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - largest);
  for (std::size_t i = 0; i < n; ++i) x[i] /= sum;
}

std::invalid_argument bad_token(const char* what, std::int32_t given,
                                std::size_t limit) {
  return std::invalid_argument(std::string(what) + ' ' + std::to_string(given) +
                               " is not in 0.." + std::to_string(limit - 1));
}

}  // namespace

// Where the texts of one call lie, and the buffers of the thread that runs it.
struct Model::Batch {
  const std::int64_t* offsets;  // of its first text
  std::size_t n_texts;
  std::size_t n_tokens;
  std::size_t n_rows;  // of x: tokens, or texts once only first tokens go on
  float* x;            // [n_tokens, hidden]
  float* context;      // [n_tokens, hidden]
  float* attended;     // [n_tokens, hidden]
  float* wide;         // [n_tokens, 3 * hidden or intermediate]
  float* scratch;      // of attention
  Workspace* products;

  std::size_t start(std::size_t text) const {
    return static_cast<std::size_t>(offsets[text] - offsets[0]);
  }
  std::size_t length(std::size_t text) const {
    return static_cast<std::size_t>(offsets[text + 1] - offsets[text]);
  }
};

Model::Model(const ModelShape& shape, const EmbeddingWeights& embeddings, Kernel kernel)
    : shape_(shape),
      kernel_(kernel),
      ops_(vector_ops(kernel)),
      tables_(embeddings),
      embedding_norm_(copy(embeddings.norm)) {
  if (embeddings.word_scales != nullptr) {
    word_scales_.assign(embeddings.word_scales,
                        embeddings.word_scales + shape.vocab_size);
  }
  layers_.reserve(shape.n_layers);
}

Linear Model::pack(const DenseWeights& weights, std::size_t k, std::size_t n) const {
  if (weights.int8 != nullptr)
    return Linear::from_int8(weights.int8, weights.scale, weights.bias, k, n, kernel_);
  if (weights.quantize)
    return Linear::quantize(weights.weight, weights.bias, k, n, kernel_);
  return Linear::from_float(weights.weight, weights.bias, k, n, kernel_);
}

Linear Model::pack_columns(const DenseWeights& weights, std::size_t k, std::size_t n,
                           std::size_t begin, std::size_t end) const {
  const std::size_t width = end - begin;
  std::vector<float> floats;
  std::vector<std::int8_t> bytes;
  const auto cut = [&](const auto* from, auto* to) {
    to->resize(k * width);
    for (std::size_t row = 0; row < k; ++row)
      std::copy_n(from + row * n + begin, width, to->data() + row * width);
  };
  DenseWeights part = weights;
  part.bias += begin;
  if (weights.int8 != nullptr) {
    cut(weights.int8, &bytes);
    part.int8 = bytes.data();
    part.scale += begin;
  } else {
    cut(weights.weight, &floats);
    part.weight = floats.data();
  }
  return pack(part, k, width);
}

std::vector<float> Model::smoothing(const DenseWeights& weights) const {
  if (weights.smoothing == nullptr) return {};
  return {weights.smoothing, weights.smoothing + shape_.hidden};
}

Model::Norm Model::copy(const NormWeights& weights) const {
  return {{weights.gamma, weights.gamma + shape_.hidden},
          {weights.beta, weights.beta + shape_.hidden}};
}

LayerNorm Model::view(const Norm& norm) const {
  return {norm.gamma.data(), norm.beta.data(), shape_.hidden, shape_.epsilon};
}

void Model::add_layer(const LayerWeights& weights) {
  const std::size_t h = shape_.hidden;
  Layer layer{std::nullopt,
              std::nullopt,
              std::nullopt,
              smoothing(weights.qkv),
              pack(weights.attention_output, h, h),
              copy(weights.attention_norm),
              pack(weights.intermediate, h, shape_.intermediate),
              smoothing(weights.intermediate),
              pack(weights.output, shape_.intermediate, h),
              copy(weights.output_norm)};
  if (layers_.size() + 1 < shape_.n_layers) {
    layer.qkv = pack(weights.qkv, h, 3 * h);
  } else {
    layer.query = pack_columns(weights.qkv, h, 3 * h, 0, h);
    layer.key_value = pack_columns(weights.qkv, h, 3 * h, h, 3 * h);
  }
  layers_.push_back(std::move(layer));
}

void Model::set_pooler(const DenseWeights& weights) {
  pooler_ = pack(weights, shape_.hidden, shape_.hidden);
}

void Model::set_classifier(const DenseWeights& weights, std::size_t n_labels) {
  classifier_ = pack(weights, shape_.hidden, n_labels);
}

std::size_t Model::width(Output output) const {
  if (output == Output::kLogits || output == Output::kProbabilities)
    return pooler_ && classifier_ ? classifier_->n() : 0;
  if (output == Output::kPooled && !pooler_) return 0;
  return shape_.hidden;
}

std::size_t Model::n_bytes() const {
  const auto size = [](const auto& linear) { return linear ? linear->n_bytes() : 0; };
  std::size_t total = size(pooler_) + size(classifier_);
  for (const Layer& layer : layers_) {
    total += size(layer.qkv) + size(layer.query) + size(layer.key_value);
    total += layer.attention_output.n_bytes() + layer.intermediate.n_bytes() +
             layer.output.n_bytes();
  }
  return total;
}

void Model::check(const Texts& texts, std::size_t n_texts, Output output) const {
  if (layers_.size() != shape_.n_layers)
    throw std::invalid_argument("layers are missing");
  if (width(output) == 0) throw std::invalid_argument("the model lacks this output");
  for (std::size_t text = 0; text < n_texts; ++text) {
    const std::int64_t length = texts.offsets[text + 1] - texts.offsets[text];
    if (length < 1 || static_cast<std::size_t>(length) > shape_.n_positions) {
      throw std::invalid_argument("row " + std::to_string(text) + " has " +
                                  std::to_string(length) + " tokens; positions go to " +
                                  std::to_string(shape_.n_positions));
    }
  }
  for (std::int64_t i = texts.offsets[0]; i < texts.offsets[n_texts]; ++i) {
    if (static_cast<std::uint32_t>(texts.ids[i]) >= shape_.vocab_size)
      throw bad_token("id", texts.ids[i], shape_.vocab_size);
    if (static_cast<std::uint32_t>(texts.segments[i]) >= shape_.n_segments)
      throw bad_token("segment", texts.segments[i], shape_.n_segments);
  }
}

void Model::run(const Texts& texts, std::size_t begin, std::size_t end, Output output,
                float* out, ForwardMemory* memory) const {
  const std::size_t h = shape_.hidden;
  Batch batch;
  batch.offsets = texts.offsets + begin;
  batch.n_texts = end - begin;
  batch.n_tokens = batch.n_rows = batch.start(batch.n_texts);
  std::size_t longest = 0;
  for (std::size_t text = 0; text < batch.n_texts; ++text)
    longest = std::max(longest, batch.length(text));
  const std::size_t narrow = whole_lines(batch.n_tokens * h);
  const std::size_t wide =
      whole_lines(batch.n_tokens * std::max(3 * h, shape_.intermediate));
  const std::size_t scratch = ops_.attention_scratch(longest, h / shape_.n_heads);
  batch.x = static_cast<float*>(
      memory->floats.reserve(sizeof(float) * (3 * narrow + wide + scratch)));
  batch.context = batch.x + narrow;
  batch.attended = batch.context + narrow;
  batch.wide = batch.attended + narrow;
  batch.scratch = batch.wide + wide;
  batch.products = &memory->products;

  embed(texts, &batch);
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    const bool is_last = layer + 1 == layers_.size();
    run_layer(layers_[layer], is_last && needs_first_tokens_only(output), &batch);
  }
  if (output == Output::kSequence) {
    std::copy_n(batch.x, batch.n_tokens * h, out);
  } else if (output == Output::kMean) {
    mean(batch, out);
  } else {
    pooled_outputs(output, &batch, out);
  }
}

void Model::embed(const Texts& texts, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const bool is_int8 = !word_scales_.empty();
  const LayerNorm norm = view(embedding_norm_);
  float* x = batch->x;
  for (std::size_t text = 0; text < batch->n_texts; ++text) {
    for (std::size_t i = 0; i < batch->length(text); ++i, x += h) {
      const auto token = static_cast<std::size_t>(batch->offsets[text]) + i;
      const auto id = static_cast<std::size_t>(texts.ids[token]);
      const auto segment = static_cast<std::size_t>(texts.segments[token]);
      EmbeddingRow row;
      row.word = table_row(tables_.words, id, is_int8 ? h : h * sizeof(float));
      row.word_is_int8 = is_int8;
      row.word_scale = is_int8 ? word_scales_[id] : 1.0f;
      row.position = table_row(tables_.positions, i, h * sizeof(float));
      row.segment = table_row(tables_.segments, segment, h * sizeof(float));
      ops_.embed(norm, row, x);
    }
  }
}

void Model::run_layer(const Layer& layer, bool first_only, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  project(layer, first_only, batch);
  attend(first_only, batch);
  layer.attention_output.apply(batch->context, batch->n_rows, h, Activation::kIdentity,
                               batch->attended, h, *batch->products);
  const LayerNorm norm = view(layer.attention_norm);
  for (std::size_t row = 0; row < batch->n_rows; ++row) {
    float* attended = batch->attended + row * h;
    ops_.add_norm(norm, attended, batch->x + row * h, attended);
  }
  feed_forward(layer, batch);
}

// `n_rows` rows of x times a factor a channel, in the buffer of the context, which is
// free before attention and behind its output; x itself if there are no factors.
const float* Model::smoothed(const float* x, const std::vector<float>& factors,
                             Batch* batch) const {
  if (factors.empty()) return x;
  const std::size_t h = shape_.hidden;
  for (std::size_t row = 0; row < batch->n_rows; ++row) {
    for (std::size_t i = 0; i < h; ++i)
      batch->context[row * h + i] = x[row * h + i] * factors[i];
  }
  return batch->context;
}

// x to query, key and value: wide [n_tokens, 3 * hidden]. With `first_only`, x becomes
// the first tokens' rows, and wide is key and value [n_tokens, 2 * hidden], then the
// query [n_texts, hidden].
void Model::project(const Layer& layer, bool first_only, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const std::size_t n = batch->n_tokens;
  Workspace& products = *batch->products;
  constexpr auto kNone = Activation::kIdentity;
  const float* in = smoothed(batch->x, layer.qkv_smoothing, batch);
  if (layer.qkv) {
    layer.qkv->apply(in, n, h, kNone, batch->wide, 3 * h, products);
  } else if (!first_only) {
    layer.query->apply(in, n, h, kNone, batch->wide, 3 * h, products);
    layer.key_value->apply(in, n, h, kNone, batch->wide + h, 3 * h, products);
  } else {
    layer.key_value->apply(in, n, h, kNone, batch->wide, 2 * h, products);
    for (std::size_t text = 0; text < batch->n_texts; ++text)
      std::memmove(batch->x + text * h, batch->x + batch->start(text) * h,
                   h * sizeof(float));
    batch->n_rows = batch->n_texts;
    in = smoothed(batch->x, layer.qkv_smoothing, batch);
    layer.query->apply(in, batch->n_texts, h, kNone, batch->wide + n * 2 * h, h,
                       products);
  }
}

void Model::attend(bool first_only, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const std::size_t size = h / shape_.n_heads;
  const float* keys = first_only ? batch->wide : batch->wide + h;
  const float* queries =
      first_only ? batch->wide + batch->n_tokens * 2 * h : batch->wide;
  Head head;
  head.size = size;
  head.q_stride = first_only ? h : 3 * h;
  head.kv_stride = first_only ? 2 * h : 3 * h;
  head.out_stride = h;
  for (std::size_t text = 0; text < batch->n_texts; ++text) {
    const std::size_t start = batch->start(text);
    const std::size_t row = first_only ? text : start;
    head.n_keys = batch->length(text);
    head.n_queries = first_only ? 1 : head.n_keys;
    for (std::size_t column = 0; column < h; column += size) {
      head.q = queries + row * head.q_stride + column;
      head.k = keys + start * head.kv_stride + column;
      head.v = head.k + h;
      head.out = batch->context + row * h + column;
      ops_.attend(head, batch->scratch);
    }
  }
}

void Model::feed_forward(const Layer& layer, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const float* in = smoothed(batch->attended, layer.intermediate_smoothing, batch);
  layer.intermediate.apply(in, batch->n_rows, h, shape_.activation, batch->wide,
                           shape_.intermediate, *batch->products);
  layer.output.apply(batch->wide, batch->n_rows, shape_.intermediate,
                     Activation::kIdentity, batch->context, h, *batch->products);
  const LayerNorm norm = view(layer.output_norm);
  for (std::size_t row = 0; row < batch->n_rows; ++row) {
    ops_.add_norm(norm, batch->context + row * h, batch->attended + row * h,
                  batch->x + row * h);
  }
}

void Model::mean(const Batch& batch, float* out) const {
  const std::size_t h = shape_.hidden;
  for (std::size_t text = 0; text < batch.n_texts; ++text, out += h) {
    const auto n_tokens = static_cast<float>(batch.length(text));
    ops_.sum_rows(batch.x + batch.start(text) * h, batch.length(text), h, out);
    double squares = 0.0;
    for (std::size_t i = 0; i < h; ++i) {
      out[i] /= n_tokens;
      squares += static_cast<double>(out[i]) * out[i];
    }
    const auto norm = static_cast<float>(std::max(std::sqrt(squares), kMinNorm));
    for (std::size_t i = 0; i < h; ++i) out[i] /= norm;
  }
}

void Model::pooled_outputs(Output output, Batch* batch, float* out) const {
  const std::size_t h = shape_.hidden;
  float* pooled = output == Output::kPooled ? out : batch->context;
  pooler_->apply(batch->x, batch->n_texts, h, Activation::kTanh, pooled, h,
                 *batch->products);
  if (output == Output::kPooled) return;
  const std::size_t n_labels = classifier_->n();
  classifier_->apply(pooled, batch->n_texts, h, Activation::kIdentity, out, n_labels,
                     *batch->products);
  if (output == Output::kLogits) return;
  for (std::size_t text = 0; text < batch->n_texts; ++text)
    softmax(out + text * n_labels, n_labels);
}

}  // namespace bertfast::engine
