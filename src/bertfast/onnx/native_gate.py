"""The native engine behind the parity gate: the same graph's numbers as ONNX Runtime's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertfast.config import BertConfig
from bertfast.engine import Network, native_kernel
from bertfast.errors import BundleError, ExportError
from bertfast.onnx.gate import DEFAULT_INPUTS, Batch, compare_runners, run_graph
from bertfast.onnx.oracle import Floats

_TOKEN_BUDGET = 512


def check_native(
    model: Path,
    config: BertConfig,
    outputs: Sequence[str],
    *,
    cls_id: int,
    sep_id: int,
    n_inputs: int = DEFAULT_INPUTS,
    tolerance: float | None = None,
) -> dict[str, Any]:
    """Compare the native engine with ONNX Runtime on a fused float32 graph.

    Args:
        model: the graph's file.
        config: the configuration it was built with.
        outputs: the graph's outputs.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        n_inputs: how many inputs to compare.
        tolerance: takes the place of every limit of the gate.

    Returns:
        The instruction set, the largest absolute difference of each output, and how often the
        predicted label agrees.

    Raises:
        ExportError: the engine cannot read the graph, or a difference exceeds its limit.
    """
    measured = compare_runners(
        lambda batches: run_native(model, config, batches, outputs),
        lambda batches: run_graph(model, batches, outputs),
        config,
        outputs,
        cls_id=cls_id,
        sep_id=sep_id,
        n_inputs=n_inputs,
        tolerance=tolerance,
        source_name="what the native engine makes of it",
    )
    return {"kernel": native_kernel(), **measured}


def run_native(
    model: Path, config: BertConfig, batches: Sequence[Batch], outputs: Sequence[str]
) -> list[dict[str, Floats]]:
    """Run the graph's weights in the native engine, without the batches' padding.

    Raises:
        ExportError: it cannot read the graph.
    """
    try:
        network = Network(model, config)
    except BundleError as error:
        raise ExportError(f"the native engine cannot run the exported graph: {error}") from error
    return [{name: _run_batch(network, batch, name) for name in outputs} for batch in batches]


def _run_batch(network: Network, batch: Batch, output: str) -> Floats:
    is_token = batch.input_mask > 0
    values = network.run(
        batch.input_ids[is_token],
        batch.segment_ids[is_token],
        np.concatenate([[0], np.cumsum(batch.lengths)]).astype(np.int64),
        output=output,
        token_budget=_TOKEN_BUDGET,
        threads=1,
    )
    if output != "sequence_output":
        return values
    padded = np.zeros((*batch.input_mask.shape, values.shape[1]), np.float32)
    padded[is_token] = values
    return padded
