"""The training step: accumulation, seeds, gradients."""

import zlib
from typing import Any

import numpy as np
import pytest

from bertfast.config import BertConfig
from tests.small_bert import small_config
from tests.tf.conftest import WITHOUT_DROPOUT, Arrays, small_batch

tf = pytest.importorskip("tensorflow")

from bertfast.tf.classifier import BertClassifier, per_example_loss  # noqa: E402
from bertfast.tf.initialization import snapshot  # noqa: E402
from bertfast.tf.optimization import AdamWeightDecay, LearningRate  # noqa: E402
from bertfast.tf.train_step import TrainStep  # noqa: E402
from bertfast.tf.training import trained_variables  # noqa: E402


def train(
    config: BertConfig,
    batch: Arrays,
    *,
    n_steps: int = 3,
    at_once: int = 1,
    one_hot: bool = False,
    drops: bool = True,
    rate: float = 1e-2,
    **options: Any,
) -> tuple[list[float], Arrays]:
    """Train on one batch again and again; return the losses and all variables."""
    model = BertClassifier(config, 2, use_one_hot_embeddings=one_hot, seed=3)
    optimizer = AdamWeightDecay(model.trainable_variables, LearningRate(rate, 100))

    def loss_without_dropout(batch: Any, seeds: Any) -> Any:
        return tf.reduce_mean(per_example_loss(model.logits(batch), batch["label_ids"]))

    loss = model.loss if drops else loss_without_dropout
    step = TrainStep(loss, optimizer, **{"seed": 5, **options})
    strategy = tf.distribute.get_strategy()
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    iterator = iter(strategy.experimental_distribute_dataset(dataset))
    losses = [step.run(iterator, at_once) for _ in range(n_steps // at_once)]
    return losses, snapshot(trained_variables(optimizer))


def one_layer(**changes: Any) -> BertConfig:
    """Half of the small model: every graph is compiled."""
    return small_config(num_hidden_layers=1, **changes)


@pytest.fixture
def config() -> BertConfig:
    return one_layer()


def crc(variables: Arrays) -> int:
    """A checksum of every bit."""
    return zlib.crc32(b"".join(variables[name].tobytes() for name in sorted(variables)))


def assert_close(given: Arrays, expected: Arrays, atol: float) -> None:
    assert set(given) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(given[name], value, atol=atol, rtol=1e-4, err_msg=name)


def test_step_lowers_the_loss_and_counts(config: BertConfig) -> None:
    batch = small_batch(config, [5, 9, 3, 7], 9)
    losses, variables = train(config, batch, n_steps=20, drops=False, rate=2e-3)
    assert variables["global_step"] == 20
    assert variables["global_step"].dtype == np.int64
    assert losses[-1] < 0.7 * losses[0], losses


def test_step_again_gives_the_same_bits_however_many_run_at_once(config: BertConfig) -> None:
    batch = small_batch(config, [5, 9, 3, 7], 9)
    one_by_one, first = train(config, batch, n_steps=6)
    in_threes, second = train(config, batch, n_steps=6, at_once=3)
    assert crc(first) == crc(second)
    assert in_threes[0] == pytest.approx(np.mean(one_by_one[:3]), rel=1e-6)


def test_step_dropout_depends_on_the_seed(config: BertConfig) -> None:
    batch = small_batch(config, [5, 9, 3, 7], 9)
    assert train(config, batch, seed=5)[0] != train(config, batch, seed=6)[0]


def test_step_dropout_differs_from_step_to_step(config: BertConfig) -> None:
    batch = small_batch(config, [5, 9, 3, 7], 9)
    model = BertClassifier(config, 2, seed=3)
    optimizer = AdamWeightDecay(model.trainable_variables, LearningRate(0.0, 100))
    step = TrainStep(model.loss, optimizer, seed=5)
    iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
    losses = [step.run(iterator, 1) for _ in range(4)]  # the weights stay as they are
    assert len(set(losses)) == 4


@pytest.mark.parametrize("n_parts", [2, 4])
def test_step_accumulation_equals_the_whole_batch(config: BertConfig, n_parts: int) -> None:
    batch = small_batch(config, [5, 9, 3, 7], 9)
    whole_losses, whole = train(config, batch, drops=False)
    losses, variables = train(config, batch, drops=False, n_accumulations=n_parts)
    np.testing.assert_allclose(losses, whole_losses, rtol=1e-5)
    assert_close(variables, whole, atol=2e-5)


def test_step_accumulated_parts_drop_different_values() -> None:
    config = one_layer()
    one_row = small_batch(config, [9], 9)
    twice = {name: np.concatenate([array, array]) for name, array in one_row.items()}
    model = BertClassifier(config, 2, seed=3)
    optimizer = AdamWeightDecay(model.trainable_variables, LearningRate(0.0, 100))
    of_parts: list[float] = []

    def loss(batch: Any, seeds: Any) -> Any:
        value = model.loss(batch, seeds)
        tf.py_function(lambda number: of_parts.append(float(number)), [value], [])
        return value

    step = TrainStep(loss, optimizer, seed=5, n_accumulations=2)
    step.run(iter(tf.data.Dataset.from_tensors(twice)), 1)
    assert len(of_parts) == 2
    assert of_parts[0] != of_parts[1]


def test_step_one_hot_trains_as_gather_does() -> None:
    config = one_layer(**WITHOUT_DROPOUT)
    batch = small_batch(config, [5, 9, 3, 7], 9)  # words occur several times
    gather_losses, gather = train(config, batch)
    losses, variables = train(config, batch, one_hot=True)
    np.testing.assert_allclose(losses, gather_losses, rtol=1e-5)
    assert_close(variables, gather, atol=2e-5)


def test_step_trimmed_padding_changes_nothing() -> None:
    config = one_layer(**WITHOUT_DROPOUT)
    batch = small_batch(config, [5, 8, 3, 7], 30)
    cut = {name: array[:, :8] if array.ndim == 2 else array for name, array in batch.items()}
    losses, variables = train(config, batch)
    cut_losses, cut_variables = train(config, cut)
    np.testing.assert_allclose(cut_losses, losses, rtol=1e-5)
    assert_close(cut_variables, variables, atol=2e-5)
