"""The fused graph with 8-bit weights and products.

    x [batch, length, hidden] --DynamicQuantizeLinear--> uint8 --QAttention--> context
    x --DynamicQuantizeMatMul(int8 kernel, a scale each column)--> float32
    (each x first multiplied by a factor a channel, which the kernel's rows are divided by)
    ids --Gather--> int8 rows --Cast--Mul(scale of the row)--Add--Add--LayerNormalization--> x

ONNX Runtime rounds activations with one scale for a whole batch, as it runs. The weights of
`<name>` are the initializers `<name>_quantized` (int8), `<name>_scale` (float32) and
`<name>_zero_point` (int8, all 0), as onnxruntime.quantization calls them; `<name>_smoothing`
(float32 [rows]) holds the factors of what the kernel multiplies. Pooler and classifier see one
vector a text; they stay in float32, which costs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig
from bertfast.onnx.graph import MASKED_SCORE, FusedGraph
from bertfast.onnx.oracle import Floats
from bertfast.onnx.quantization import Quantized, quantize_columns, quantize_rows

WORD_EMBEDDINGS = "bert/embeddings/word_embeddings"


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    """What becomes 8-bit.

    Attributes:
        float32_layers: encoder layers that stay in float32, by number.
        word_embeddings: whether the word embeddings become 8-bit too.
        smoothing: kernel name to factors, float32 [rows]; see `simulation.smoothing_factors`.
    """

    float32_layers: tuple[int, ...] = ()
    word_embeddings: bool = True
    smoothing: Mapping[str, Floats] = field(default_factory=dict)


class QuantizedGraph(FusedGraph):
    """Nodes and initializers of the 8-bit graph."""

    def __init__(
        self, config: BertConfig, variables: Mapping[str, Array], plan: QuantizationPlan
    ) -> None:
        super().__init__(config, variables)
        self._plan = plan
        self._float32_scopes = tuple(f"bert/encoder/layer_{n}/" for n in plan.float32_layers)

    def _embeddings(self) -> str:
        if not self._plan.word_embeddings:
            return super()._embeddings()
        scope = "bert/embeddings"
        words = self._words()
        segments = self._variable(f"{scope}/token_type_embeddings")
        self._node("Gather", [segments, "segment_ids"], f"{scope}/segments", axis=0)
        self._node("Add", [words, f"{scope}/segments"], f"{scope}/words_segments")
        sum_ = self._node("Add", [f"{scope}/words_segments", self._positions()], f"{scope}/sum")
        norm = [self._variable(f"{scope}/LayerNorm/{kind}") for kind in ("gamma", "beta")]
        return self._node(
            "LayerNormalization",
            [sum_, *norm],
            f"{scope}/output",
            axis=-1,
            epsilon=self.config.layer_norm_eps,
        )

    def _words(self) -> str:
        """Float32 [batch, length, hidden]: rows of the table times their scales."""
        self._weights(WORD_EMBEDDINGS, quantize_rows(self.variables[WORD_EMBEDDINGS]))
        for kind in ("quantized", "scale"):
            table = f"{WORD_EMBEDDINGS}_{kind}"
            self._node("Gather", [table, "input_ids"], f"{table}/rows", axis=0)
        integers = f"{WORD_EMBEDDINGS}_quantized/rows"
        self._node("Cast", [integers], f"{integers}/float32", to=TensorProto.FLOAT)
        factors = [f"{integers}/float32", f"{WORD_EMBEDDINGS}_scale/rows"]
        return self._node("Mul", factors, f"{WORD_EMBEDDINGS}/rows")

    def _positions(self) -> str:
        """Float32 [length, hidden]: the first rows of the position embeddings."""
        table = self._variable("bert/embeddings/position_embeddings")
        bounds = [
            self._constant(f"{table}/{name}", np.array([number], np.int64))
            for name, number in (("start", 0), ("axis", 0))
        ]
        self._node("Shape", ["input_ids"], f"{table}/length", start=1, end=2)
        inputs = [table, bounds[0], f"{table}/length", bounds[1]]
        return self._node("Slice", inputs, f"{table}/rows")

    def _attention(self, scope: str, hidden: str) -> str:
        if self._is_float32(scope):
            return super()._attention(scope, hidden)
        kernel, bias = f"{scope}/qkv/kernel", f"{scope}/qkv/bias"
        hidden = self._smoothed(kernel, self._joined(scope, "kernel"), hidden)
        self._constant(bias, self._joined(scope, "bias"))
        rounded = [f"{scope}/input_uint8", f"{scope}/input_scale", f"{scope}/input_zero_point"]
        self._several("DynamicQuantizeLinear", [hidden], rounded)
        inputs = [
            *(rounded[0], f"{kernel}_quantized", bias, rounded[1], f"{kernel}_scale"),
            *("input_mask", rounded[2], f"{kernel}_zero_point"),
        ]
        return self._fused(
            "QAttention",
            inputs,
            [scope],
            num_heads=self.config.num_attention_heads,
            mask_filter_value=MASKED_SCORE,
        )

    def _product(self, scope: str, hidden: str) -> str:
        if self._is_float32(scope):
            return super()._product(scope, hidden)
        kernel = f"{scope}/kernel"
        hidden = self._smoothed(kernel, self.variables[kernel], hidden)
        weights = [f"{kernel}_{kind}" for kind in ("quantized", "scale", "zero_point")]
        return self._fused("DynamicQuantizeMatMul", [hidden, *weights], [scope])

    def _smoothed(self, name: str, kernel: Array, hidden: str) -> str:
        """Add the kernel's weights; return what they are to be multiplied with."""
        factors = self._plan.smoothing.get(name)
        if factors is None:
            self._weights(name, quantize_columns(kernel))
            return hidden
        self._weights(name, quantize_columns(kernel / factors[:, None]))
        smoothing = self._constant(f"{name}_smoothing", factors)
        return self._node("Mul", [hidden, smoothing], f"{name}/input")

    def _weights(self, name: str, weights: Quantized) -> None:
        self._constant(f"{name}_quantized", weights.values)
        self._constant(f"{name}_scale", weights.scale)
        if name != WORD_EMBEDDINGS:  # ONNX Runtime warns of what no node reads
            self._constant(f"{name}_zero_point", np.zeros(weights.scale.shape, np.int8))

    def _is_float32(self, scope: str) -> bool:
        return scope.startswith(self._float32_scopes)
