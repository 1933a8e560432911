"""The fused graph equals the oracle: every activation, output, length, batch and padding."""

from itertools import combinations

import numpy as np
import onnx
import pytest

from bertfast.errors import ExportError
from bertfast.onnx import graph
from bertfast.onnx.graph import OUTPUTS, build_model
from bertfast.onnx.oracle import BertOracle
from tests.onnx.conftest import open_graph, open_model
from tests.small_bert import random_feeds, random_variables, small_config

ACTS = ("gelu_erf", "gelu_tanh", "relu", "tanh", "linear")


@pytest.mark.parametrize("act", ACTS)
def test_graph_of_each_activation_equals_oracle(act: str) -> None:
    config = small_config(hidden_act=act)
    variables = random_variables(config, n_labels=3)
    feeds = random_feeds(config, [20, 7, 1, 20], 20)
    given = open_graph(config, variables, OUTPUTS)(feeds)
    expected = BertOracle(config, variables).run(**feeds)
    for name in OUTPUTS:
        assert np.abs(given[name] - expected[name]).max() < 1e-5, name


def test_graph_activations_differ_from_each_other() -> None:
    feeds = random_feeds(small_config(), [20, 7], 20)
    pooled = []
    for act in ACTS:
        config = small_config(hidden_act=act)
        pooled.append(open_graph(config, random_variables(config), ["pooled_output"])(feeds))
    for one, other in combinations(pooled, 2):
        assert np.abs(one["pooled_output"] - other["pooled_output"]).max() > 1e-4


@pytest.mark.parametrize(
    "outputs",
    [*([name] for name in OUTPUTS), ["probabilities", "logits"], ["mean_embedding", "logits"]],
)
def test_graph_of_any_outputs_equals_oracle(outputs: list[str]) -> None:
    config = small_config(layer_norm_eps=1e-5)
    variables = random_variables(config, n_labels=4)
    feeds = random_feeds(config, [9, 2, 1], 9)
    given = open_graph(config, variables, outputs)(feeds)
    expected = BertOracle(config, variables).run(**feeds)
    assert list(given) == outputs
    for name in outputs:
        assert given[name].shape == expected[name].shape
        assert np.abs(given[name] - expected[name]).max() < 1e-5, name


def test_graph_of_first_token_alone_is_smaller() -> None:
    config = small_config()
    variables = random_variables(config)
    feeds = random_feeds(config, [9, 2], 9)
    alone = open_graph(config, variables, ["pooled_output"])(feeds)
    beside = open_graph(config, variables, ["pooled_output", "sequence_output"])(feeds)
    assert np.abs(alone["pooled_output"] - beside["pooled_output"]).max() < 1e-6
    names = [node.name for node in build_model(config, variables, ["pooled_output"]).graph.node]
    assert "bert/encoder/layer_1/attention/self/first" in names


@pytest.mark.parametrize("length", [1, 2, 3, 17, 255, 511, 512])
def test_graph_up_to_512_tokens_equals_oracle(length: int) -> None:
    config = small_config(max_position_embeddings=512)
    variables = random_variables(config)
    feeds = random_feeds(config, [length], length)
    given = open_graph(config, variables, OUTPUTS[:3])(feeds)
    expected = BertOracle(config, variables).run(**feeds)
    for name in OUTPUTS[:3]:
        assert np.abs(given[name] - expected[name]).max() < 1e-5, name


@pytest.mark.parametrize("n_rows", [1, 2, 3, 8, 33])
def test_graph_padding_and_batch_change_nothing(n_rows: int) -> None:
    """A row alone, unpadded, gives what it gives in any batch with any padding."""
    config = small_config()
    variables = random_variables(config, n_labels=2)
    run = open_graph(config, variables, OUTPUTS)
    lengths = [1 + 7 * row % 23 for row in range(n_rows)]
    for width in (max(lengths), max(lengths) + 1, 64):
        feeds = random_feeds(config, lengths, width, seed=n_rows)
        batch = run(feeds)
        for row, length in enumerate(lengths):
            alone = run({name: array[row : row + 1, :length] for name, array in feeds.items()})
            for name in OUTPUTS:
                until = length if name == "sequence_output" else None
                assert np.abs(batch[name][row][:until] - alone[name][0]).max() < 2e-6, name


def test_graph_masked_tokens_have_no_weight_at_all() -> None:
    """-10000 on a score is enough: exp(-10000) is 0 in float32, whatever the ids under it."""
    config = small_config()
    run = open_graph(config, random_variables(config), ["pooled_output", "mean_embedding"])
    one = random_feeds(config, [1, 5], 64, seed=1)
    other = one | {"input_ids": np.where(one["input_mask"], one["input_ids"], 7).astype(np.int32)}
    assert not np.array_equal(one["input_ids"], other["input_ids"])
    for name, expected in run(one).items():
        assert np.array_equal(run(other)[name], expected)


def test_graph_row_without_any_token_is_finite() -> None:
    config = small_config()
    feeds = random_feeds(config, [0, 4], 6)
    given = open_graph(config, random_variables(config), OUTPUTS[:3])(feeds)
    assert all(np.isfinite(array).all() for array in given.values())
    assert not given["mean_embedding"][0].any()


def test_graph_description_is_valid_and_free_in_both_sizes() -> None:
    config = small_config()
    model = build_model(config, random_variables(config, n_labels=3), OUTPUTS)
    onnx.checker.check_model(model, full_check=False)

    def shapes(values: list[onnx.ValueInfoProto]) -> dict[str, list[str | int]]:
        return {
            value.name: [
                dimension.dim_param or dimension.dim_value
                for dimension in value.type.tensor_type.shape.dim
            ]
            for value in values
        }

    assert shapes(list(model.graph.input)) == {name: ["batch", "length"] for name in graph.INPUTS}
    assert shapes(list(model.graph.output)) == {
        "pooled_output": ["batch", 24],
        "sequence_output": ["batch", "length", 24],
        "mean_embedding": ["batch", 24],
        "logits": ["batch", 3],
        "probabilities": ["batch", 3],
    }
    assert {value.type.tensor_type.elem_type for value in model.graph.input} == {6}  # int32
    assert model.producer_name == "bertfast"
    properties = {item.key: item.value for item in model.metadata_props}
    assert properties == {"bert_config": config.to_json_string()}


def test_graph_is_small_and_repeatable() -> None:
    config = small_config(num_hidden_layers=6)
    variables = random_variables(config)
    model = build_model(config, variables, ["pooled_output"])
    assert len(model.graph.node) == 1 + 6 * 7 + 2 + 2  # embeddings, layers, first token, pooler
    again = build_model(config, variables, ["pooled_output"])
    assert model.SerializeToString() == again.SerializeToString()


def test_graph_extra_layers_change_the_result() -> None:
    deep, shallow = small_config(num_hidden_layers=2), small_config(num_hidden_layers=1)
    variables = random_variables(deep)
    feeds = random_feeds(deep, [8], 8)
    states = BertOracle(deep, variables).hidden_states(**feeds)
    given = open_graph(shallow, variables, ["sequence_output"])(feeds)["sequence_output"]
    assert np.abs(given - states[1]).max() < 1e-5
    assert np.abs(given - states[2]).max() > 0.1


@pytest.mark.parametrize("ids", [-1, 10**6])
def test_graph_id_outside_the_vocabulary_fails(ids: int) -> None:
    config = small_config()
    run = open_graph(config, random_variables(config), ["pooled_output"])
    feeds = random_feeds(config, [3], 3)
    feeds["input_ids"][0, 1] = ids
    with pytest.raises(Exception, match="out of range"):
        run(feeds)


def test_graph_too_large_for_one_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_MAX_MODEL_BYTES", 1000)
    config = small_config()
    with pytest.raises(ExportError, match="2 GB at most"):
        build_model(config, random_variables(config), ["pooled_output"])


def test_graph_takes_doubles_as_float32() -> None:
    config = small_config()
    variables = random_variables(config)
    doubles = {name: array.astype(np.float64) for name, array in variables.items()}
    one = build_model(config, variables, ["pooled_output"])
    other = build_model(config, doubles, ["pooled_output"])
    feeds = random_feeds(config, [4], 4)
    assert np.array_equal(
        open_model(one)(feeds)["pooled_output"], open_model(other)(feeds)["pooled_output"]
    )
