"""BERT as the original's modeling.py describes it, in TensorFlow 2.

    input_ids    [CLS] a a a [SEP] b b [SEP] 0 0      word embedding
    segment_ids    0   0 0 0   0   1 1   1   0 0    + token type embedding
    position       0   1 2 3   4   5 6   7   8 9    + position embedding -> LayerNorm
                                                       |
                    num_hidden_layers x (self-attention, intermediate, output)
                                                       |
                             sequence_output [b, l, h] -> first token -> pooled_output [b, h]

Every variable carries its original name, so that checkpoints go both ways by name.
Source: google-research/bert modeling.py.
"""

from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.config import BertConfig
from bertfast.tf.activations import get_activation
from bertfast.tf.attention import SelfAttention, attention_adder
from bertfast.tf.layers import Dense, DropoutSeeds, Initializer, LayerNorm, dropout

Tensor: TypeAlias = Any


class BertOutputs:
    """What one pass of `BertModel` gives. b batch, l length, h hidden_size.

    `pooled_output`: [b, h], tanh of a dense layer over the first token.
    `sequence_output`: [b, l, h], the last layer.
    `all_encoder_layers`: [b, l, h] for each layer.
    `embedding_output`: [b, l, h], what enters the first layer.
    All are in the compute dtype, float32 unless the model was built otherwise.

    Example:
        >>> outputs = model(input_ids)              # doctest: +SKIP
        >>> len(outputs.all_encoder_layers)         # num_hidden_layers  # doctest: +SKIP
        12
    """

    def __init__(self, embedding: Tensor, layers: list[Tensor], pooled: Tensor) -> None:
        self.embedding_output = embedding
        self.all_encoder_layers = layers
        self.sequence_output = layers[-1]
        self.pooled_output = pooled


class BertModel(tf.Module):
    """The encoder of BERT and its pooler.

    Example:
        >>> model = BertModel(BertConfig(vocab_size=32000, hidden_size=768))   # doctest: +SKIP
        >>> outputs = model(tf.constant([[31, 51, 99], [15, 5, 0]]))           # doctest: +SKIP
        >>> outputs.pooled_output.shape                                        # doctest: +SKIP
        TensorShape([2, 768])
    """

    def __init__(
        self,
        config: BertConfig,
        *,
        use_one_hot_embeddings: bool = False,
        compute_dtype: Any = tf.float32,
        seed: int = 0,
    ) -> None:
        """Create the variables, freshly initialised.

        Args:
            config: sizes and functions.
            use_one_hot_embeddings: look words up by a matrix product, which TPUs prefer; the
                numbers are those of the gather form.
            compute_dtype: tf.float32, or tf.bfloat16 for mixed precision.
            seed: of the initial values; truncated normal of deviation `initializer_range`.

        Raises:
            ConfigError: an unknown activation.
        """
        super().__init__()
        initializer = Initializer(config.initializer_range, seed)
        self.config = config
        self.compute_dtype = compute_dtype
        self._embeddings = _Embeddings(config, use_one_hot_embeddings, initializer)
        self._layers = [
            _Layer(f"bert/encoder/layer_{layer}", config, initializer)
            for layer in range(config.num_hidden_layers)
        ]
        hidden = config.hidden_size
        self._pooler = Dense("bert/pooler/dense", hidden, hidden, initializer, tf.tanh)

    @property
    def embedding_table(self) -> Any:
        """The word embeddings, a float32 variable [vocab_size, hidden_size]."""
        return self._embeddings.word_embeddings

    def __call__(
        self,
        input_ids: Tensor,
        input_mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        *,
        seeds: DropoutSeeds | None = None,
    ) -> BertOutputs:
        """Run the model.

        Args:
            input_ids: int32 [b, l]; l at most max_position_embeddings.
            input_mask: int32 [b, l], 1 for tokens and 0 for padding; None for no padding.
            segment_ids: int32 [b, l], below type_vocab_size; None for zeros.
            seeds: of this step's dropouts; None outside training, when nothing is dropped.

        Raises:
            ValueError: l is known and greater than max_position_embeddings.
        """
        input_mask = tf.ones_like(input_ids) if input_mask is None else input_mask
        segment_ids = tf.zeros_like(input_ids) if segment_ids is None else segment_ids
        self._check_length(input_ids.shape[1])
        shape = tf.shape(input_ids)
        embedding = self._embeddings(input_ids, segment_ids, seeds)  # [b, l, h]
        adder = attention_adder(input_mask)
        # Rows of [b*l, h] between the layers: TPUs pay for every reshape.
        x = tf.reshape(tf.cast(embedding, self.compute_dtype), [-1, self.config.hidden_size])
        layers = []
        for layer in self._layers:
            x = layer(x, adder, shape, seeds)
            layers.append(tf.reshape(x, tf.shape(embedding)))
        pooled = self._pooler(layers[-1][:, 0])
        return BertOutputs(embedding, layers, pooled)

    def _check_length(self, length: int | None) -> None:
        longest = self.config.max_position_embeddings
        if length is not None and length > longest:
            raise ValueError(
                f"the sequence length {length} is greater than max_position_embeddings {longest}"
            )


class _Embeddings(tf.Module):
    """Words, token types and positions, summed, normalised and dropped out."""

    def __init__(self, config: BertConfig, one_hot: bool, initializer: Initializer) -> None:
        super().__init__()
        scope, hidden = "bert/embeddings", config.hidden_size
        new = initializer.truncated_normal
        self.word_embeddings = new(f"{scope}/word_embeddings", (config.vocab_size, hidden))
        self.token_type_embeddings = new(
            f"{scope}/token_type_embeddings", (config.type_vocab_size, hidden)
        )
        self.position_embeddings = new(
            f"{scope}/position_embeddings", (config.max_position_embeddings, hidden)
        )
        self._norm = LayerNorm(scope, hidden, config.layer_norm_eps)
        self._config = config
        self._one_hot = one_hot

    def __call__(self, input_ids: Tensor, segment_ids: Tensor, seeds: DropoutSeeds | None) -> Any:
        """Return float32 [b, l, h]."""
        words = self._lookup(self.word_embeddings, input_ids, self._one_hot)
        # The table of types is small, where the matrix product is always the faster form.
        types = self._lookup(self.token_type_embeddings, segment_ids, one_hot=True)
        positions = self.position_embeddings[: tf.shape(input_ids)[1]]  # [l, h]
        summed = words + types + positions
        return dropout(self._norm(summed), self._config.hidden_dropout_prob, seeds)

    def _lookup(self, table: Any, ids: Tensor, one_hot: bool) -> Tensor:
        """Rows of `table` [rows, h] by int32 ids [b, l]: [b, l, h]."""
        if not one_hot:
            return tf.gather(table, ids)
        flat = tf.one_hot(tf.reshape(ids, [-1]), depth=table.shape[0], dtype=tf.float32)
        shape = tf.shape(ids)
        return tf.reshape(tf.matmul(flat, table), [shape[0], shape[1], self._config.hidden_size])


class _Layer(tf.Module):
    """One encoder layer: self-attention, then a wider dense layer and back, both residual."""

    def __init__(self, scope: str, config: BertConfig, initializer: Initializer) -> None:
        super().__init__()
        hidden, inner, eps = config.hidden_size, config.intermediate_size, config.layer_norm_eps
        attention = f"{scope}/attention"
        self._self_attention = SelfAttention(f"{attention}/self", config, initializer)
        self._attention_output = Dense(f"{attention}/output/dense", hidden, hidden, initializer)
        self._attention_norm = LayerNorm(f"{attention}/output", hidden, eps)
        activation = get_activation(config.hidden_act)
        self._intermediate = Dense(
            f"{scope}/intermediate/dense", hidden, inner, initializer, activation
        )
        self._output = Dense(f"{scope}/output/dense", inner, hidden, initializer)
        self._output_norm = LayerNorm(f"{scope}/output", hidden, eps)
        self._dropout = config.hidden_dropout_prob

    def __call__(self, x: Tensor, adder: Tensor, shape: Tensor, seeds: DropoutSeeds | None) -> Any:
        """Map x [b*l, h] to the same shape and dtype."""
        context = self._self_attention(x, adder, shape, seeds)
        attended = dropout(self._attention_output(context), self._dropout, seeds)
        x = self._attention_norm(attended + x)
        inner = self._output(self._intermediate(x))
        return self._output_norm(dropout(inner, self._dropout, seeds) + x)
