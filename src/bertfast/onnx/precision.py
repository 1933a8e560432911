"""Lower precisions: build the graph, measure it against the float32 one, decide what stays float32.

int8: the most sensitive layers stay in float32, as few as the limits need and a quarter at most.
fp16: everything but the heads.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig
from bertfast.errors import ExportError
from bertfast.onnx.gate import Batch, make_batches
from bertfast.onnx.graph import FusedGraph, assemble
from bertfast.onnx.half_graph import HalfGraph
from bertfast.onnx.native_gate import run_native
from bertfast.onnx.oracle import Floats
from bertfast.onnx.precision_gate import LIMITS, Limits, compare_precisions, find_miss, refuse
from bertfast.onnx.quantized_graph import QuantizationPlan, QuantizedGraph
from bertfast.onnx.simulation import (
    input_ranges,
    layer_cosines,
    random_inputs,
    smoothing_factors,
)

Precision: TypeAlias = Literal["fp32", "int8", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8", "fp16")
_FLOAT32_SHARE = 4  # one layer in this many may stay in float32


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a lower precision is made from and measured with.

    Attributes:
        config: the model's configuration.
        variables: its weights.
        outputs: its outputs.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        n_inputs: how many inputs to compare.
        tolerance: takes the place of the limits: what cosines and agreement may lack to 1.
        word_embeddings: whether int8 takes in the word embeddings.
        on_step: called with a line of text when a step begins.
    """

    config: BertConfig
    variables: Mapping[str, Array]
    outputs: Sequence[str]
    cls_id: int
    sep_id: int
    n_inputs: int
    tolerance: float | None
    word_embeddings: bool
    on_step: Callable[[str], None]

    def specials(self) -> dict[str, int]:
        """Return the special ids by the gate's names."""
        return {"cls_id": self.cls_id, "sep_id": self.sep_id}

    def limits(self, precision: Precision) -> Limits:
        """Return what the measured figures must reach."""
        return LIMITS[precision] if self.tolerance is None else Limits.within(self.tolerance)


def lower_precision(
    model: Path, float32_model: Path, precision: Precision, conversion: Conversion
) -> dict[str, Any]:
    """Write the graph in a lower precision and return what was measured.

    Args:
        model: the file to write.
        float32_model: the graph to compare with.
        precision: int8 or fp16.
        conversion: all else.

    Returns:
        What `compare_precisions` gave, the limits, how many inputs of which lengths, and for
        int8 what each layer costs and which stay in float32.

    Raises:
        ExportError: the graph is too far off; it names the figure and its limit.
    """
    batches = make_batches(conversion.config, n_inputs=conversion.n_inputs, **conversion.specials())
    convert = _to_int8 if precision == "int8" else _to_fp16
    measured = convert(model, float32_model, conversion, batches)
    return {
        "reference": "its float32 graph",
        "inputs": conversion.n_inputs,
        "batches": len(batches),
        "longest": int(max(batch.lengths.max() for batch in batches)),
        **measured,
        "limits": dataclasses.asdict(conversion.limits(precision)),
    }


def check_precision(precision: str, graph: str) -> None:
    """Raise ExportError unless there is such a precision for such a graph."""
    if precision not in PRECISIONS:
        raise ExportError(f"precision is one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision != "fp32" and graph != "fused":
        raise ExportError(f"precision {precision} needs the fused graph, got {graph!r}")


def _to_fp16(
    model: Path, float32_model: Path, conversion: Conversion, batches: Sequence[Batch]
) -> dict[str, Any]:
    graph = HalfGraph(conversion.config, conversion.variables)
    measured = _measure(model, float32_model, graph, conversion, batches, gpu=True)
    miss = find_miss(measured, conversion.limits("fp16"))
    if miss:
        raise refuse("fp16", miss)
    return measured


def _to_int8(
    model: Path, float32_model: Path, conversion: Conversion, batches: Sequence[Batch]
) -> dict[str, Any]:
    conversion.on_step("measuring what 8 bits cost each layer")
    config, variables = conversion.config, conversion.variables
    ids = random_inputs(config, **conversion.specials())
    smoothing = smoothing_factors(variables, input_ranges(config, variables, ids))
    cosines = layer_cosines(config, variables, smoothing, ids)
    by_cost = sorted(range(len(cosines)), key=cosines.__getitem__)
    most_float32 = len(cosines) // _FLOAT32_SHARE
    for n_float32 in range(most_float32 + 1):
        plan = QuantizationPlan(
            float32_layers=tuple(sorted(by_cost[:n_float32])),
            word_embeddings=conversion.word_embeddings,
            smoothing=smoothing,
        )
        graph = QuantizedGraph(config, variables, plan)
        measured = _measure(model, float32_model, graph, conversion, batches, gpu=False)
        miss = find_miss(measured, conversion.limits("int8"))
        if miss is None:
            break
        if n_float32 == most_float32:
            raise refuse("int8", miss, _worst_layer(cosines, n_float32))
    return measured | {"quantization": _describe(plan, cosines)}


def _worst_layer(cosines: Sequence[float], n_float32: int) -> str:
    worst = min(range(len(cosines)), key=cosines.__getitem__)
    return (
        f", with {n_float32} of {len(cosines)} layers in float32 (layer {worst} costs most: "
        f"alone in int8 it leaves a cosine of {cosines[worst]:.4f})"
    )


def _measure(
    model: Path,
    float32_model: Path,
    graph: FusedGraph,
    conversion: Conversion,
    batches: Sequence[Batch],
    *,
    gpu: bool,
) -> dict[str, Any]:
    model.write_bytes(assemble(graph, conversion.outputs).SerializeToString())
    conversion.on_step(f"comparing {conversion.n_inputs} inputs with the float32 graph")
    native = None
    if isinstance(graph, QuantizedGraph):

        def native(batches: Sequence[Batch]) -> list[dict[str, Floats]]:
            return run_native(model, conversion.config, batches, conversion.outputs)

    return compare_precisions(
        model, float32_model, batches, conversion.outputs, gpu=gpu, native=native
    )


def _describe(plan: QuantizationPlan, cosines: Sequence[float]) -> dict[str, Any]:
    return {
        "weights": "int8, a scale each output column, smoothed after each LayerNorm",
        "word_embeddings": "int8, a scale each row" if plan.word_embeddings else "float32",
        "float32_layers": list(plan.float32_layers),
        "layer_cosine": [round(cosine, 6) for cosine in cosines],
    }
