"""The weights of a fused graph by their places in the network, float32 or int8."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.engine.initializers import Initializers
from bertfast.errors import BundleError


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A dense layer.

    Attributes:
        weight: float32 or int8 [k, n].
        scale: float32 [n] for int8: column j stands for weight[:, j] * scale[j]; else None.
        bias: float32 [n].
        quantize: whether float32 weights are to become int8.
        smoothing: float32 [k], what the layer's input is to be multiplied by, or None.
    """

    weight: NDArray[Any]
    scale: NDArray[np.float32] | None
    bias: NDArray[np.float32]
    quantize: bool = False
    smoothing: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A LayerNorm: float32 [hidden] both."""

    gamma: NDArray[np.float32]
    beta: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The tables as they lie in the file.

    Attributes:
        words: float32 or int8 [vocab_size, hidden].
        word_scales: float32 [vocab_size] for int8, else None.
        positions: float32 [max_position_embeddings, hidden].
        segments: float32 [type_vocab_size, hidden].
        norm: what follows their sum.
    """

    words: NDArray[Any]
    word_scales: NDArray[np.float32] | None
    positions: NDArray[np.float32]
    segments: NDArray[np.float32]
    norm: Norm


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One encoder layer; qkv is query, key and value side by side, [hidden, 3 * hidden]."""

    qkv: Dense
    attention_output: Dense
    attention_norm: Norm
    intermediate: Dense
    output: Dense
    output_norm: Norm


class Weights:
    """Finds the weights of a fused graph among its initializers.

    A tensor `name` that was quantized is there as `name_quantized`, int8, with `name_scale`,
    float32 for each column (of the word embeddings: each row), and `name_zero_point`, all 0.
    `name_smoothing`, float32 for each row, is what was multiplied out of the kernel.
    Its methods raise BundleError for a tensor that is missing or of another kind.
    """

    def __init__(self, initializers: Initializers, *, quantize: bool) -> None:
        """Take weights out of `initializers`; with `quantize`, float32 layers become int8."""
        self._initializers = initializers
        self._quantize = quantize

    def embeddings(self) -> Embeddings:
        """Return the tables."""
        scope = "bert/embeddings"
        words, scales = self._maybe_quantized(f"{scope}/word_embeddings")
        return Embeddings(
            words,
            scales,
            self._typed(f"{scope}/position_embeddings", np.float32),
            self._typed(f"{scope}/token_type_embeddings", np.float32),
            self._norm(f"{scope}/LayerNorm"),
        )

    def layer(self, number: int) -> Layer:
        """Return the weights of one encoder layer."""
        scope = f"bert/encoder/layer_{number}"
        return Layer(
            self._smoothed(f"{scope}/attention/self/qkv"),
            self._dense(f"{scope}/attention/output/dense"),
            self._norm(f"{scope}/attention/output/LayerNorm"),
            self._smoothed(f"{scope}/intermediate/dense"),
            self._dense(f"{scope}/output/dense"),
            self._norm(f"{scope}/output/LayerNorm"),
        )

    def pooler(self) -> Dense | None:
        """Return the pooler, None if the graph has none. It is never quantized here."""
        scope = "bert/pooler/dense"
        return self._dense(scope, quantize=False) if f"{scope}/bias" in self._initializers else None

    def classifier(self) -> Dense | None:
        """Return the classifier [hidden, labels], None if the graph has none."""
        if "output_weights" not in self._initializers:
            return None
        weights = self._typed("output_weights", np.float32)
        return Dense(_aligned(weights.T), None, self._vector("output_bias"))

    def _dense(self, scope: str, quantize: bool | None = None) -> Dense:
        weight, scale = self._maybe_quantized(f"{scope}/kernel")
        bias = self._vector(f"{scope}/bias")
        quantize = (self._quantize if quantize is None else quantize) and scale is None
        return Dense(_aligned(weight), scale, bias, quantize)

    def _smoothed(self, scope: str) -> Dense:
        """Return a layer whose input may have to be multiplied by something."""
        dense, name = self._dense(scope), f"{scope}/kernel_smoothing"
        return replace(dense, smoothing=self._vector(name)) if name in self._initializers else dense

    def _norm(self, scope: str) -> Norm:
        return Norm(self._vector(f"{scope}/gamma"), self._vector(f"{scope}/beta"))

    def _vector(self, name: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = _aligned(self._typed(name, np.float32).reshape(-1))
        return vector

    def _maybe_quantized(self, name: str) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        if f"{name}_quantized" not in self._initializers:
            return self._typed(name, np.float32), None
        zero_point = f"{name}_zero_point"
        if zero_point in self._initializers and self._initializers[zero_point].any():
            raise BundleError(f"{name}: weights quantized with a zero point cannot be run")
        return self._typed(f"{name}_quantized", np.int8), self._vector(f"{name}_scale")

    def _typed(self, name: str, dtype: type) -> NDArray[Any]:
        array = self._initializers[name]
        if array.dtype != dtype:
            raise BundleError(f"{name}: expected {np.dtype(dtype)}, found {array.dtype}")
        return array


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that the engine can read: in C order, each value at its own multiple."""
    return np.require(array, requirements=["C", "A"])
