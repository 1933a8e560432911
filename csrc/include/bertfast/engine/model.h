// A BERT on the CPU: weights packed once, texts packed without padding.
//
//   tokens of all texts of a batch, one after the other: x [tokens, hidden]
//   each layer:  x . QKV -> attention, text by text -> . W + x -> LayerNorm
//                -> . W, activation, . W + the same -> LayerNorm -> x
//   heads:       first tokens -> pooler -> classifier -> softmax; or the mean of x,
//   normalised
//
// A text's numbers depend on its own tokens alone, bit by bit: not on the texts beside
// it, the batches or the threads. Where the output needs no other token, the last layer
// goes on with the first one. Source: google-research/bert modeling.py.
#ifndef BERTFAST_ENGINE_MODEL_H_
#define BERTFAST_ENGINE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bertfast/engine/linear.h"
#include "bertfast/engine/vector_ops.h"

namespace bertfast::engine {

enum class Output { kPooled, kSequence, kMean, kLogits, kProbabilities };

struct ModelShape {
  std::size_t vocab_size;
  std::size_t n_positions;
  std::size_t n_segments;
  std::size_t hidden;  // a multiple of n_heads
  std::size_t n_layers;
  std::size_t n_heads;
  std::size_t intermediate;
  Activation activation;
  float epsilon;
};

// Weights as they lie in a file. Dense: float32 [k, n] in `weight`, or int8 [k, n] in
// `int8` with `scale` [n]; bias float32 [n].
struct DenseWeights {
  const float* weight = nullptr;
  const std::int8_t* int8 = nullptr;
  const float* scale = nullptr;
  const float* bias = nullptr;
  bool quantize = false;             // float32 weights become int8 here
  const float* smoothing = nullptr;  // of qkv and intermediate alone
};

struct NormWeights {
  const float* gamma;
  const float* beta;
};

// The tables stay where they are and must outlive the model; they need not be aligned.
struct EmbeddingWeights {
  const void* words;         // float32, or int8 [vocab_size, hidden]
  const float* word_scales;  // [vocab_size] for int8, else nullptr; copied
  const void* positions;     // float32 [n_positions, hidden]
  const void* segments;      // float32 [n_segments, hidden]
  NormWeights norm;          // copied
};

struct LayerWeights {
  DenseWeights qkv;  // [hidden, 3 * hidden]
  DenseWeights attention_output;
  NormWeights attention_norm;
  DenseWeights intermediate;
  DenseWeights output;
  NormWeights output_norm;
};

// Texts without padding: text i is ids[offsets[i]:offsets[i + 1]], one token at least.
struct Texts {
  const std::int32_t* ids;
  const std::int32_t* segments;
  const std::int64_t* offsets;
};

// What one thread needs; grows to the largest batch and is kept.
struct ForwardMemory {
  Workspace floats;  // of a team, its first member's is used by all
  Workspace attention;
  Workspace products;
};

struct Member;  // team.h

class Model {
 public:
  // Dense weights and norms are copied here and in the methods below, tables are not.
  Model(const ModelShape& shape, const EmbeddingWeights& embeddings, Kernel kernel);

  // Adds the next layer; to be called n_layers times.
  void add_layer(const LayerWeights& weights);
  void set_pooler(const DenseWeights& weights);
  void set_classifier(const DenseWeights& weights, std::size_t n_labels);

  // Throws std::invalid_argument unless every layer is there, `output` can be had, and
  // texts begin .. end hold only ids, segments and lengths that there are.
  void check(const Texts& texts, std::size_t n_texts, Output output) const;

  // Predicts texts `begin` to `end`, which were checked. `out` is float32 [end - begin,
  // width]; for kSequence [their tokens, width]. Many threads may call it, each with
  // its own memory.
  void run(const Texts& texts, std::size_t begin, std::size_t end, Output output,
           float* out, ForwardMemory* memory) const;
  // The same by several threads together: all members of a team call it with the same
  // arguments, but for their own memory. It is complete when it returns to any of them.
  // If it throws to one of them, that one has to give up the team.
  void run(const Texts& texts, std::size_t begin, std::size_t end, Output output,
           float* out, ForwardMemory* memory, const Member& member) const;

  // The last dimension of an output; 0 if it cannot be had.
  std::size_t width(Output output) const;
  std::size_t n_bytes() const;  // of the packed weights
  Kernel kernel() const { return kernel_; }

 private:
  struct Norm {
    std::vector<float> gamma;
    std::vector<float> beta;
  };
  struct Layer {
    // The last layer may need the query of the first tokens alone, so it has it apart.
    std::optional<Linear> qkv;
    std::optional<Linear> query;
    std::optional<Linear> key_value;
    std::vector<float> qkv_smoothing;  // empty for none
    Linear attention_output;
    Norm attention_norm;
    Linear intermediate;
    std::vector<float> intermediate_smoothing;  // empty for none
    Linear output;
    Norm output_norm;
  };
  struct Batch;

  Linear pack(const DenseWeights& weights, std::size_t k, std::size_t n) const;
  Linear pack_columns(const DenseWeights& weights, std::size_t k, std::size_t n,
                      std::size_t begin, std::size_t end) const;
  std::vector<float> smoothing(const DenseWeights& weights) const;
  Norm copy(const NormWeights& weights) const;
  LayerNorm view(const Norm& norm) const;
  void reserve(ForwardMemory* memory, Batch* batch) const;
  void embed(const Texts& texts, Batch* batch) const;
  void run_layer(const Layer& layer, bool first_only, Batch* batch) const;
  void project(const Layer& layer, bool first_only, Batch* batch) const;
  const float* smoothed(const float* x, const std::vector<float>& factors,
                        Batch* batch) const;
  void keep_first_tokens(const Layer& layer, Batch* batch) const;
  void attend(Batch* batch) const;
  void attend_first(Batch* batch) const;
  void feed_forward(const Layer& layer, Batch* batch) const;
  void mean(const Batch& batch, float* out) const;
  void pooled_outputs(Output output, Batch* batch, float* out) const;

  ModelShape shape_;
  Kernel kernel_;
  const VectorOps& ops_;
  EmbeddingWeights tables_;
  std::vector<float> word_scales_;
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  std::optional<Linear> pooler_;
  std::optional<Linear> classifier_;
};

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_MODEL_H_
