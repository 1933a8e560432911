"""The TensorFlow model against the numpy oracle and against a real model's golden numbers."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.checkpoint import expected_variables, read_checkpoint
from bertfast.config import HIDDEN_ACTS, BertConfig
from bertfast.errors import CheckpointError
from bertfast.onnx.oracle import BertOracle
from tests.small_bert import random_feeds, random_variables, small_config
from tests.tf.conftest import WITHOUT_DROPOUT

tf = pytest.importorskip("tensorflow")

from bertfast.tf.initialization import initialize  # noqa: E402
from bertfast.tf.layers import DropoutSeeds  # noqa: E402
from bertfast.tf.model_source import InitialWeights  # noqa: E402
from bertfast.tf.modeling import BertModel, BertOutputs  # noqa: E402
from bertfast.tf.optimization import name_of  # noqa: E402

LIMIT = 1e-5  # of all-MiniLM-L6-v2, against an independent implementation in float64
INPUTS = ("input_ids", "input_mask", "segment_ids")
Arrays = Mapping[str, NDArray[Any]]


def build(config: BertConfig, variables: Arrays, **options: Any) -> BertModel:
    """A model with these weights."""
    model = BertModel(config, **options)
    report = initialize(model.variables, InitialWeights(Path("weights"), dict(variables)))
    assert not report.fresh
    return model


def run(model: BertModel, feeds: Arrays, **options: Any) -> BertOutputs:
    return model(*(tf.constant(feeds[name]) for name in INPUTS), **options)


@pytest.mark.parametrize("act", HIDDEN_ACTS)
def test_model_gives_the_oracles_numbers(act: str) -> None:
    config = small_config(hidden_act=act, layer_norm_eps=1e-5)
    variables, feeds = random_variables(config), random_feeds(config, [1, 5, 9], 9)
    outputs = run(build(config, variables), feeds)
    states = BertOracle(config, variables).hidden_states(*(feeds[name] for name in INPUTS))
    expected = BertOracle(config, variables).run(*(feeds[name] for name in INPUTS))
    given = [outputs.embedding_output, *outputs.all_encoder_layers]
    assert len(given) == len(states) == 3
    for ours, theirs in zip(given, states, strict=True):
        assert ours.shape == (3, 9, 24)
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    np.testing.assert_allclose(outputs.sequence_output, expected["sequence_output"], atol=2e-5)
    np.testing.assert_allclose(outputs.pooled_output, expected["pooled_output"], atol=2e-5)


def test_model_variables_carry_the_original_names_and_shapes(config: BertConfig) -> None:
    given = {name_of(v): tuple(v.shape) for v in BertModel(config).variables}
    assert given == expected_variables(config)


def test_model_mask_and_segments_default_to_ones_and_zeros(config: BertConfig) -> None:
    model = build(config, random_variables(config))
    ids = tf.constant(random_feeds(config, [6], 6)["input_ids"])
    explicit = model(ids, tf.ones_like(ids), tf.zeros_like(ids))
    np.testing.assert_array_equal(model(ids).pooled_output, explicit.pooled_output)


def test_model_one_hot_equals_gather(config: BertConfig) -> None:
    variables, feeds = random_variables(config), random_feeds(config, [3, 8], 8)
    gather = run(build(config, variables), feeds)
    one_hot = run(build(config, variables, use_one_hot_embeddings=True), feeds)
    np.testing.assert_array_equal(gather.embedding_output, one_hot.embedding_output)
    np.testing.assert_allclose(gather.pooled_output, one_hot.pooled_output, atol=1e-6)


def test_model_embedding_table_is_the_word_embeddings(config: BertConfig) -> None:
    assert name_of(BertModel(config).embedding_table) == "bert/embeddings/word_embeddings"


def test_model_padding_does_not_change_a_row(config: BertConfig) -> None:
    model, feeds = build(config, random_variables(config)), random_feeds(config, [5], 12)
    cut = {name: array[:, :5] for name, array in feeds.items()}
    difference = run(model, feeds).sequence_output[:, :5] - run(model, cut).sequence_output
    assert np.abs(difference).max() < 2e-6


def test_model_drops_out_in_training_alone(config: BertConfig) -> None:
    model, feeds = build(config, random_variables(config)), random_feeds(config, [7, 7], 7)

    def pooled(seed: int | None) -> NDArray[Any]:
        seeds = None if seed is None else DropoutSeeds(tf.constant([seed, 0]))
        return np.asarray(run(model, feeds, seeds=seeds).pooled_output)

    np.testing.assert_array_equal(pooled(None), pooled(None))
    np.testing.assert_array_equal(pooled(1), pooled(1))
    assert np.abs(pooled(1) - pooled(None)).max() > 1e-3
    assert np.abs(pooled(1) - pooled(2)).max() > 1e-3


def test_model_dropout_keeps_the_mean() -> None:
    from bertfast.tf.layers import dropout

    seeds = DropoutSeeds(tf.constant([3, 4]))
    dropped = np.asarray(dropout(tf.ones([200_000]), 0.1, seeds), np.float64)
    assert set(np.unique(dropped).round(4).tolist()) == {0.0, 1.1111}
    assert abs(dropped.mean() - 1) < 0.005


def test_model_without_dropout_rates_drops_nothing() -> None:
    config = small_config(**WITHOUT_DROPOUT)
    model, feeds = build(config, random_variables(config)), random_feeds(config, [7], 7)
    dropped = run(model, feeds, seeds=DropoutSeeds(tf.constant([1, 2])))
    np.testing.assert_array_equal(dropped.pooled_output, run(model, feeds).pooled_output)


def test_model_initial_values_are_the_originals_kind() -> None:
    config = small_config(vocab_size=3000, initializer_range=0.05)
    values = {name_of(v): v.numpy() for v in BertModel(config, seed=7).variables}
    table = values["bert/embeddings/word_embeddings"]
    assert np.abs(table).max() <= 0.1  # two deviations
    assert abs(table.std() - 0.05 * 0.8796) < 0.001  # of a normal cut at two deviations
    for name, value in values.items():
        if name.endswith(("bias", "beta")):
            assert not value.any(), name
        elif name.endswith("gamma"):
            assert (value == 1).all(), name
        else:
            assert value.std() > 0.03, name
    again = {name_of(v): v.numpy() for v in BertModel(config, seed=7).variables}
    other = {name_of(v): v.numpy() for v in BertModel(config, seed=8).variables}
    assert all((again[name] == value).all() for name, value in values.items())
    assert not (other["bert/embeddings/word_embeddings"] == table).any()


def test_model_refuses_rows_beyond_its_positions(config: BertConfig) -> None:
    with pytest.raises(ValueError, match="length 65 is greater than max_position_embeddings 64"):
        BertModel(config)(tf.zeros([1, 65], tf.int32))


def test_model_bfloat16_stays_near_float32(config: BertConfig) -> None:
    variables, feeds = random_variables(config), random_feeds(config, [8, 4], 8)
    exact = run(build(config, variables), feeds).pooled_output
    mixed = run(build(config, variables, compute_dtype=tf.bfloat16), feeds).pooled_output
    assert mixed.dtype == tf.bfloat16
    difference = np.abs(tf.cast(mixed, tf.float32) - exact).max()
    assert 1e-6 < difference < 0.1


def test_model_refuses_weights_of_another_shape(config: BertConfig) -> None:
    variables = random_variables(config)
    variables["bert/pooler/dense/bias"] = np.zeros(7, np.float32)
    with pytest.raises(CheckpointError, match=r"pooler/dense/bias has shape \[7\].*\[24\]"):
        build(config, variables)


def test_model_reports_what_became_of_each_variable(config: BertConfig) -> None:
    variables = random_variables(config, n_labels=3)
    bias = variables.pop("bert/pooler/dense/bias")
    model = BertModel(config)
    report = initialize(model.variables, InitialWeights(Path("a.ckpt"), variables))
    assert report.fresh == ("bert/pooler/dense/bias",)
    assert report.unused == ("output_bias", "output_weights")
    assert len(report.loaded) == len(expected_variables(config)) - 1
    assert report.lines()[0] == f"a.ckpt: {len(report.loaded)} variables loaded"
    assert bias.any()
    by_name = {name_of(v): v.numpy() for v in model.variables}
    assert not by_name["bert/pooler/dense/bias"].any()
    name = "bert/encoder/layer_1/output/dense/kernel"
    np.testing.assert_array_equal(by_name[name], variables[name])


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> Arrays:
    with np.load(shared_data / "golden" / "minilm_l6.npz") as arrays:
        return {name: arrays[name] for name in arrays}


@pytest.mark.shared
def test_golden_every_output(minilm: Path, minilm_config: BertConfig, golden: Arrays) -> None:
    outputs = run(build(minilm_config, read_checkpoint(minilm)), golden)
    mask = golden["input_mask"]
    layers = [outputs.embedding_output, *outputs.all_encoder_layers]
    for layer, output in enumerate(layers):
        difference = np.abs(output[:, 0] - golden["cls_per_layer"][layer])
        assert difference.max() < LIMIT, layer
    difference = np.abs(outputs.sequence_output[:8] - golden["sequence_output_first8"])
    assert difference[mask[:8] == 1].max() < LIMIT
    assert np.abs(outputs.pooled_output - golden["pooled_output"]).max() < LIMIT
    embedding = mean_embedding(outputs.sequence_output.numpy(), mask)
    assert np.abs(embedding - golden["mean_embedding"]).max() < LIMIT


@pytest.mark.shared
def test_golden_one_hot_equals_gather(
    minilm: Path, minilm_config: BertConfig, golden: Arrays
) -> None:
    rows = {name: golden[name][:4] for name in INPUTS}
    model = build(minilm_config, read_checkpoint(minilm), use_one_hot_embeddings=True)
    difference = np.abs(run(model, rows).pooled_output - golden["pooled_output"][:4])
    assert difference.max() < LIMIT


@pytest.mark.shared
def test_golden_tells_the_gelus_apart(
    minilm: Path, minilm_config: BertConfig, golden: Arrays
) -> None:
    wrong = dataclasses.replace(minilm_config, hidden_act="gelu_tanh")
    rows = {name: golden[name][:16] for name in INPUTS}
    given = run(build(wrong, read_checkpoint(minilm)), rows).pooled_output
    assert np.abs(given - golden["pooled_output"][:16]).max() > 10 * LIMIT


def mean_embedding(x: NDArray[Any], mask: NDArray[Any]) -> NDArray[Any]:
    """Mask-weighted mean, L2-normalised."""
    mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    normed: NDArray[Any] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return normed
