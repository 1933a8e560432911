"""A genuine checkpoint of the original code: load it, train a step, save, load again."""

from pathlib import Path

import numpy as np
import pytest

from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.tf.checkpoints import CheckpointStore
from bertfast.tf.model_source import read_initial_weights
from tests.tf.conftest import Arrays, small_batch

tf = pytest.importorskip("tensorflow")

from bertfast.tf.initialization import initialize, restore, snapshot  # noqa: E402
from bertfast.tf.optimization import AdamWeightDecay, LearningRate  # noqa: E402
from bertfast.tf.pretraining import BertForPreTraining  # noqa: E402
from bertfast.tf.train_step import TrainStep  # noqa: E402
from bertfast.tf.training import trained_variables  # noqa: E402

pytestmark = pytest.mark.shared


def pretraining_batch(config: BertConfig) -> Arrays:
    batch = small_batch(config, [9, 16, 5, 12], 16)
    del batch["label_ids"], batch["is_real_example"]
    return batch | {
        "masked_lm_positions": np.array([[1, 3], [2, 0], [4, 0], [5, 6]], np.int32),
        "masked_lm_ids": np.array([[7, 8], [9, 0], [3, 0], [4, 5]], np.int32),
        "masked_lm_weights": np.array([[1, 1], [1, 0], [1, 0], [1, 1]], np.float32),
        "next_sentence_labels": np.array([[0], [1], [0], [1]], np.int32),
    }


def test_tf1_checkpoint_loads_trains_saves_and_loads_again(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "checkpoint_tf1"
    original = read_checkpoint(folder / "bert_model.ckpt", keep_optimizer=True)
    config = BertConfig.from_json_file(folder / "bert_config.json")
    model = BertForPreTraining(config)
    weights = read_initial_weights(folder, config)
    assert weights is not None
    report = initialize(model.trainable_variables, weights)
    assert (len(report.loaded), report.fresh, report.unused) == (46, (), ())
    optimizer = AdamWeightDecay(model.trainable_variables, LearningRate(1e-3, 10**6))
    # All 139 of the original's tensors are ours: 46 weights, two slots each, and the step.
    restore(trained_variables(optimizer), original)
    for name, value in snapshot(trained_variables(optimizer)).items():
        np.testing.assert_array_equal(value, original[name], err_msg=name)
    step = TrainStep(model.loss, optimizer, seed=0)
    batches = tf.data.Dataset.from_tensors(pretraining_batch(config))
    assert np.isfinite(step.run(iter(batches), 1))
    trained = snapshot(trained_variables(optimizer))
    assert trained["global_step"] == original["global_step"] + 1
    kernel = "bert/encoder/layer_0/output/dense/kernel"
    assert not np.array_equal(trained[kernel], original[kernel])
    CheckpointStore(tmp_path).save(int(trained["global_step"]), trained)
    assert set(trained) == set(original)
    again = BertForPreTraining(config, seed=9)
    other = AdamWeightDecay(again.trainable_variables, LearningRate(1e-3, 100))
    saved = CheckpointStore(tmp_path).latest()
    assert saved is not None
    restore(trained_variables(other), saved.variables)
    for name, value in snapshot(trained_variables(other)).items():
        np.testing.assert_array_equal(value, trained[name], err_msg=name)
