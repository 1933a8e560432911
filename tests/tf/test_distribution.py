"""Mirrored training on two logical CPU devices equals one device.

In a process of its own: the CPU can only be split before TensorFlow starts.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.errors import BertfastError, DeviceError
from bertfast.tf.devices import Devices

tf = pytest.importorskip("tensorflow")

from bertfast.tf.distribution import is_on_cpu, make_strategy  # noqa: E402

SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf
from bertfast.tf.batches import distribute, trimmed
from bertfast.tf.classifier import BertClassifier, per_example_loss
from bertfast.tf.devices import Devices
from bertfast.tf.distribution import is_on_cpu, make_strategy
from bertfast.tf.initialization import snapshot
from bertfast.tf.optimization import AdamWeightDecay, LearningRate
from bertfast.tf.train_step import TrainStep
from bertfast.tf.training import trained_variables
from tests.small_bert import small_config
from tests.tf.conftest import small_batch

folder = sys.argv[1]
config = small_config(num_hidden_layers=1)
batches = [small_batch(config, [5, 9, 3, 7, 12, 4, 6, 8], 16, seed) for seed in range(3)]
rows = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
mirrored = make_strategy(Devices(strategy="mirrored", n_cpu_devices=2))
dataset = tf.data.Dataset.from_tensor_slices(rows).repeat().batch(8, drop_remainder=True)
single = tf.distribute.OneDeviceStrategy("/cpu:0")
results = {}
for name, strategy, options in (
    ("single", single, {}), ("mirrored", mirrored, {}), ("parts", mirrored, {"n_accumulations": 2})
):
    with strategy.scope():
        model = BertClassifier(config, 2, seed=3)
        optimizer = AdamWeightDecay(model.trainable_variables, LearningRate(1e-2, 20, 2))
        loss = lambda batch, seeds: tf.reduce_mean(
            per_example_loss(model.logits(batch), batch["label_ids"]))
        step = TrainStep(loss, optimizer, seed=0, **options)
        iterator = iter(distribute(trimmed(dataset), strategy))
        losses = [step.run(iterator, 2) for _ in range(3)]
        variables = trained_variables(optimizer)
        np.savez(f"{folder}/{name}.npz", **snapshot(variables))
        copies = [strategy.experimental_local_results(variable) for variable in variables]
        apart = max(float(np.abs(each[0].numpy() - each[-1].numpy()).max()) for each in copies)
    results[name] = {"losses": losses, "apart": apart, "copies": len(copies[0]),
                     "replicas": strategy.num_replicas_in_sync, "cpu": is_on_cpu(strategy)}
# Dropout is on: each replica must drop other values.
with mirrored.scope():
    seeds = mirrored.run(lambda: step._step_seed(tf.distribute.get_replica_context()))
    results["seeds"] = [s.numpy().tolist() for s in mirrored.experimental_local_results(seeds)]
    iterator = iter(distribute(dataset, mirrored))
    parts = mirrored.experimental_local_results(next(iterator)["input_ids"])
    results["rows"] = [part.numpy()[:, 0].tolist() for part in parts]
results["expected_rows"] = rows["input_ids"][:8, 0].tolist()
json.dump(results, open(f"{folder}/results.json", "w"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script writes."""
    folder = tmp_path_factory.mktemp("distribution")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return values


@pytest.mark.parametrize("name", ["mirrored", "parts"])
def test_mirrored_losses_and_weights_equal_one_device(
    folder: Path, results: dict[str, Any], name: str
) -> None:
    assert (results[name]["replicas"], results["single"]["replicas"]) == (2, 1)
    assert (results[name]["copies"], results[name]["cpu"]) == (2, True)
    np.testing.assert_allclose(results[name]["losses"], results["single"]["losses"], rtol=1e-5)
    with np.load(folder / "single.npz") as single, np.load(folder / f"{name}.npz") as other:
        assert set(single) == set(other)
        assert single["global_step"] == other["global_step"] == 6
        for variable in single:
            np.testing.assert_allclose(
                other[variable], single[variable], rtol=1e-3, atol=2e-5, err_msg=variable
            )


def test_mirrored_copies_stay_the_same_bits(results: dict[str, Any]) -> None:
    assert results["mirrored"]["apart"] == 0


def test_mirrored_replicas_drop_other_values(results: dict[str, Any]) -> None:
    first, second = results["seeds"]
    assert first != second


def test_distribute_cuts_batches_in_order(results: dict[str, Any]) -> None:
    first, second = results["rows"]
    assert len(first) == len(second) == 4
    assert first + second == results["expected_rows"]


def test_strategy_of_one_cpu_is_one_device() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there are GPUs here")
    strategy = make_strategy(Devices())
    assert isinstance(strategy, tf.distribute.OneDeviceStrategy)
    assert is_on_cpu(strategy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "magic"}, "unknown strategy 'magic'"),
        ({"use_tpu": True, "strategy": "mirrored"}, "contradicts"),
        ({"n_cpu_devices": 0}, "at least one"),
    ],
)
def test_devices_refuse_what_makes_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        Devices(**options)


def test_batch_that_replicas_cannot_share_is_refused() -> None:
    from bertfast.tf.session import check_batch_size

    class TwoReplicas:
        num_replicas_in_sync = 2

    check_batch_size("train_batch_size", 8, TwoReplicas(), 2)
    with pytest.raises(BertfastError, match="train_batch_size 6 cannot be split equally"):
        check_batch_size("train_batch_size", 6, TwoReplicas(), 2)
