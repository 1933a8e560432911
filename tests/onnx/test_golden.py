"""The exported graph of a real model against numbers of an independent implementation.

Golden: all-MiniLM-L6-v2 in float64. The limit is 1e-5 for every output, however the rows are
padded and batched.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.onnx.graph import INPUTS, build_model
from tests.onnx.conftest import Floats, Session, open_graph, open_model

pytestmark = pytest.mark.shared

LIMIT = 1e-5
SENTENCE = ("pooled_output", "mean_embedding")
Golden = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> Golden:
    with np.load(shared_data / "golden" / "minilm_l6.npz") as arrays:
        return {name: arrays[name] for name in arrays}


@pytest.fixture(scope="module")
def run(minilm: Path, minilm_config: BertConfig) -> Session:
    return open_graph(minilm_config, read_checkpoint(minilm), [*SENTENCE, "sequence_output"])


def feeds_of(golden: Golden, rows: slice, width: int | None = None) -> dict[str, NDArray[Any]]:
    """Inputs of some rows, cut to `width` or padded with zeros up to it."""
    feeds = {name: golden[name][rows, :width] for name in INPUTS}
    missing = max(0, (width or 0) - golden["input_ids"].shape[1])
    return {name: np.pad(array, ((0, 0), (0, missing))) for name, array in feeds.items()}


def assert_golden(given: Floats, golden: Golden, rows: slice) -> None:
    for name in SENTENCE:
        assert np.abs(given[name] - golden[name][rows]).max() < LIMIT, name


@pytest.mark.parametrize("width", [64, 80, 512])
def test_golden_padded_batch(run: Session, golden: Golden, width: int) -> None:
    rows = slice(0, 100) if width < 512 else slice(0, 6)
    assert_golden(run(feeds_of(golden, rows, width)), golden, rows)


def test_golden_single_rows_at_their_true_length(run: Session, golden: Golden) -> None:
    lengths = golden["input_mask"].sum(1)
    assert lengths.min() < 10 < lengths.max()
    for row in range(0, 100, 3):
        rows = slice(row, row + 1)
        assert_golden(run(feeds_of(golden, rows, int(lengths[row]))), golden, rows)


@pytest.mark.parametrize("n_rows", [2, 7, 33])
def test_golden_batches_trimmed_to_their_longest(run: Session, golden: Golden, n_rows: int) -> None:
    for start in range(0, 100, 2 * n_rows):
        rows = slice(start, start + n_rows)
        width = int(golden["input_mask"][rows].sum(1).max())
        assert_golden(run(feeds_of(golden, rows, width)), golden, rows)


def test_golden_sequence_output(run: Session, golden: Golden) -> None:
    rows = slice(0, 8)
    given = run(feeds_of(golden, rows))["sequence_output"]
    difference = np.abs(given - golden["sequence_output_first8"])
    assert difference[golden["input_mask"][rows] == 1].max() < LIMIT


def test_golden_first_token_of_each_layer(
    minilm: Path, minilm_config: BertConfig, golden: Golden
) -> None:
    model = build_model(minilm_config, read_checkpoint(minilm), ["sequence_output"])
    names = ["bert/embeddings/output"]
    names += [f"bert/encoder/layer_{n}/output" for n in range(5)]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, ["b", "l", 384]))
    given = open_model(model)(feeds_of(golden, slice(0, 100)))
    for layer, name in enumerate([*names, "sequence_output"]):
        difference = np.abs(given[name][:, 0] - golden["cls_per_layer"][layer])
        assert difference.max() < LIMIT, name


def test_golden_pooled_output_from_the_first_token_alone(
    minilm: Path, minilm_config: BertConfig, golden: Golden
) -> None:
    run_alone = open_graph(minilm_config, read_checkpoint(minilm), ["pooled_output"])
    given = run_alone(feeds_of(golden, slice(0, 100)))["pooled_output"]
    assert np.abs(given - golden["pooled_output"]).max() < LIMIT


def test_golden_tells_the_gelus_apart(
    minilm: Path, minilm_config: BertConfig, golden: Golden
) -> None:
    wrong = dataclasses.replace(minilm_config, hidden_act="gelu_tanh")
    given = open_graph(wrong, read_checkpoint(minilm), SENTENCE)(feeds_of(golden, slice(0, 100)))
    assert np.abs(given["pooled_output"] - golden["pooled_output"]).max() > 10 * LIMIT
