"""The gate of graphs in a lower precision: how near they are to their float32 graph, and faster.

The float32 graph has passed its own gate when this one runs. Both see the same batches, one
after the other, so that the times are comparable on a machine that does other work too. An int8
graph's weights go through the native engine as well.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bertfast.engine import native_kernel
from bertfast.errors import ExportError
from bertfast.onnx.gate import Batch, Runner, import_onnxruntime, open_graph, run_batch
from bertfast.onnx.graph import CLASSIFIER_OUTPUTS
from bertfast.onnx.oracle import Floats
from bertfast.onnx.simulation import row_cosines

# A batch's outputs by their names.
Values: TypeAlias = dict[str, Floats]

_CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True, slots=True)
class Limits:
    """Least values that are accepted.

    Attributes:
        mean_cosine: of an output's vectors, on average; of all scores of a classifier.
        worst_cosine: of an output's vectors, the worst one.
        label_agreement: share of inputs with the same predicted label.
    """

    mean_cosine: float
    worst_cosine: float
    label_agreement: float

    @classmethod
    def within(cls, tolerance: float) -> "Limits":
        """Return the limits that are `tolerance` away from no difference."""
        return cls(1 - tolerance, 1 - tolerance, 1 - tolerance)


# The inputs are random ids, harder than sentences, and ONNX Runtime rounds a batch's activations
# with one scale. MiniLM-L6 there: int8 0.994 mean and 0.977 worst (sentences 0.996 and 0.993),
# without smoothing 0.987 and 0.969, with one scale a kernel 0.87 worst. fp16: 1.00000 both.
# The native engine has a scale a token and must stay within the same limits.
LIMITS = {
    "int8": Limits(mean_cosine=0.98, worst_cosine=0.95, label_agreement=0.95),
    "fp16": Limits(mean_cosine=0.9999, worst_cosine=0.999, label_agreement=0.99),
}


@dataclass(frozen=True, slots=True)
class Miss:
    """The first figure below its limit."""

    figure: str
    value: float
    limit: float


def compare_precisions(
    model: Path,
    float32_model: Path,
    batches: Sequence[Batch],
    outputs: Sequence[str],
    *,
    gpu: bool,
    native: Runner | None = None,
) -> dict[str, Any]:
    """Run both graphs on all batches and return what was measured.

    Args:
        model: the graph in the lower precision.
        float32_model: the graph it must agree with.
        batches: what both see.
        outputs: the outputs to compare.
        gpu: run on a GPU if there is one that ONNX Runtime can use.
        native: the native engine with `model`'s weights, if it is to run them: it rounds
            activations otherwise than ONNX Runtime, so that its numbers are others.

    Returns:
        For each output the cosine, mean and worst, and the largest absolute difference; the
        share of equal labels for classifiers; how many times as fast the graph is, and on what.
        All of this is ONNX Runtime's; under `native` the same for the native engine.

    Raises:
        ExportError: onnxruntime or the native engine cannot run a graph.
    """
    providers = _providers(gpu)
    sessions = [open_graph(path, providers) for path in (model, float32_model)]
    seconds = [0.0, 0.0]
    given: list[Values] = []
    expected: list[Values] = []
    for batch in batches:
        for index, results in enumerate((given, expected)):
            started = time.perf_counter()
            results.append(run_batch(sessions[index], batch, outputs))
            seconds[index] += time.perf_counter() - started
    measured: dict[str, Any] = {
        "device": "cuda" if providers[0] == _CUDA else "cpu",
        **_compare(batches, given, expected, outputs),
        "speed_ratio": round(seconds[1] / seconds[0], 2),
    }
    if native is not None:
        found = _compare(batches, native(batches), expected, outputs)
        measured["native"] = {"kernel": native_kernel(), **found}
    return measured


def _compare(
    batches: Sequence[Batch],
    given: Sequence[Values],
    expected: Sequence[Values],
    outputs: Sequence[str],
) -> dict[str, Any]:
    """Return cosines, differences and agreement over all batches; padding does not count."""
    measured: dict[str, Any] = {"cosine": {}, "max_abs_difference": {}}
    for name in outputs:
        by_token = name == "sequence_output"
        masks = [batch.input_mask > 0 if by_token else slice(None) for batch in batches]
        ours, theirs = (
            np.concatenate([values[name][mask] for values, mask in zip(side, masks, strict=True)])
            for side in (given, expected)
        )
        measured["cosine"][name] = _cosines(name, ours, theirs)
        measured["max_abs_difference"][name] = float(np.abs(ours - theirs).max())
        if name in CLASSIFIER_OUTPUTS and "label_agreement" not in measured:
            same = ours.argmax(1) == theirs.argmax(1)
            measured["label_agreement"] = float(same.mean())
    return measured


def find_miss(measured: Mapping[str, Any], limits: Limits, where: str = "") -> Miss | None:
    """Return the first figure that is below its limit, or None; NaN is below.

    The native engine's figures count as ONNX Runtime's do: a bundle may run on either.
    """
    figures = []
    for name, cosine in measured["cosine"].items():
        mean, worst = f"mean cosine of {name}{where}", f"worst cosine of {name}{where}"
        figures.append(Miss(mean, cosine["mean"], limits.mean_cosine))
        if "worst" in cosine:
            figures.append(Miss(worst, cosine["worst"], limits.worst_cosine))
    if "label_agreement" in measured:
        agreement = measured["label_agreement"]
        figures.append(Miss(f"share of equal labels{where}", agreement, limits.label_agreement))
    miss = next((miss for miss in figures if not miss.value >= miss.limit), None)
    if miss is None and "native" in measured:
        return find_miss(measured["native"], limits, " on the native engine")
    return miss


def refuse(precision: str, miss: Miss, hint: str = "") -> ExportError:
    """Return the error of a graph that is too far off."""
    return ExportError(
        f"in {precision} the {miss.figure} to the float32 graph is {miss.value:.4f}, the limit is "
        f"{miss.limit:.4f}{hint}; it was not published"
    )


def _providers(gpu: bool) -> list[str]:
    available = import_onnxruntime().get_available_providers()
    cuda = [_CUDA] if gpu and _CUDA in available else []
    return [*cuda, "CPUExecutionProvider"]


def _cosines(name: str, given: Floats, expected: Floats) -> dict[str, float]:
    """A classifier's few scores have no direction to speak of: all of them make one vector."""
    if name in CLASSIFIER_OUTPUTS:
        return {"mean": float(row_cosines(given.ravel(), expected.ravel()))}
    cosines = row_cosines(given, expected)
    # NaN must show: min() of numpy keeps it.
    return {"mean": float(cosines.mean()), "worst": float(cosines.min())}
