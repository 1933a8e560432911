"""Bit-exactness against TensorFlow itself: what it writes we read, and it reads what we claim.

Skipped where TensorFlow is not installed.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from tests.checkpoint.tensor_bundle_writer import write_tensor_bundle

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)

NUMBERS = ("f4", "f8", "i4", "u1", "i2", "i1", "i8", "u2", "u4", "u8", "f2", "c8", "c16")
WIDENED = ("bfloat16", "float16")


@contextmanager
def quietly() -> Iterator[None]:
    """Let TensorFlow's own deprecation warnings pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def tf() -> Any:
    with quietly():
        return importlib.import_module("tensorflow")


def truth(tf: Any, prefix: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of a checkpoint, by TensorFlow's reader."""
    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_shape_map()
    values = {name: reader.get_tensor(name) for name in names}
    return {
        name: np.array(value, object if isinstance(value, bytes) else None)
        for name, value in values.items()
    }


def assert_same(given: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> None:
    """Same names, dtypes, shapes and bytes; 16-bit floats compare as float32."""
    assert set(given) == set(expected)
    for name, tensor in expected.items():
        wide = tensor.astype(np.float32) if tensor.dtype.name in WIDENED else tensor
        assert given[name].dtype == wide.dtype, name
        assert given[name].shape == wide.shape, name
        if wide.dtype == object:
            assert given[name].tolist() == wide.tolist(), name
        else:
            assert given[name].tobytes() == wide.tobytes(), name


def save_v2(tf: Any, prefix: Path, tensors: Mapping[str, Any]) -> None:
    """Write with the operation beneath every Saver."""
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def many_tensors(tf: Any) -> dict[str, Any]:
    """Every dtype we read, odd sizes (so that later ones are unaligned), scalars, empties."""
    rng = np.random.default_rng(7)
    numbers = {
        np.dtype(name).name: np.frombuffer(rng.bytes(np.dtype(name).itemsize * 15), name)
        for name in NUMBERS
    }
    tensors = {f"a/{name}": tf.constant(array.reshape(3, 5)) for name, array in numbers.items()}
    tensors["a/bool"] = tf.constant([True, False, True])
    tensors["a/bfloat16"] = tf.cast(tf.constant(rng.normal(size=(7, 3))), tf.bfloat16)
    tensors["scalar"] = tf.constant(3.5)
    tensors["empty"] = tf.zeros([0, 4], tf.int64)
    tensors["one byte"] = tf.constant([1], tf.int8)
    tensors["unaligned"] = tf.constant(rng.normal(size=(5, 2, 3)))
    tensors["strings"] = tf.constant([["", "a"], ["\xe9" * 300, "\0\xff"]])
    tensors["no strings"] = tf.constant([], tf.string)
    tensors["large"] = tf.constant(rng.normal(size=(300, 257)), tf.float32)
    return tensors


def test_tensorflow_every_dtype_reads_bit_exact(tf: Any, tmp_path: Path) -> None:
    prefix = tmp_path / "model.ckpt"
    save_v2(tf, prefix, many_tensors(tf))
    assert_same(read_checkpoint(prefix), truth(tf, prefix))


def test_tensorflow_merged_shards_read_bit_exact(tf: Any, tmp_path: Path) -> None:
    tensors = many_tensors(tf)
    names = list(tensors)
    parts = [str(tmp_path / f"part{n}") for n in range(3)]
    for n, part in enumerate(parts):
        save_v2(tf, Path(part), {name: tensors[name] for name in names[n::3]})
    prefix = tmp_path / "merged"
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(prefix))
    assert (tmp_path / "merged.data-00002-of-00003").exists()
    assert_same(read_checkpoint(prefix), truth(tf, prefix))


def test_tensorflow_many_variables_span_index_blocks(tf: Any, tmp_path: Path) -> None:
    prefix = tmp_path / "model.ckpt"
    name = "scope/with/a/long/shared/prefix/" * 20  # 6,000 keys exceed a 256 KiB block
    save_v2(tf, prefix, {f"{name}{n}": tf.constant(n) for n in range(6000)})
    given = read_checkpoint(prefix)
    assert len(given) == 6000
    assert all(given[f"{name}{n}"] == n for n in range(6000))


@pytest.mark.parametrize("sharded", [False, True])
def test_tensorflow_tf1_saver_reads_bit_exact(tf: Any, tmp_path: Path, sharded: bool) -> None:
    v1 = tf.compat.v1
    rng = np.random.default_rng(3)
    with quietly(), tf.Graph().as_default():
        for n in range(12):
            with tf.device(f"/cpu:{n % 2}"), v1.variable_scope(f"bert/layer_{n}"):
                v1.get_variable("kernel", initializer=rng.normal(size=(n + 1, 3)))
        v1.train.get_or_create_global_step()
        config = v1.ConfigProto(device_count={"CPU": 2})
        with v1.Session(config=config) as session:
            session.run(v1.global_variables_initializer())
            saver = v1.train.Saver(sharded=sharded)
            prefix = Path(saver.save(session, str(tmp_path / "model.ckpt"), global_step=20))
    n_files = len(list(tmp_path.glob("*.data-*")))
    assert n_files == (3 if sharded else 1)  # the global step has no device: a shard of its own
    expected = truth(tf, prefix)
    assert_same(read_checkpoint(tmp_path, keep_optimizer=True), expected)  # by the state file
    del expected["global_step"]
    assert_same(read_checkpoint(prefix), expected)


@pytest.mark.parametrize(("axis", "n_parts"), [(0, 3), (1, 2), (0, 70)])
def test_tensorflow_partitioned_variable_reads_whole(
    tf: Any, tmp_path: Path, axis: int, n_parts: int
) -> None:
    v1 = tf.compat.v1
    with quietly(), tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable(
            "embeddings", shape=(700, 4), partitioner=v1.fixed_size_partitioner(n_parts, axis)
        )
        session.run(v1.global_variables_initializer())
        value = session.run(tf.convert_to_tensor(variable))
        prefix = Path(v1.train.Saver().save(session, str(tmp_path / "model.ckpt")))
    assert_same(read_checkpoint(prefix), truth(tf, prefix))
    assert_same(read_checkpoint(prefix), {"embeddings": value})


def test_tensorflow_eager_saver_reads_bit_exact(tf: Any, tmp_path: Path) -> None:
    variables = {
        "bert/pooler/dense/kernel": tf.Variable(tf.random.normal([4, 4])),
        "bert/pooler/dense/kernel/adam_m": tf.Variable(tf.random.normal([4, 4])),
        "global_step": tf.Variable(7, dtype=tf.int64),
    }
    with quietly():
        saver = tf.compat.v1.train.Saver(variables)
        prefix = Path(saver.save(None, str(tmp_path / "model.ckpt"), global_step=7))
    assert list(read_checkpoint(tmp_path)) == ["bert/pooler/dense/kernel"]
    assert_same(read_checkpoint(tmp_path, keep_optimizer=True), truth(tf, prefix))


def test_tensorflow_object_based_checkpoint_reads_bit_exact(tf: Any, tmp_path: Path) -> None:
    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.random.normal([5, 3]))
            self.layers = [tf.Variable([1.0, 2.0]), tf.Variable(3)]

    model = Model()
    with quietly():
        optimizer = tf.keras.optimizers.Adam()
        optimizer.apply_gradients([(tf.ones([5, 3]), model.kernel)])
        checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
        prefix = Path(checkpoint.save(str(tmp_path / "ckpt")))
    expected = truth(tf, prefix)
    assert_same(read_checkpoint(tmp_path, keep_optimizer=True), expected)
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    names = ["model/kernel", "model/layers/0", "model/layers/1"]
    assert list(read_checkpoint(prefix)) == [name + suffix for name in names]


@pytest.mark.shared
@pytest.mark.parametrize("keep_optimizer", [True, False])
def test_tensorflow_genuine_tf1_checkpoint_reads_bit_exact(
    tf: Any, shared_data: Path, keep_optimizer: bool
) -> None:
    prefix = shared_data / "checkpoint_tf1" / "bert_model.ckpt"
    expected = truth(tf, prefix)
    assert len(expected) == 139
    if not keep_optimizer:
        expected = {
            name: tensor
            for name, tensor in expected.items()
            if name != "global_step" and not name.endswith(("adam_m", "adam_v"))
        }
    assert_same(read_checkpoint(prefix, keep_optimizer=keep_optimizer), expected)


@pytest.mark.parametrize("snappy", [False, True])
def test_tensorflow_reads_what_the_test_writer_writes(
    tf: Any, tmp_path: Path, snappy: bool
) -> None:
    rng = np.random.default_rng(0)
    tensors = {f"bert/layer_{n}/kernel": rng.normal(size=(n, 3)) for n in range(30)}
    write_tensor_bundle(tmp_path / "model", tensors, n_shards=2, snappy=snappy)
    assert_same(truth(tf, tmp_path / "model"), tensors)
    assert_same(read_checkpoint(tmp_path / "model"), tensors)
