# cython: language_level=3, boundscheck=False, wraparound=False
"""Thin binding of the inference engine (csrc/include/bertfast/engine): arrays in, arrays out.

It checks shapes and types; `bertfast.engine` finds the weights and says errors in words.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int8_t, int32_t, int64_t
from libcpp cimport bool as cbool

import numpy as np

cdef extern from "bertfast/engine/linear.h" namespace "bertfast::engine" nogil:
    cdef enum class Activation:
        kIdentity
        kGeluErf
        kGeluTanh
        kRelu
        kTanh
    cdef enum class Kernel:
        kPortable
        kAvx2
        kAvx512
    Kernel default_kernel()

cdef extern from "bertfast/engine/model.h" namespace "bertfast::engine" nogil:
    cdef enum class Output:
        kPooled
        kSequence
        kMean
        kLogits
        kProbabilities
    cdef cppclass ModelShape:
        size_t vocab_size
        size_t n_positions
        size_t n_segments
        size_t hidden
        size_t n_layers
        size_t n_heads
        size_t intermediate
        Activation activation
        float epsilon
    cdef cppclass DenseWeights:
        const float* weight
        const int8_t* int8
        const float* scale
        const float* bias
        cbool quantize
        const float* smoothing
    cdef cppclass NormWeights:
        const float* gamma
        const float* beta
    cdef cppclass EmbeddingWeights:
        const void* words
        const float* word_scales
        const void* positions
        const void* segments
        NormWeights norm
    cdef cppclass LayerWeights:
        DenseWeights qkv
        DenseWeights attention_output
        NormWeights attention_norm
        DenseWeights intermediate
        DenseWeights output
        NormWeights output_norm
    cdef cppclass Texts:
        const int32_t* ids
        const int32_t* segments
        const int64_t* offsets
    cdef cppclass Model:
        Model(const ModelShape&, const EmbeddingWeights&, Kernel) except +
        void add_layer(const LayerWeights&) except +
        void set_pooler(const DenseWeights&) except +
        void set_classifier(const DenseWeights&, size_t n_labels) except +
        size_t width(Output)
        size_t n_bytes()

cdef extern from "bertfast/engine/run.h" namespace "bertfast::engine" nogil:
    cdef cppclass MemoryPool:
        pass
    cdef cppclass Observer:
        pass
    cdef cppclass RunOptions:
        Output output
        size_t token_budget
        size_t n_threads
        size_t n_workers

cdef extern from *:
    """
    #include <exception>

    // What a run has thrown, kept until the interpreter's lock is held. The catch (...) that
    // Cython writes round a call would stop the unwinding by which Python ends a thread that
    // wants its lock, as the observer does, while the interpreter ends: that aborts the process.
    struct Thrown {
      std::exception_ptr error;
      void rethrow() const { if (error) std::rethrow_exception(error); }
    };
    template <class... Arguments>
    bool run_texts_and_keep(Thrown* thrown, Arguments&&... arguments) {
      try {
        return bertfast::engine::run_texts(arguments...);
      } catch (const std::exception&) {
        thrown->error = std::current_exception();
        return false;
      }
    }

    // Hands what was done to a function that takes the interpreter's lock.
    struct CallbackObserver final : bertfast::engine::Observer {
      int (*function)(void*, std::size_t, std::size_t);
      void* context;
      bool advance(std::size_t n_texts, std::size_t n_tokens) override {
        return function(context, n_texts, n_tokens) != 0;
      }
    };
    """
    cdef cppclass Thrown:
        void rethrow() except +
    cbool run_texts_and_keep(
        Thrown*, const Model&, const Texts&, size_t n_texts, const RunOptions&, float* out,
        MemoryPool*, Observer*) nogil
    cdef cppclass CallbackObserver(Observer):
        int (*function)(void*, size_t, size_t) noexcept
        void* context

_KERNEL_NAMES = {
    <int>Kernel.kPortable: "portable", <int>Kernel.kAvx2: "avx2", <int>Kernel.kAvx512: "avx512"
}
KERNEL = _KERNEL_NAMES[<int>default_kernel()]

cdef dict ACTIVATIONS = {
    "linear": <int>Activation.kIdentity,
    "gelu_erf": <int>Activation.kGeluErf,
    "gelu_tanh": <int>Activation.kGeluTanh,
    "relu": <int>Activation.kRelu,
    "tanh": <int>Activation.kTanh,
}
cdef dict OUTPUTS = {
    "pooled_output": <int>Output.kPooled,
    "sequence_output": <int>Output.kSequence,
    "mean_embedding": <int>Output.kMean,
    "logits": <int>Output.kLogits,
    "probabilities": <int>Output.kProbabilities,
}


cdef class Call:
    """What a run tells Python: progress, and whether to go on."""

    cdef object advance
    cdef object error


cdef int tell(void* context, size_t n_texts, size_t n_tokens) noexcept with gil:
    """Report progress and look for Ctrl-C; 0 stops the run."""
    cdef Call call = <Call>context
    try:
        call.advance(n_texts, n_tokens)
        PyErr_CheckSignals()
    except BaseException as error:  # raised again by the run
        call.error = error
        return 0
    return 1


cdef const float* floats(object array, size_t length) except NULL:
    """Point at an aligned float32 array [length], which must outlive the pointer."""
    cdef const float[::1] view = array
    if <size_t>view.shape[0] != length or length == 0:
        raise ValueError(f"expected {length} numbers, got {view.shape[0]}")
    return &view[0]


cdef const void* table(object array, size_t rows, size_t width) except NULL:
    """Point at the bytes of a table [rows, width], float32 or int8, aligned or not."""
    if array.shape != (rows, width) or array.dtype not in (np.float32, np.int8):
        raise ValueError(f"expected [{rows}, {width}], got {array.dtype} {list(array.shape)}")
    cdef const unsigned char[::1] view = array.reshape(-1).view(np.uint8)
    return &view[0]


cdef DenseWeights dense(object weights, size_t k, size_t n) except *:
    """Point at the arrays of a `bertfast.engine.weights.Dense`, which must outlive the pointers."""
    cdef DenseWeights result
    cdef const int8_t[::1] bytes_view
    array = weights.weight
    if array.shape != (k, n):
        raise ValueError(f"expected [{k}, {n}], got {list(array.shape)}")
    if weights.scale is None:
        result.weight = floats(array.reshape(-1), k * n)
        result.quantize = weights.quantize
    else:
        bytes_view = array.reshape(-1)
        result.int8 = &bytes_view[0]
        result.scale = floats(weights.scale, n)
    result.bias = floats(weights.bias, n)
    if weights.smoothing is not None:
        result.smoothing = floats(weights.smoothing, k)
    return result


cdef NormWeights norm(object weights, size_t width) except *:
    cdef NormWeights result
    result.gamma = floats(weights.gamma, width)
    result.beta = floats(weights.beta, width)
    return result


cdef class Network:
    """A BERT whose weights are packed for this CPU."""

    cdef Model* model
    cdef MemoryPool pool
    cdef ModelShape shape
    cdef object tables  # the model reads them where they are

    def __cinit__(self, object config, object embeddings):
        """Begin with the embeddings; `add_layer` and the heads follow."""
        cdef EmbeddingWeights weights
        cdef ModelShape* shape = &self.shape
        shape.vocab_size = config.vocab_size
        shape.n_positions = config.max_position_embeddings
        shape.n_segments = config.type_vocab_size
        shape.hidden = config.hidden_size
        shape.n_layers = config.num_hidden_layers
        shape.n_heads = config.num_attention_heads
        shape.intermediate = config.intermediate_size
        shape.activation = <Activation><int>ACTIVATIONS[config.hidden_act]
        shape.epsilon = config.layer_norm_eps
        weights.words = table(embeddings.words, shape.vocab_size, shape.hidden)
        weights.positions = table(embeddings.positions, shape.n_positions, shape.hidden)
        weights.segments = table(embeddings.segments, shape.n_segments, shape.hidden)
        weights.word_scales = NULL
        if embeddings.word_scales is not None:
            weights.word_scales = floats(embeddings.word_scales, shape.vocab_size)
        weights.norm = norm(embeddings.norm, shape.hidden)
        self.tables = (embeddings.words, embeddings.positions, embeddings.segments)
        self.model = new Model(shape[0], weights, default_kernel())

    def __dealloc__(self):
        del self.model

    def add_layer(self, object layer):
        """Pack the next layer's weights."""
        cdef LayerWeights weights
        cdef size_t hidden = self.shape.hidden
        cdef size_t intermediate = self.shape.intermediate
        weights.qkv = dense(layer.qkv, hidden, 3 * hidden)
        weights.attention_output = dense(layer.attention_output, hidden, hidden)
        weights.attention_norm = norm(layer.attention_norm, hidden)
        weights.intermediate = dense(layer.intermediate, hidden, intermediate)
        weights.output = dense(layer.output, intermediate, hidden)
        weights.output_norm = norm(layer.output_norm, hidden)
        with nogil:
            self.model.add_layer(weights)

    def set_pooler(self, object pooler):
        """Pack the pooler's weights."""
        self.model.set_pooler(dense(pooler, self.shape.hidden, self.shape.hidden))

    def set_classifier(self, object classifier):
        """Pack the classifier's weights, [hidden, labels]."""
        cdef size_t n_labels = classifier.weight.shape[1]
        self.model.set_classifier(dense(classifier, self.shape.hidden, n_labels), n_labels)

    @property
    def n_bytes(self):
        """Memory of the packed weights."""
        return self.model.n_bytes()

    def width(self, str output):
        """Return the last dimension of an output, 0 if the model lacks it."""
        return self.model.width(<Output><int>OUTPUTS[output])

    def run(
        self, const int32_t[::1] ids, const int32_t[::1] segments, const int64_t[::1] offsets,
        str output, size_t token_budget, size_t n_threads, size_t n_workers, object advance,
    ):
        """Predict texts i = ids[offsets[i]:offsets[i + 1]]; float32 [texts or tokens, width].

        `n_workers` batches at a time at most; 0 leaves it to the engine.
        """
        cdef Texts texts
        cdef RunOptions options
        cdef CallbackObserver observer
        cdef Call call = Call()
        cdef Thrown thrown
        cdef size_t n_texts = <size_t>max(0, offsets.shape[0] - 1)
        cdef cbool done
        options.output = <Output><int>OUTPUTS[output]
        options.token_budget = token_budget
        options.n_threads = n_threads
        options.n_workers = n_workers
        check_offsets(ids, segments, offsets)
        rows = offsets[n_texts] - offsets[0] if output == "sequence_output" else n_texts
        result = np.empty((rows, self.model.width(options.output)), np.float32)
        if result.size == 0:
            return result
        cdef float[::1] values = result.reshape(-1)
        texts.ids = &ids[0]
        texts.segments = &segments[0]
        texts.offsets = &offsets[0]
        call.advance = advance
        observer.function = tell
        observer.context = <void*>call
        with nogil:
            done = run_texts_and_keep(
                &thrown, self.model[0], texts, n_texts, options, &values[0], &self.pool,
                &observer)
        thrown.rethrow()
        if not done:
            raise call.error
        return result


cdef check_offsets(
    const int32_t[::1] ids, const int32_t[::1] segments, const int64_t[::1] offsets
):
    """Refuse offsets that lead out of the arrays; the core checks each text's length."""
    cdef Py_ssize_t i
    if offsets.shape[0] == 0 or offsets[0] < 0 or ids.shape[0] != segments.shape[0]:
        raise ValueError("offsets begin at 0 or later, and every id has a segment")
    for i in range(1, offsets.shape[0]):
        if offsets[i] < offsets[i - 1]:
            raise ValueError("offsets do not fall")
    if offsets[offsets.shape[0] - 1] > ids.shape[0]:
        raise ValueError("offsets lead beyond the ids")
