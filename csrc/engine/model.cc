#include "bertfast/engine/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels.h"
#include "team.h"

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

// Computes the tables of the activations, which are static objects, before any thread
// can want them: a fork in that moment would leave a child that waits for them for
// ever.
void make_activation_tables(Kernel kernel) {
  const FloatKernel* floats = float_kernel(kernel);
  const Int8Kernel* bytes = int8_kernel(kernel);
  if (floats != nullptr) floats->activate(Activation::kIdentity, nullptr, 0, 0, 0);
  if (bytes != nullptr) bytes->activate(Activation::kIdentity, nullptr, 0, 0, 0);
}

std::invalid_argument bad_token(const char* what, std::int32_t given,
                                std::size_t limit) {
  return std::invalid_argument(std::string(what) + ' ' + std::to_string(given) +
                               " is not in 0.." + std::to_string(limit - 1));
}

}  // namespace

// Where the texts of one call lie, the buffers of the team that runs it, and which rows
// are this member's: first to last of n_rows. Until the last layer may go on with first
// tokens, which the first member does alone, a member writes no row of another.
struct Model::Batch {
  const std::int64_t* offsets;  // of its first text
  std::size_t n_texts;
  std::size_t n_tokens;
  std::size_t first, last;
  float* x;         // [n_tokens, hidden]
  float* context;   // [n_tokens, hidden]
  float* attended;  // [n_tokens, hidden]
  float* wide;      // [n_tokens, 3 * hidden or intermediate]
  float* scratch;   // of attention, this member's
  Workspace* products;
  const Member& member;

  std::size_t start(std::size_t text) const {
    return static_cast<std::size_t>(offsets[text] - offsets[0]);
  }
  std::size_t length(std::size_t text) const {
    return static_cast<std::size_t>(offsets[text + 1] - offsets[text]);
  }
  std::size_t own_rows() const { return last - first; }
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
  make_activation_tables(kernel);
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
  Team alone;
  run(texts, begin, end, output, out, memory, {&alone, 0});
}

void Model::run(const Texts& texts, std::size_t begin, std::size_t end, Output output,
                float* out, ForwardMemory* memory, const Member& member) const {
  const std::size_t h = shape_.hidden;
  Batch batch{texts.offsets + begin,
              end - begin,
              0,
              0,
              0,
              nullptr,
              nullptr,
              nullptr,
              nullptr,
              nullptr,
              nullptr,
              member};
  batch.n_tokens = batch.start(batch.n_texts);
  batch.first = member.begin(batch.n_tokens);
  batch.last = member.end(batch.n_tokens);
  reserve(memory, &batch);

  embed(texts, &batch);
  member.team->meet();
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    const bool is_last = layer + 1 == layers_.size();
    run_layer(layers_[layer], is_last && needs_first_tokens_only(output), &batch);
  }
  if (output == Output::kSequence) {
    const std::size_t at = batch.first * h;
    std::copy_n(batch.x + at, batch.own_rows() * h, out + at);
  } else if (member.is_first()) {
    if (output == Output::kMean) {
      mean(batch, out);
    } else {
      pooled_outputs(output, &batch, out);
    }
  }
  member.team->meet();
}

// The buffers that all share are the first member's; it may have to move them.
void Model::reserve(ForwardMemory* memory, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  Team& team = *batch->member.team;
  std::size_t longest = 0;
  for (std::size_t text = 0; text < batch->n_texts; ++text)
    longest = std::max(longest, batch->length(text));
  const std::size_t narrow = whole_lines(batch->n_tokens * h);
  const std::size_t wide =
      whole_lines(batch->n_tokens * std::max(3 * h, shape_.intermediate));
  const std::size_t scratch = ops_.attention_scratch(longest, h / shape_.n_heads);
  batch->scratch =
      static_cast<float*>(memory->attention.reserve(sizeof(float) * scratch));
  batch->products = &memory->products;
  if (batch->member.is_first()) {
    team.buffers = static_cast<float*>(
        memory->floats.reserve(sizeof(float) * (3 * narrow + wide)));
  }
  team.meet();
  batch->x = team.buffers;
  batch->context = batch->x + narrow;
  batch->attended = batch->context + narrow;
  batch->wide = batch->attended + narrow;
}

void Model::embed(const Texts& texts, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const bool is_int8 = !word_scales_.empty();
  const LayerNorm norm = view(embedding_norm_);
  std::size_t token = batch->first;
  for (std::size_t text = 0; text < batch->n_texts; ++text) {
    const std::size_t start = batch->start(text);
    const std::size_t end = std::min(start + batch->length(text), batch->last);
    for (; token < end; ++token) {
      const auto at = static_cast<std::size_t>(batch->offsets[0]) + token;
      const auto id = static_cast<std::size_t>(texts.ids[at]);
      const auto segment = static_cast<std::size_t>(texts.segments[at]);
      EmbeddingRow row;
      row.word = table_row(tables_.words, id, is_int8 ? h : h * sizeof(float));
      row.word_is_int8 = is_int8;
      row.word_scale = is_int8 ? word_scales_[id] : 1.0f;
      row.position = table_row(tables_.positions, token - start, h * sizeof(float));
      row.segment = table_row(tables_.segments, segment, h * sizeof(float));
      ops_.embed(norm, row, batch->x + token * h);
    }
  }
}

// Members wait for each other where rows of others are read, which attention does, and
// where `wide` changes the width of its rows.
void Model::run_layer(const Layer& layer, bool first_only, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  Team& team = *batch->member.team;
  project(layer, first_only, batch);
  team.meet();
  if (first_only) {
    if (!batch->member.is_first()) return;
    keep_first_tokens(layer, batch);
    attend_first(batch);
  } else {
    attend(batch);
    team.meet();
  }
  const std::size_t at = batch->first * h;
  layer.attention_output.apply(batch->context + at, batch->own_rows(), h,
                               Activation::kIdentity, batch->attended + at, h,
                               *batch->products);
  const LayerNorm norm = view(layer.attention_norm);
  for (std::size_t row = batch->first; row < batch->last; ++row) {
    float* attended = batch->attended + row * h;
    ops_.add_norm(norm, attended, batch->x + row * h, attended);
  }
  feed_forward(layer, batch);
  if (!first_only) team.meet();
}

// The own rows of `x` [rows, hidden] times a factor a channel, in the buffer of the
// context, which is free before attention and behind its output; or as they are if
// there are no factors.
const float* Model::smoothed(const float* x, const std::vector<float>& factors,
                             Batch* batch) const {
  const std::size_t h = shape_.hidden;
  if (factors.empty()) return x + batch->first * h;
  for (std::size_t row = batch->first; row < batch->last; ++row) {
    for (std::size_t i = 0; i < h; ++i)
      batch->context[row * h + i] = x[row * h + i] * factors[i];
  }
  return batch->context + batch->first * h;
}

// x to query, key and value: wide [n_tokens, 3 * hidden]; with `first_only` to key and
// value: wide [n_tokens, 2 * hidden].
void Model::project(const Layer& layer, bool first_only, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const std::size_t n = batch->own_rows();
  Workspace& products = *batch->products;
  constexpr auto kNone = Activation::kIdentity;
  const float* in = smoothed(batch->x, layer.qkv_smoothing, batch);
  const std::size_t width = first_only ? 2 * h : 3 * h;
  float* out = batch->wide + batch->first * width;
  if (layer.qkv) {
    layer.qkv->apply(in, n, h, kNone, out, width, products);
  } else if (first_only) {
    layer.key_value->apply(in, n, h, kNone, out, width, products);
  } else {
    layer.query->apply(in, n, h, kNone, out, width, products);
    layer.key_value->apply(in, n, h, kNone, out + h, width, products);
  }
}

// From here on a row is a text: x becomes the first tokens' rows, and their queries
// [n_texts, hidden] follow the keys and values in wide.
void Model::keep_first_tokens(const Layer& layer, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  for (std::size_t text = 0; text < batch->n_texts; ++text)
    std::memmove(batch->x + text * h, batch->x + batch->start(text) * h,
                 h * sizeof(float));
  batch->first = 0;
  batch->last = batch->n_texts;
  const float* in = smoothed(batch->x, layer.qkv_smoothing, batch);
  layer.query->apply(in, batch->n_texts, h, Activation::kIdentity,
                     batch->wide + batch->n_tokens * 2 * h, h, *batch->products);
}

// The own rows' queries against all keys of their text.
void Model::attend(Batch* batch) const {
  const std::size_t h = shape_.hidden;
  Head head;
  head.size = h / shape_.n_heads;
  head.q_stride = head.kv_stride = 3 * h;
  head.out_stride = h;
  for (std::size_t text = 0; text < batch->n_texts; ++text) {
    const std::size_t start = batch->start(text);
    head.n_keys = batch->length(text);
    const std::size_t first = std::max(start, batch->first);
    const std::size_t last = std::min(start + head.n_keys, batch->last);
    if (first >= last) continue;
    head.n_queries = last - first;
    for (std::size_t column = 0; column < h; column += head.size) {
      head.q = batch->wide + first * head.q_stride + column;
      head.k = batch->wide + start * head.kv_stride + h + column;
      head.v = head.k + h;
      head.out = batch->context + first * h + column;
      ops_.attend(head, batch->scratch);
    }
  }
}

// The query of each text's first token against all keys of its text.
void Model::attend_first(Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const float* queries = batch->wide + batch->n_tokens * 2 * h;
  Head head;
  head.size = h / shape_.n_heads;
  head.q_stride = head.out_stride = h;
  head.kv_stride = 2 * h;
  head.n_queries = 1;
  for (std::size_t text = 0; text < batch->n_texts; ++text) {
    head.n_keys = batch->length(text);
    for (std::size_t column = 0; column < h; column += head.size) {
      head.q = queries + text * h + column;
      head.k = batch->wide + batch->start(text) * head.kv_stride + column;
      head.v = head.k + h;
      head.out = batch->context + text * h + column;
      ops_.attend(head, batch->scratch);
    }
  }
}

void Model::feed_forward(const Layer& layer, Batch* batch) const {
  const std::size_t h = shape_.hidden;
  const std::size_t n = batch->own_rows();
  const float* in = smoothed(batch->attended, layer.intermediate_smoothing, batch);
  float* wide = batch->wide + batch->first * shape_.intermediate;
  layer.intermediate.apply(in, n, h, shape_.activation, wide, shape_.intermediate,
                           *batch->products);
  layer.output.apply(wide, n, shape_.intermediate, Activation::kIdentity,
                     batch->context + batch->first * h, h, *batch->products);
  const LayerNorm norm = view(layer.output_norm);
  for (std::size_t row = batch->first; row < batch->last; ++row) {
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
