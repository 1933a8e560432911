import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bertfast.engine.initializers import Initializers
from bertfast.engine.weights import Weights
from bertfast.errors import BundleError

FLOATS = np.arange(12, dtype=np.float32).reshape(3, 4)


def write(path: Path, *tensors: onnx.TensorProto) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        list(tensors),
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def named(name: str, array: NDArray[Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(array, name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("shape", [(3, 4), (12,), (), (0, 5), (2, 3, 2)])
def test_raw_tensors_come_back_as_they_were(
    path: Path, dtype: type, shape: tuple[int, ...]
) -> None:
    array: NDArray[Any] = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
    initializers = Initializers(write(path, named("first", FLOATS), named("weights", array)))
    assert list(initializers) == ["first", "weights"]
    assert "weights" in initializers
    assert "x" not in initializers
    assert initializers["weights"].dtype == dtype
    assert np.array_equal(initializers["weights"], array)
    assert np.array_equal(initializers["first"], FLOATS)


def test_typed_fields_are_read_like_raw_ones(path: Path) -> None:
    tensors = (
        helper.make_tensor("floats", TensorProto.FLOAT, [3, 4], FLOATS.reshape(-1).tolist()),
        helper.make_tensor("bytes", TensorProto.INT8, [3], [-128, 0, 127]),
        helper.make_tensor("ints", TensorProto.INT32, [2], [-(2**31), 2**31 - 1]),
    )
    initializers = Initializers(write(path, *tensors))
    assert np.array_equal(initializers["floats"], FLOATS)
    assert initializers["bytes"].tolist() == [-128, 0, 127]
    assert initializers["bytes"].dtype == np.int8
    assert initializers["ints"].tolist() == [-(2**31), 2**31 - 1]


def test_arrays_are_read_only_and_survive_a_release(path: Path) -> None:
    initializers = Initializers(write(path, named("weights", FLOATS)))
    array = initializers["weights"]
    assert not array.flags.writeable
    initializers.release()
    assert np.array_equal(array, FLOATS)


def changed(path: Path, **changes: Any) -> Initializers:
    """Write FLOATS with fields changed and read it."""
    tensor = named("weights", FLOATS)
    for name, value in changes.items():
        if isinstance(value, list):
            del getattr(tensor, name)[:]
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    return Initializers(write(path, tensor))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dims": [3, 5]}, "12 values, but its shape is"),
        ({"dims": [2**31 - 1] * 8}, "12 values, but its shape is"),
        ({"dims": [3, -4]}, "has the shape"),
        ({"dims": [2**31, 1]}, "has the shape"),
        ({"dims": [1] * 9}, "has the shape"),
        ({"raw_data": FLOATS.tobytes()[:-1]}, "do not make whole numbers"),
        ({"data_type": TensorProto.DOUBLE}, "data type 11 is not one of"),
        ({"data_type": 0}, "data type 0 is not one of"),
        ({"data_location": TensorProto.EXTERNAL}, "in another file, which is refused"),
        ({"float_data": [1.0]}, "has its data twice"),
    ],
)
def test_tensor_that_contradicts_itself_is_refused(
    path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        _ = changed(path, **changes)["weights"]


def test_external_data_are_refused_even_without_a_location(path: Path) -> None:
    tensor = named("weights", FLOATS)
    tensor.external_data.add(key="location", value="../secret")
    with pytest.raises(BundleError, match="in another file, which is refused"):
        Initializers(write(path, tensor))


def test_numbers_out_of_range_are_refused(path: Path) -> None:
    tensor = helper.make_tensor("bytes", TensorProto.INT8, [2], [1, 2])
    tensor.int32_data[1] = 128
    with pytest.raises(BundleError, match="a number is out of range"):
        _ = Initializers(write(path, tensor))["bytes"]


def test_two_tensors_of_one_name_are_refused(path: Path) -> None:
    with pytest.raises(BundleError, match="'a' is there twice"):
        Initializers(write(path, named("a", FLOATS), named("a", FLOATS)))


def test_two_graphs_are_refused(path: Path) -> None:
    content = write(path, named("a", FLOATS)).read_bytes()
    path.write_bytes(content + content)
    with pytest.raises(BundleError, match="it holds 2 graphs"):
        Initializers(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x3a\xff\xff\xff\xff\xff\x7f"])
def test_files_that_are_no_model_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx cannot be read: .*; export"):
        Initializers(path)


def test_missing_file_and_tensor_are_named(path: Path) -> None:
    with pytest.raises(BundleError, match="is missing"):
        Initializers(path)
    with pytest.raises(BundleError, match="lacks 'b'"):
        _ = Initializers(write(path, named("a", FLOATS)))["b"]


def read_all(path: Path) -> bool:
    """Read every tensor; returns whether none was refused."""
    try:
        initializers = Initializers(path)
        for name in initializers:
            _ = initializers[name]
    except BundleError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_every_truncation_is_refused_or_lacks_tensors(path: Path) -> None:
    content = write(path, named("a", FLOATS), named("b", FLOATS)).read_bytes()
    assert list(Initializers(path)) == ["a", "b"]
    end_of_graph = Initializers(path)._map.rfind(FLOATS.tobytes()) + FLOATS.nbytes
    for size in range(end_of_graph):
        path.write_bytes(content[:size])
        assert not read_all(path), size


def test_flipped_bits_never_do_more_than_raise(path: Path) -> None:
    content = write(path, named("a", FLOATS), named("b", FLOATS.astype(np.int8))).read_bytes()
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            read_all(path)


def test_random_bytes_never_do_more_than_raise(path: Path) -> None:
    content = write(path, named("a", FLOATS), named("b", FLOATS)).read_bytes()
    generator = random.Random(0)
    for _ in range(2000):
        damaged = bytearray(content)
        for _ in range(generator.randrange(1, 8)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path.write_bytes(damaged)
        read_all(path)


def quantized(path: Path, *, zero_point: int = 0) -> Weights:
    tensors = [
        named("bert/encoder/layer_0/attention/self/qkv/kernel_quantized", np.ones((2, 6), np.int8)),
        named(
            "bert/encoder/layer_0/attention/self/qkv/kernel_scale",
            np.ones((1, 6), np.float32),
        ),
        named(
            "bert/encoder/layer_0/attention/self/qkv/kernel_zero_point",
            np.full(6, zero_point, np.int8),
        ),
        named("bert/encoder/layer_0/attention/self/qkv/bias", np.ones(6, np.float32)),
    ]
    return Weights(Initializers(write(path, *tensors)), quantize=True)


def test_quantized_weights_keep_their_scales(path: Path) -> None:
    dense = quantized(path)._dense("bert/encoder/layer_0/attention/self/qkv")
    assert dense.weight.dtype == np.int8
    assert dense.scale is not None
    assert dense.scale.tolist() == [1.0] * 6
    assert not dense.quantize


def test_zero_point_is_refused(path: Path) -> None:
    with pytest.raises(BundleError, match="quantized with a zero point"):
        quantized(path, zero_point=1)._dense("bert/encoder/layer_0/attention/self/qkv")


def test_tensor_of_another_type_is_refused(path: Path) -> None:
    write(path, named("output_weights", FLOATS.astype(np.int64)))
    with pytest.raises(BundleError, match="output_weights: expected float32, found int64"):
        Weights(Initializers(path), quantize=False).classifier()
