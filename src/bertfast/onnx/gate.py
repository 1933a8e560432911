"""The parity gate: an exported graph is published only if it gives the source's numbers.

The graph sees the inputs in batches of many shapes, padded or not; the oracle, numpy in
float64, sees each input at its true length and never padded. What they disagree on is the
graph's own error, padding included.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig
from bertfast.errors import ExportError
from bertfast.onnx.graph import CLASSIFIER_OUTPUTS, INPUTS
from bertfast.onnx.oracle import BertOracle, Floats, Ids

DEFAULT_INPUTS = 1000

# Largest absolute difference allowed, times the largest value of the output if that is above 1.
# Float32 noise, measured: 3e-7, 5e-6 (values up to 6), 3e-7, 5e-6 (up to 4) and 1e-6 on
# MiniLM-L6; up to 1.4e-5, 1.3e-5 and 4e-7 on random models of BERT-large's size. Mistakes,
# measured on MiniLM-L6: the other gelu gives 3e-4 in pooled_output, swapped query and key 0.2.
LIMITS = {
    "pooled_output": 5e-5,
    "sequence_output": 1e-4,
    "mean_embedding": 1e-5,
    "logits": 1e-4,
    "probabilities": 1e-4,
}

_SEED = 20181011  # any constant: an export can be repeated
# (rows, width) of the batches: these once, then all 63 pairs of the short ones over and over.
# Odd counts, so that each shape comes with padding and without.
_LONG_SHAPES = ((1, 512), (1, 512), (2, 128), (5, 33), (1, 256), (3, 64))
_BATCH_SIZES = (1, 32, 7, 64, 2, 16, 3)
_SHORT_WIDTHS = (1, 2, 3, 4, 5, 6, 8, 11, 16)
_ORACLE_TOKENS = 512  # at once: its temporaries stay in cache


@dataclass(frozen=True, slots=True)
class Batch:
    """One feed of the graph: int32 [rows, width] each, and the rows' true lengths."""

    input_ids: Ids
    input_mask: Ids
    segment_ids: Ids
    lengths: NDArray[np.int64]

    def feeds(self) -> dict[str, Ids]:
        """Return the arrays by the names of the graph's inputs."""
        return dict(zip(INPUTS, (self.input_ids, self.input_mask, self.segment_ids), strict=True))


Runner: TypeAlias = Callable[[Sequence[Batch]], list[dict[str, Floats]]]


@dataclass(slots=True)
class _Comparison:
    """What was seen so far."""

    differences: dict[str, float] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    n_agreeing: int = 0

    def add(self, name: str, given: Floats, expected: Floats) -> None:
        difference = float(np.abs(given - expected).max())
        before = self.differences.get(name, 0.0)
        # A NaN must stay: max() would drop it.
        self.differences[name] = difference if np.isnan(difference) else max(before, difference)
        self.largest[name] = max(self.largest.get(name, 0.0), float(np.abs(expected).max()))


def check_parity(
    model: Path,
    config: BertConfig,
    variables: Mapping[str, Array],
    outputs: Sequence[str],
    *,
    cls_id: int,
    sep_id: int,
    n_inputs: int = DEFAULT_INPUTS,
    tolerance: float | None = None,
) -> dict[str, Any]:
    """Compare the graph in `model` with the oracle; see `check_runner`.

    Args:
        model: the graph's file.
        config: the configuration it was built with.
        variables: the source, by the original's names.
        outputs: the graph's outputs.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        n_inputs: how many inputs to compare.
        tolerance: takes the place of every limit in `LIMITS`.

    Raises:
        ExportError: a difference exceeds its limit; it names the figure and the limit.
    """
    return check_runner(
        lambda batches: run_graph(model, batches, outputs),
        config,
        variables,
        outputs,
        cls_id=cls_id,
        sep_id=sep_id,
        n_inputs=n_inputs,
        tolerance=tolerance,
    )


def check_runner(
    run: Runner,
    config: BertConfig,
    variables: Mapping[str, Array],
    outputs: Sequence[str],
    *,
    cls_id: int,
    sep_id: int,
    n_inputs: int = DEFAULT_INPUTS,
    tolerance: float | None = None,
) -> dict[str, Any]:
    """Compare what `run` makes of the inputs with the oracle and return what was measured.

    The result names the number of inputs, rows by batch, longest length, the largest absolute
    difference and the limit of each output, how often the predicted label agrees (for
    classifiers: where it does not, the two labels lie within the limits of each other), and
    how many times faster the graph was than the oracle.

    Args:
        run: the exported model: batches to {output: values} of each.
        config: the source's configuration.
        variables: the source, by the original's names.
        outputs: the outputs to compare.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        n_inputs: how many inputs to compare.
        tolerance: takes the place of every limit in `LIMITS`.

    Raises:
        ExportError: a difference exceeds its limit; it names the figure and the limit.
    """
    batches = make_batches(config, cls_id=cls_id, sep_id=sep_id, n_inputs=n_inputs)
    started = time.perf_counter()
    given = run(batches)
    graph_seconds = time.perf_counter() - started
    seen = _Comparison()
    oracle = BertOracle(config, variables)
    for rows in _rows_by_length(batches):
        _compare(oracle, batches, given, rows, outputs, seen)
    oracle_seconds = time.perf_counter() - started - graph_seconds
    limits = _check_limits(seen, outputs, tolerance, "")
    parity: dict[str, Any] = {
        "reference": "numpy float64",
        "inputs": n_inputs,
        "batches": len(batches),
        "longest": int(max(batch.lengths.max() for batch in batches)),
        "max_abs_difference": seen.differences,
        "limits": limits,
        "speed_ratio": round(oracle_seconds / graph_seconds, 2),
    }
    if CLASSIFIER_OUTPUTS & set(outputs):
        parity["label_agreement"] = seen.n_agreeing / n_inputs
    return parity


def compare_runners(
    run: Runner,
    source: Runner,
    config: BertConfig,
    outputs: Sequence[str],
    *,
    cls_id: int,
    sep_id: int,
    n_inputs: int = DEFAULT_INPUTS,
    tolerance: float | None = None,
) -> dict[str, Any]:
    """Compare two models, both on the batches as they are, padding included.

    `sequence_output` is compared where there are tokens.

    Returns:
        The largest absolute difference of each output, and how often the predicted label agrees.

    Raises:
        ExportError: a difference exceeds its limit.
    """
    batches = make_batches(config, cls_id=cls_id, sep_id=sep_id, n_inputs=n_inputs)
    seen = _Comparison()
    scores = next((name for name in outputs if name in CLASSIFIER_OUTPUTS), None)
    for batch, given, expected in zip(batches, run(batches), source(batches), strict=True):
        for name in outputs:
            rows = batch.input_mask > 0 if name == "sequence_output" else slice(None)
            seen.add(name, given[name][rows], expected[name][rows])
        if scores:
            seen.n_agreeing += int((given[scores].argmax(1) == expected[scores].argmax(1)).sum())
    _check_limits(seen, outputs, tolerance, " from the TensorFlow model")
    measured: dict[str, Any] = {"max_abs_difference": seen.differences}
    if scores:
        measured["label_agreement"] = seen.n_agreeing / n_inputs
    return measured


def _check_limits(
    seen: _Comparison, outputs: Sequence[str], tolerance: float | None, source: str
) -> dict[str, float]:
    """Return the limit of each output.

    Raises:
        ExportError: a difference exceeds its limit.
    """
    limits = {
        name: (LIMITS[name] if tolerance is None else tolerance) * max(1.0, seen.largest[name])
        for name in outputs
    }
    for name in outputs:
        if not seen.differences[name] <= limits[name]:  # NaN fails too
            raise ExportError(
                f"the exported graph is off by {seen.differences[name]:.3g} in {name}{source}, "
                f"the limit is {limits[name]:.3g}; it was not published"
            )
    return limits


def make_batches(config: BertConfig, *, cls_id: int, sep_id: int, n_inputs: int) -> list[Batch]:
    """Return `n_inputs` random inputs in batches of many shapes, the same on every call.

    Mostly 1 to 16 tokens, some up to 512. Every other batch is padded; of the padded, every
    other one has a row of [CLS] alone, and the rest a row of full width.
    """
    rng = np.random.default_rng(_SEED)
    batches = []
    short = zip(cycle(_BATCH_SIZES), cycle(_SHORT_WIDTHS), strict=False)
    n_left = n_inputs
    for index, (n_rows, unbounded) in enumerate(chain(_LONG_SHAPES, short)):
        width = min(unbounded, config.max_position_embeddings)
        lengths = np.full(min(n_rows, n_left), width)
        if index % 2:
            lengths = rng.integers(1, width + 1, len(lengths))
            lengths[0] = 1 if index % 4 == 1 else width
        batches.append(_make_batch(rng, config, lengths, width, (cls_id, sep_id)))
        n_left -= len(lengths)
        if not n_left:
            break
    return batches


def _make_batch(
    rng: np.random.Generator,
    config: BertConfig,
    lengths: NDArray[np.int64],
    width: int,
    specials: tuple[int, int],
) -> Batch:
    """Fill rows of `lengths` with [CLS], random ids and [SEP]; segments change at random."""
    cls_id, sep_id = specials
    shape = (len(lengths), width)
    positions = np.arange(width)
    mask = positions < lengths[:, None]
    ids = rng.integers(0, config.vocab_size, shape)
    ids[positions == lengths[:, None] - 1] = sep_id
    ids[:, 0] = cls_id
    boundaries = rng.integers(1, width + 1, (len(lengths), 1))
    segments = np.minimum(positions >= boundaries, config.type_vocab_size - 1)
    return Batch(
        input_ids=np.where(mask, ids, 0).astype(np.int32),
        input_mask=mask.astype(np.int32),
        segment_ids=np.where(mask, segments, 0).astype(np.int32),
        lengths=lengths,
    )


def run_graph(
    model: Path, batches: Sequence[Batch], outputs: Sequence[str]
) -> list[dict[str, Floats]]:
    """Run the graph in `model` on every batch.

    Raises:
        ExportError: onnxruntime cannot load or run it.
    """
    session = open_graph(model)
    return [run_batch(session, batch, outputs) for batch in batches]


def open_graph(model: Path, providers: Sequence[str] = ("CPUExecutionProvider",)) -> Any:
    """Open the graph in `model`, with a thread for each CPU that this process may use.

    Raises:
        ExportError: onnxruntime cannot load it.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    if hasattr(os, "sched_getaffinity"):
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
    try:
        return onnxruntime.InferenceSession(model, options, providers=list(providers))
    except Exception as error:  # onnxruntime's own errors have no base class but Exception
        raise _cannot_run(error) from error


def run_batch(session: Any, batch: Batch, outputs: Sequence[str]) -> dict[str, Floats]:
    """Run one batch.

    Raises:
        ExportError: onnxruntime cannot run it.
    """
    try:
        return dict(zip(outputs, session.run(list(outputs), batch.feeds()), strict=True))
    except Exception as error:  # as above
        raise _cannot_run(error) from error


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off, unless the user has set it."""
    # From 1.29 on, it reports models to its maker unless told not to before the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # type: ignore[import-untyped]

    return onnxruntime


def _cannot_run(error: Exception) -> ExportError:
    version = import_onnxruntime().__version__
    summary = str(error).splitlines()[0]
    return ExportError(f"onnxruntime {version} cannot run the exported graph: {summary}")


def _rows_by_length(batches: Sequence[Batch]) -> list[list[tuple[int, int]]]:
    """Group (batch, row) of equal true length, `_ORACLE_TOKENS` tokens a group at most."""
    by_length: dict[int, list[tuple[int, int]]] = {}
    for index, batch in enumerate(batches):
        for row, length in enumerate(batch.lengths.tolist()):
            by_length.setdefault(length, []).append((index, row))
    groups = []
    for length, rows in sorted(by_length.items()):
        size = max(1, _ORACLE_TOKENS // length)
        groups += [rows[start : start + size] for start in range(0, len(rows), size)]
    return groups


def _compare(
    oracle: BertOracle,
    batches: Sequence[Batch],
    given: Sequence[Mapping[str, Floats]],
    rows: Sequence[tuple[int, int]],
    outputs: Sequence[str],
    seen: _Comparison,
) -> None:
    """Compare one group of rows: all of the same length, so that the oracle needs no padding."""
    first, row = rows[0]
    length = int(batches[first].lengths[row])
    feeds = [
        np.stack([batches[index].feeds()[name][row, :length] for index, row in rows])
        for name in INPUTS
    ]
    expected = oracle.run(*feeds)
    scores = next((name for name in outputs if name in CLASSIFIER_OUTPUTS), None)
    for name in outputs:
        until = length if name == "sequence_output" else None
        found = np.stack([given[index][name][row][:until] for index, row in rows])
        seen.add(name, found, expected[name])
        if name == scores:
            seen.n_agreeing += int((found.argmax(1) == expected[name].argmax(1)).sum())
