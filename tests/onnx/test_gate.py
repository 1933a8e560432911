"""The parity gate: it passes what is right and refuses what is subtly wrong."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.errors import ExportError
from bertfast.onnx.gate import LIMITS, check_parity, make_batches
from bertfast.onnx.graph import OUTPUTS, build_model
from tests.small_bert import CLS_ID, SEP_ID, random_variables, small_config

Variables = Mapping[str, NDArray[Any]]


def gate(
    folder: Path,
    model: onnx.ModelProto,
    config: BertConfig,
    variables: Variables,
    **options: Any,
) -> dict[str, Any]:
    """Run the gate on a model."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    outputs = [output.name for output in model.graph.output]
    ids = {"cls_id": CLS_ID, "sep_id": SEP_ID}
    return check_parity(path, config, variables, outputs, **ids, **({"n_inputs": 150} | options))


def test_gate_passes_and_reports_every_output(tmp_path: Path) -> None:
    config = small_config()
    variables = random_variables(config, n_labels=3)
    model = build_model(config, variables, OUTPUTS)
    parity = gate(tmp_path, model, config, variables, n_inputs=1000)
    assert parity["inputs"] == 1000
    assert parity["longest"] == 64
    assert parity["label_agreement"] == 1.0
    for name in OUTPUTS:
        assert 0 < parity["max_abs_difference"][name] < 1e-5
        assert parity["limits"][name] >= LIMITS[name]
    assert json.loads(json.dumps(parity)) == parity


def test_gate_inputs_are_many_shapes_padded_and_not() -> None:
    config = small_config(max_position_embeddings=512, vocab_size=1000)
    batches = make_batches(config, cls_id=CLS_ID, sep_id=SEP_ID, n_inputs=1000)
    lengths = np.concatenate([batch.lengths for batch in batches])
    assert len(lengths) == 1000
    assert {1, 2, 3, 512} <= set(lengths.tolist())
    assert len(set(lengths.tolist())) >= 15
    assert {len(batch.lengths) for batch in batches} >= {1, 2, 7, 16, 32, 64}
    padded = [batch for batch in batches if (batch.input_mask == 0).any()]
    assert len(batches) / 4 < len(padded) < len(batches) * 3 / 4
    # One row of [CLS] alone, 512 wide, and one that fills it.
    assert any(batch.lengths.min() == 1 and batch.input_ids.shape[1] == 512 for batch in batches)
    for batch in batches:
        assert np.array_equal(batch.input_mask.sum(1), batch.lengths)
        assert (batch.input_ids[:, 0] == CLS_ID).all()
    assert max(batch.segment_ids.max() for batch in batches) == 1


def test_gate_inputs_repeat_exactly() -> None:
    one, other = (
        make_batches(small_config(), cls_id=CLS_ID, sep_id=SEP_ID, n_inputs=70) for _ in range(2)
    )
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.input_ids, b.input_ids)
        assert np.array_equal(a.segment_ids, b.segment_ids)


@pytest.mark.parametrize("n_inputs", [1, 2, 17])
def test_gate_of_few_inputs_of_a_tiny_model(tmp_path: Path, n_inputs: int) -> None:
    config = small_config(max_position_embeddings=1, type_vocab_size=1)
    variables = random_variables(config)
    model = build_model(config, variables, ["mean_embedding"])
    parity = gate(tmp_path, model, config, variables, n_inputs=n_inputs)
    assert (parity["inputs"], parity["longest"]) == (n_inputs, 1)
    assert "label_agreement" not in parity


def swapped(variables: Variables, one: str, other: str) -> dict[str, NDArray[Any]]:
    """The variables with two names for each other's values."""

    def swap(name: str) -> str:
        return name.replace(one, "\0").replace(other, one).replace("\0", other)

    return {swap(name): array for name, array in variables.items()}


def without_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph whose attention sees the padding."""
    for node in model.graph.node:
        if node.op_type == "Attention":
            del node.input[3]
    return model


MISTAKES = ("query and key", "key and value", "gelu", "epsilon", "transpose", "mask")


def wrong_graph(mistake: str, config: BertConfig, variables: Variables) -> onnx.ModelProto:
    """A graph with one plausible mistake."""
    outputs = ["pooled_output", "mean_embedding"]
    if mistake == "gelu":
        config = dataclasses.replace(config, hidden_act="gelu_tanh")
    elif mistake == "epsilon":
        config = dataclasses.replace(config, layer_norm_eps=1e-3)
    elif mistake == "transpose":
        name = "bert/encoder/layer_0/attention/output/dense/kernel"
        variables = {**variables, name: variables[name].T.copy()}
    elif mistake != "mask":
        variables = swapped(variables, *mistake.split(" and "))
    model = build_model(config, variables, outputs)
    return without_mask(model) if mistake == "mask" else model


@pytest.mark.parametrize("mistake", MISTAKES)
def test_gate_refuses_every_plausible_mistake(tmp_path: Path, mistake: str) -> None:
    config = small_config(hidden_act="gelu_erf")
    variables = random_variables(config)
    model = wrong_graph(mistake, config, variables)
    with pytest.raises(ExportError, match=r"is off by .* in \w+, the limit is .*") as raised:
        gate(tmp_path, model, config, variables)
    assert "\n" not in str(raised.value)


def test_gate_refuses_a_wrong_classifier(tmp_path: Path) -> None:
    config = small_config()
    variables = random_variables(config, n_labels=3)
    wrong = dict(variables)
    wrong["output_bias"] = variables["output_bias"] + np.array([0, 0, 1e-3], np.float32)
    model = build_model(config, wrong, ["logits"])
    with pytest.raises(ExportError, match=r"off by 0\.001 in logits"):
        gate(tmp_path, model, config, variables)
    assert gate(tmp_path, model, config, variables, tolerance=0.01)["limits"]["logits"] >= 0.01


def test_gate_counts_agreeing_labels(tmp_path: Path) -> None:
    config = small_config()
    variables = random_variables(config, n_labels=5)
    other = random_variables(config, n_labels=5, seed=1)
    wrong = variables | {"output_weights": other["output_weights"]}
    model = build_model(config, wrong, ["probabilities"])
    parity = gate(tmp_path, model, config, variables, tolerance=1000.0)
    assert 0 < parity["label_agreement"] < 1


def test_gate_refuses_nan(tmp_path: Path) -> None:
    config = small_config()
    variables = random_variables(config)
    broken = dict(variables)
    broken["bert/pooler/dense/bias"] = np.full(24, np.nan, np.float32)
    with pytest.raises(ExportError, match="off by nan in pooled_output"):
        gate(tmp_path, build_model(config, broken, ["pooled_output"]), config, variables)


def test_gate_names_a_graph_that_cannot_run(tmp_path: Path) -> None:
    config = small_config()
    variables = random_variables(config)
    model = build_model(config, variables, ["pooled_output"])
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ExportError, match="cannot run the exported graph"):
        gate(tmp_path, model, config, variables)


@pytest.mark.shared
def test_gate_of_a_real_model_is_sensitive(
    minilm: Path, minilm_config: BertConfig, tmp_path: Path
) -> None:
    variables = read_checkpoint(minilm)
    right = build_model(minilm_config, variables, ["pooled_output", "mean_embedding"])
    parity = gate(tmp_path, right, minilm_config, variables, n_inputs=12)
    assert max(parity["max_abs_difference"].values()) < 1e-6
    for mistake in ("query and key", "gelu"):  # off by 0.23 and by 0.0003
        wrong = wrong_graph(mistake, minilm_config, variables)
        with pytest.raises(ExportError, match="is off by"):
            gate(tmp_path, wrong, minilm_config, variables, n_inputs=12)
