"""8-bit products in numpy: where activations are large, and what rounding costs each layer.

Activations are rounded with a scale for each token, as bertfast's own engine does; ONNX Runtime
has one scale for a whole batch and loses more. The oracle does the rest in float32.
"""

from collections.abc import Mapping

import numpy as np

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig
from bertfast.onnx.oracle import BertOracle, Floats, Ids
from bertfast.onnx.quantization import quantize_columns, round_tokens

_SEED = 20181011  # any constant: an export can be repeated
_CALIBRATION_SHAPE = (16, 16)  # rows, tokens
_AFTER_LAYER_NORM = ("/qkv/kernel", "/intermediate/dense/kernel")
_MIGRATION = 0.6  # how much of the activations' range goes into the weights
_PROJECTIONS = ("query", "key", "value")


def layer_scope(layer: int) -> str:
    """Return the prefix of an encoder layer's variables."""
    return f"bert/encoder/layer_{layer}/"


def random_inputs(config: BertConfig, *, cls_id: int, sep_id: int) -> Ids:
    """Return input_ids int32 [16, 16]: [CLS], random ids, [SEP]; the same on every call."""
    rows, width = _CALIBRATION_SHAPE
    width = min(width, config.max_position_embeddings)
    ids = np.random.default_rng(_SEED).integers(0, config.vocab_size, (rows, width), np.int32)
    ids[:, -1] = sep_id
    ids[:, 0] = cls_id
    return ids


def input_ranges(config: BertConfig, variables: Mapping[str, Array], ids: Ids) -> dict[str, Floats]:
    """Return the largest magnitude of each channel of what each encoder kernel multiplies.

    Query, key and value multiply the same, and share the name `.../self/qkv/kernel`.

    Returns:
        Kernel name to float32 [rows of the kernel].
    """
    recorder = _Recorder(config, variables)
    recorder.hidden_states(ids, np.ones_like(ids), np.zeros_like(ids))
    return recorder.ranges


def layer_cosines(
    config: BertConfig,
    variables: Mapping[str, Array],
    smoothing: Mapping[str, Floats],
    ids: Ids,
) -> list[float]:
    """Return what it costs to make one layer 8-bit and no other, for each layer.

    Returns:
        The mean cosine of the last layer's vectors, averaged over each text, to those of the
        float32 model; 1 is no loss.
    """
    exact = BertOracle(config, variables, np.float32)
    states = exact.hidden_states(ids, np.ones_like(ids), np.zeros_like(ids))
    expected = states[-1].mean(axis=1)
    cosines = []
    for layer in range(config.num_hidden_layers):
        scope = layer_scope(layer)
        rounded = _Rounded(config, variables, smoothing, scope)
        given = rounded.from_layer(layer, states[layer]).mean(axis=1)
        cosines.append(float(row_cosines(given, expected).mean()))
    return cosines


def row_cosines(given: Floats, expected: Floats) -> Floats:
    """Return the cosine of each row with its twin: [..., width] to [...].

    Two rows of zeros agree; a NaN stays one.
    """
    norms = np.linalg.norm(given, axis=-1) * np.linalg.norm(expected, axis=-1)
    dots = (given * expected).sum(axis=-1)
    equal = (given == expected).all(axis=-1)
    result: Floats = np.where(equal, 1.0, dots / np.where(norms == 0, 1, norms))
    return result


def kernel_input(scope: str) -> str:
    """Return the name under which a kernel's input is known: three projections share one.

    >>> kernel_input("bert/encoder/layer_0/attention/self/key")
    'bert/encoder/layer_0/attention/self/qkv/kernel'
    """
    parent, _, last = scope.rpartition("/")
    return f"{parent}/qkv/kernel" if last in _PROJECTIONS else f"{scope}/kernel"


def smoothing_factors(
    variables: Mapping[str, Array], ranges: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return by what to multiply channels before rounding, so that no few of them rule the scale.

    Channel j of the activations is multiplied by (largest weight of row j)^0.4 / (largest
    activation of channel j)^0.6, and row j of the kernel divided by it; the product is the
    same. Only what follows a LayerNorm has such channels: smoothing the other kernels loses
    what it gains. Calibrated on random ids it is as good as on real sentences. MiniLM-L6, a
    scale each token, cosine to float32 mean and worst: 0.9970 and 0.9955 without, 0.9988 and
    0.9979 with an even balance, 0.9990 and 0.9984 with this one.

    Args:
        variables: the weights.
        ranges: what `input_ranges` gave.

    Returns:
        Kernel name to float32 [rows of the kernel].

    Source: Xiao et al., SmoothQuant (2022), section 4.
    """
    return {
        name: _balance(activations, _row_ranges(variables, name))
        for name, activations in ranges.items()
        if name.endswith(_AFTER_LAYER_NORM)
    }


def _row_ranges(variables: Mapping[str, Array], name: str) -> Floats:
    """Largest magnitude of each row of a kernel, or of the three that are joined."""
    scope = name.removesuffix("qkv/kernel")
    names = [name] if scope == name else [f"{scope}{kind}/kernel" for kind in _PROJECTIONS]
    rows = [np.abs(variables[one]).max(axis=1) for one in names]
    largest: Floats = np.max(rows, axis=0).astype(np.float32)
    return largest


def _balance(activations: Floats, weights: Floats) -> Floats:
    """weights^(1 - m) / activations^m, both kept from 0."""
    smallest = np.float32(1e-5)
    numerator = np.maximum(weights, smallest) ** (1 - _MIGRATION)
    factors: Floats = (numerator / np.maximum(activations, smallest) ** _MIGRATION).astype(
        np.float32
    )
    return factors


class _Recorder(BertOracle):
    """Notes what goes into each encoder kernel."""

    def __init__(self, config: BertConfig, variables: Mapping[str, Array]) -> None:
        super().__init__(config, variables, np.float32)
        self.ranges: dict[str, Floats] = {}

    def _dense(self, scope: str, x: Floats) -> Floats:
        largest = np.abs(x.reshape(-1, x.shape[-1])).max(axis=0)
        self.ranges[kernel_input(scope)] = largest
        return super()._dense(scope, x)


class _Rounded(BertOracle):
    """Rounds weights and activations of the kernels below a scope."""

    def __init__(
        self,
        config: BertConfig,
        variables: Mapping[str, Array],
        smoothing: Mapping[str, Floats],
        scope: str,
    ) -> None:
        super().__init__(config, variables, np.float32)
        self._smoothing = smoothing
        self._scope = scope

    def from_layer(self, first: int, x: Floats) -> Floats:
        """Return the last layer's output, given the input of layer `first`: [b, l, h]."""
        for layer in range(first, self._config.num_hidden_layers):
            x = self._layer(layer_scope(layer).rstrip("/"), x, np.zeros((), np.float32))
        return x

    def _dense(self, scope: str, x: Floats) -> Floats:
        if not scope.startswith(self._scope):
            return super()._dense(scope, x)
        factors = self._smoothing.get(kernel_input(scope), np.float32(1))
        rows = round_tokens(x.reshape(-1, x.shape[-1]) * factors)
        kernel = self._variable(f"{scope}/kernel")
        weights = quantize_columns(kernel / np.reshape(factors, (-1, 1))).dequantize()
        result = rows @ weights + self._variable(f"{scope}/bias")
        return result.reshape(*x.shape[:-1], -1)
