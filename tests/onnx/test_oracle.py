"""The numpy oracle: its functions against the definitions, the whole against golden data."""

import math
from pathlib import Path

import numpy as np
import pytest

from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.onnx.oracle import BertOracle, erf, gelu_erf, gelu_tanh, in_blocks, softmax
from tests.small_bert import random_feeds, random_variables, small_config


def test_erf_equals_math_erf() -> None:
    x = np.concatenate([np.linspace(-7, 7, 40001), [0.0, -0.0, 1e-300, 5e-324, np.inf, -np.inf]])
    expected = np.array([math.erf(value) for value in x])
    assert np.abs(erf(x) - expected).max() <= 2.3e-16
    assert np.array_equal(np.signbit(erf(x)), np.signbit(x))


def test_gelus_equal_their_definitions() -> None:
    for value in (-3.0, -0.5, 0.0, 0.1, 2.0):
        x = np.array([value])
        normal = 0.5 * (1 + math.erf(value / math.sqrt(2)))
        assert gelu_erf(x)[0] == pytest.approx(value * normal, abs=1e-15)
        inner = math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)
        assert gelu_tanh(x)[0] == pytest.approx(value * 0.5 * (1 + math.tanh(inner)), abs=1e-15)
    x = np.linspace(-4, 4, 99)
    assert np.abs(gelu_erf(x) - gelu_tanh(x)).max() > 4e-4


def test_in_blocks_covers_all_values() -> None:
    x = np.arange(3 * 16384 + 5.0).reshape(-1, 1)
    assert np.array_equal(in_blocks(lambda values: values + 1, x), x + 1)


def test_softmax_of_large_scores_is_finite() -> None:
    assert softmax(np.array([1e5, 0.0])).tolist() == [1.0, 0.0]


def test_oracle_keeps_its_float_type() -> None:
    config = small_config()
    variables = random_variables(config, n_labels=3)
    feeds = random_feeds(config, [5, 3], 6)
    double = BertOracle(config, variables).run(**feeds)
    single = BertOracle(config, variables, np.float32).run(**feeds)
    for name, expected in double.items():
        assert (expected.dtype.name, single[name].dtype.name) == ("float64", "float32")
        assert np.abs(single[name] - expected).max() < 1e-4


def test_oracle_of_one_layer_by_hand() -> None:
    # Identity projections and one token: attention gives the token itself.
    config = BertConfig(
        vocab_size=2, hidden_size=2, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=2, hidden_act="relu", max_position_embeddings=1, type_vocab_size=1,
    )  # fmt: skip
    variables = {name: np.zeros_like(array) for name, array in random_variables(config).items()}
    for name, array in variables.items():
        if name.endswith("gamma"):
            array[:] = 1
        if name.endswith("kernel"):
            np.fill_diagonal(array, 1)
    variables["bert/embeddings/word_embeddings"][1] = [3.0, 1.0]
    one = np.ones((1, 1), np.int32)
    outputs = BertOracle(config, variables).run(one, one, one * 0)
    # (3, 1) -norm-> (1, -1); + attention (1, -1) = (2, -2) -norm-> (1, -1);
    # relu gives (1, 0), + (1, -1) = (2, -1) -norm-> (1, -1).
    assert outputs["sequence_output"][0, 0] == pytest.approx([1.0, -1.0], abs=1e-9)
    assert outputs["pooled_output"][0] == pytest.approx([math.tanh(1), -math.tanh(1)], abs=1e-9)
    assert outputs["mean_embedding"][0] == pytest.approx([0.5**0.5, -(0.5**0.5)], abs=1e-9)


@pytest.mark.shared
def test_oracle_of_minilm_is_the_golden_model(
    minilm: Path, minilm_config: BertConfig, shared_data: Path
) -> None:
    golden = np.load(shared_data / "golden" / "minilm_l6.npz")
    rows = slice(0, 24)
    feeds = [golden[name][rows] for name in ("input_ids", "input_mask", "segment_ids")]
    oracle = BertOracle(minilm_config, read_checkpoint(minilm))
    states = oracle.hidden_states(*feeds)
    outputs = oracle.run(*feeds)
    for layer, state in enumerate(states):  # float32 rounds values up to 6 to 2.4e-7
        assert np.abs(state[:, 0] - golden["cls_per_layer"][layer, rows]).max() < 5e-7
    for name in ("pooled_output", "mean_embedding"):
        assert np.abs(outputs[name] - golden[name][rows]).max() < 3e-8
