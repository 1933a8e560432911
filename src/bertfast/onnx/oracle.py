"""BERT in numpy, written to be read: the oracle that every exported graph is compared with.

It works on the original's variables, one line for each equation, in the float type asked for.
Shapes: b batch, l length, n heads, s head size, h = n*s hidden, i intermediate.
Source: google-research/bert modeling.py.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig

Ids: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[Any]  # float64 or float32


_BLOCK_VALUES = 16384


class BertOracle:
    """The forward pass of a BERT without dropout."""

    def __init__(
        self, config: BertConfig, variables: Mapping[str, Array], dtype: type = np.float64
    ) -> None:
        self._config = config
        self._variables = variables
        self._dtype = dtype

    def run(self, input_ids: Ids, input_mask: Ids, segment_ids: Ids) -> dict[str, Floats]:
        """Return every output that the variables allow, by its name in the graph.

        Args:
            input_ids: int32 [b, l].
            input_mask: int32 [b, l], 1 for tokens and 0 for padding.
            segment_ids: int32 [b, l].
        """
        x = self.hidden_states(input_ids, input_mask, segment_ids)[-1]
        outputs = {"sequence_output": x, "mean_embedding": mean_embedding(x, input_mask)}
        if "bert/pooler/dense/kernel" in self._variables:
            outputs["pooled_output"] = np.tanh(self._dense("bert/pooler/dense", x[:, 0]))
            if "output_weights" in self._variables:
                weights = self._variable("output_weights")  # [labels, h]
                logits = outputs["pooled_output"] @ weights.T + self._variable("output_bias")
                outputs |= {"logits": logits, "probabilities": softmax(logits)}
        return outputs

    def hidden_states(self, input_ids: Ids, input_mask: Ids, segment_ids: Ids) -> list[Floats]:
        """Return the embedding output, then each layer's: floats [b, l, h]."""
        x = self._embeddings(input_ids, segment_ids)
        adder: Floats = (
            1 - input_mask[:, None, None, :].astype(self._dtype)
        ) * -10000  # [b, 1, 1, l]
        states = [x]
        for layer in range(self._config.num_hidden_layers):
            x = self._layer(f"bert/encoder/layer_{layer}", x, adder)
            states.append(x)
        return states

    def _embeddings(self, input_ids: Ids, segment_ids: Ids) -> Floats:
        scope = "bert/embeddings"
        words: Floats = self._variables[f"{scope}/word_embeddings"][input_ids].astype(self._dtype)
        types = self._variable(f"{scope}/token_type_embeddings")[segment_ids]
        positions = self._variable(f"{scope}/position_embeddings")[: input_ids.shape[1]]
        return self._norm(scope, words + types + positions)

    def _layer(self, scope: str, x: Floats, adder: Floats) -> Floats:
        context = self._attention(f"{scope}/attention/self", x, adder)
        a = self._norm(
            f"{scope}/attention/output", self._dense(f"{scope}/attention/output/dense", context) + x
        )
        inner = self._dense(f"{scope}/intermediate/dense", a)  # [b, l, i]
        inner = in_blocks(ACTIVATIONS[self._config.hidden_act], inner)
        return self._norm(f"{scope}/output", self._dense(f"{scope}/output/dense", inner) + a)

    def _attention(self, scope: str, x: Floats, adder: Floats) -> Floats:
        query, key, value = (
            self._heads(self._dense(f"{scope}/{name}", x)) for name in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(-1, -2) / math.sqrt(self._config.head_size)  # [b, n, l, l]
        context = softmax(scores + adder) @ value  # [b, n, l, s]
        return context.swapaxes(1, 2).reshape(x.shape)

    def _heads(self, x: Floats) -> Floats:
        """[b, l, h] to [b, n, l, s]."""
        n, s = self._config.num_attention_heads, self._config.head_size
        return x.reshape(*x.shape[:2], n, s).swapaxes(1, 2)

    def _dense(self, scope: str, x: Floats) -> Floats:
        # One product of matrices: numpy would loop over the batch of a three-dimensional x.
        rows = x.reshape(-1, x.shape[-1])
        result = rows @ self._variable(f"{scope}/kernel") + self._variable(f"{scope}/bias")
        return result.reshape(*x.shape[:-1], -1)

    def _norm(self, scope: str, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        normed = centred / np.sqrt(variance + self._config.layer_norm_eps)
        gamma, beta = (self._variable(f"{scope}/LayerNorm/{name}") for name in ("gamma", "beta"))
        result: Floats = normed * gamma + beta
        return result

    def _variable(self, name: str) -> Floats:
        return self._variables[name].astype(self._dtype, copy=False)


def in_blocks(function: Callable[[Floats], Floats], x: Floats) -> Floats:
    """Apply an element-wise function in blocks that stay in cache: 25 ns a value, not 350."""
    flat = x.reshape(-1)
    result = np.empty_like(flat)
    for start in range(0, len(flat), _BLOCK_VALUES):
        block = slice(start, start + _BLOCK_VALUES)
        result[block] = function(flat[block])
    return result.reshape(x.shape)


def softmax(x: Floats) -> Floats:
    """Softmax over the last axis."""
    exponents = np.exp(x - x.max(-1, keepdims=True))
    result: Floats = exponents / exponents.sum(-1, keepdims=True)
    return result


def mean_embedding(x: Floats, input_mask: Ids) -> Floats:
    """Mask-weighted mean of x [b, l, h], L2-normalised: [b, h], as sentence-transformers."""
    mask = input_mask[:, :, None].astype(x.dtype)
    mean = (x * mask).sum(1) / np.maximum(mask.sum(1), 1e-9)
    result: Floats = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    return result


_ERF_STEPS = 256  # table points per unit
_ERF_LIMIT = 6  # beyond it, erf is 1 in float64


def _erf_coefficients() -> Floats:
    """Taylor coefficients of erf, orders 0 to 5, about each multiple of 1/256: [6, points].

    The n-th derivative of exp(-c*c) is (-1)^n H_n(c) exp(-c*c), H_n the Hermite polynomials.
    """
    c = np.arange(_ERF_LIMIT * _ERF_STEPS + 1) / _ERF_STEPS
    rows = [np.array([math.erf(point) for point in c])]
    before, hermite = np.zeros_like(c), np.ones_like(c)
    for n in range(5):
        scale = (-1) ** n * 2 / math.sqrt(math.pi) / math.factorial(n + 1)
        rows.append(scale * hermite * np.exp(-c * c))
        before, hermite = hermite, 2 * c * hermite - 2 * n * before
    return np.stack(rows)


_ERF_COEFFICIENTS = _erf_coefficients()


def erf(x: Floats) -> Floats:
    """The error function, which numpy lacks, to 3e-16: a Taylor series about the nearest point.

    The distance is 1/512 at most, so the first term left out is below 1e-17.
    """
    size = np.minimum(np.abs(x), _ERF_LIMIT).astype(np.float64, copy=False)
    nearest = np.rint(size * _ERF_STEPS)
    distance = size - nearest / _ERF_STEPS
    index = nearest.astype(np.intp)
    value = np.zeros_like(size)
    for row in _ERF_COEFFICIENTS[::-1]:
        value = value * distance + row.take(index)
    result: Floats = np.copysign(value, x).astype(x.dtype, copy=False)
    return result


def gelu_erf(x: Floats) -> Floats:
    """Multiply x by the normal distribution function, exactly."""
    result: Floats = x * 0.5 * (1 + erf(x / math.sqrt(2)))
    return result


def gelu_tanh(x: Floats) -> Floats:
    """The tanh approximation of gelu, the original's."""
    result: Floats = x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return result


def relu(x: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(x, 0)


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent."""
    result: Floats = np.tanh(x)
    return result


def linear(x: Floats) -> Floats:
    """The identity."""
    return x


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    function.__name__: function for function in (gelu_tanh, gelu_erf, relu, tanh, linear)
}
