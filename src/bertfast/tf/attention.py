"""Multi-head self-attention.

Shapes: b batch, l length, n heads, s head size, h = n*s hidden.
Source: google-research/bert modeling.py, attention_layer.
"""

import math
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.config import BertConfig
from bertfast.tf.layers import Dense, DropoutSeeds, Initializer, dropout

Tensor: TypeAlias = Any

_MASKED_SCORE = -10000.0  # added before the softmax, so that padding gets no weight


def attention_adder(input_mask: Tensor) -> Tensor:
    """Return what is added to the scores: float32 [b, 1, 1, l], 0 for tokens.

    The original first spreads the mask to [b, l, l]; every row of that is the same.

    Args:
        input_mask: int32 [b, l], 1 for tokens and 0 for padding.
    """
    mask = tf.cast(tf.expand_dims(tf.expand_dims(input_mask, 1), 2), tf.float32)
    return (1.0 - mask) * _MASKED_SCORE


class SelfAttention(tf.Module):
    """Every position's weighted mean of all positions' values."""

    def __init__(self, scope: str, config: BertConfig, initializer: Initializer) -> None:
        """Create `scope/{query,key,value}/{kernel,bias}`."""
        super().__init__()
        hidden = config.hidden_size
        self.query = Dense(f"{scope}/query", hidden, hidden, initializer)
        self.key = Dense(f"{scope}/key", hidden, hidden, initializer)
        self.value = Dense(f"{scope}/value", hidden, hidden, initializer)
        self._config = config

    def __call__(self, x: Tensor, adder: Tensor, shape: Tensor, seeds: DropoutSeeds | None) -> Any:
        """Return the context, [b*l, h] in x's dtype.

        Args:
            x: the layer's input, [b*l, h].
            adder: float32 [b, 1, 1, l], see `attention_adder`.
            shape: int32 [2], b and l.
            seeds: of this step's dropouts; None outside training.
        """
        query, key, value = (
            self._heads(layer(x), shape) for layer in (self.query, self.key, self.value)
        )
        # Scaling the query is cheaper than scaling the scores, [b, n, l, l].
        query *= tf.cast(1.0 / math.sqrt(self._config.head_size), x.dtype)
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32) + adder
        weights = tf.cast(tf.nn.softmax(scores), x.dtype)
        weights = dropout(weights, self._config.attention_probs_dropout_prob, seeds)
        context = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])  # [b, l, n, s]
        return tf.reshape(context, [-1, self._config.hidden_size])

    def _heads(self, x: Tensor, shape: Tensor) -> Tensor:
        """[b*l, h] to [b, n, l, s]."""
        n, s = self._config.num_attention_heads, self._config.head_size
        return tf.transpose(tf.reshape(x, [shape[0], shape[1], n, s]), [0, 2, 1, 3])
