"""return_tensors: tensors of PyTorch and TensorFlow under the names of the arrays."""

import sys
from typing import Any

import numpy as np
import pytest

from bertfast import Encoding, TensorEncoding, Tokenizer
from bertfast.errors import InputError, MissingDependencyError
from bertfast.tensors import empty_aligned

TEXTS = ["hello world", "", "the unaffable café 大学!"]
NAMES = (
    *("input_ids", "input_mask", "segment_ids", "lengths", "truncated", "overflow_to_sample"),
    *("offsets", "attention_mask", "token_type_ids"),
)
PACKAGES = {"pt": "torch", "tf": "tensorflow"}


@pytest.fixture(params=["pt", "tf"])
def framework(request: pytest.FixtureRequest) -> Any:
    """Each framework that is installed."""
    package = PACKAGES[request.param]
    pytest.importorskip(package, reason=f"{package} is not installed")
    return request.param


def check_tensors(tensors: TensorEncoding, arrays: Encoding) -> None:
    """Fail unless `tensors` hold what `arrays` do, in the same types and shapes."""
    assert isinstance(tensors, TensorEncoding)
    for name in NAMES:
        array, tensor = arrays[name], tensors[name]
        assert tensor is getattr(tensors, name)
        if array is None:
            assert tensor is None
            continue
        assert type(tensor).__module__.partition(".")[0] in ("torch", "tensorflow")
        assert tensor.numpy().dtype == array.dtype
        assert np.array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("return_offsets", [True, False])
def test_tensors_hold_what_the_arrays_do(
    tokenizer: Tokenizer, framework: Any, dtype: Any, return_offsets: bool
) -> None:
    for texts in (TEXTS, [], [""], TEXTS * 50):
        arrays = tokenizer(
            texts, max_length=8, stride=2, dtype=dtype, return_offsets=return_offsets
        )
        tensors = tokenizer(
            texts,
            max_length=8,
            stride=2,
            dtype=dtype,
            return_offsets=return_offsets,
            return_tensors=framework,
        )
        check_tensors(tensors, arrays)
        check_tensors(arrays.to_tensors(framework), arrays)
        assert len(tensors) == len(arrays)


def test_tensors_can_be_computed_with(tokenizer: Tokenizer, framework: Any) -> None:
    # TensorFlow aborts the process here if their memory is not aligned as it wants.
    for size in range(1, 9):
        tensors = tokenizer(TEXTS * size, return_tensors=framework)
        total = (tensors.input_mask * 2)[0] + tensors.input_mask[0]
        assert total.numpy().tolist() == (tokenizer(TEXTS * size).input_mask[0] * 3).tolist()
        assert (tensors.lengths + 1).numpy().tolist() == (
            tokenizer(TEXTS).lengths + 1
        ).tolist() * size


def test_mapping_has_hugging_face_names(tokenizer: Tokenizer, framework: Any) -> None:
    def model(input_ids: Any, attention_mask: Any, token_type_ids: Any) -> list[Any]:
        return [input_ids, attention_mask, token_type_ids]

    tensors = tokenizer(TEXTS, return_tensors=framework)
    taken = model(**tensors)
    assert taken[0] is tensors.input_ids
    assert taken[1] is tensors.input_mask
    assert taken[2] is tensors.segment_ids
    with pytest.raises(KeyError):
        tensors["input_idz"]


def test_torch_shares_the_memory_of_the_arrays(tokenizer: Tokenizer) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    arrays = tokenizer(TEXTS)
    tensors = arrays.to_tensors("pt")
    arrays.input_ids[0, 0] = 77
    assert tensors.input_ids[0, 0].item() == 77
    assert np.shares_memory(tensors.truncated.numpy(), arrays.truncated)


def test_torch_tensors_move_together(tokenizer: Tokenizer) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    tensors = tokenizer(TEXTS, return_tensors="pt")
    moved = tensors.to("meta")
    assert moved.input_ids.device.type == "meta"
    assert moved.lengths.device.type == "meta"
    assert moved.offsets is None
    assert tensors.to("cpu").input_ids.tolist() == tensors.input_ids.tolist()


def test_tensorflow_shares_the_memory_of_aligned_arrays() -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    from bertfast.tensors import tensor_maker

    array = empty_aligned((4, 5), np.dtype(np.int32))
    array[:] = 1
    tensor = tensor_maker("tf")(array)
    array[0, 0] = 77
    assert int(tensorflow.reduce_max(tensor)) == 77


def test_tensorflow_tensors_are_not_moved(tokenizer: Tokenizer) -> None:
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    with pytest.raises(InputError, match="TensorFlow"):
        tokenizer(TEXTS, return_tensors="tf").to("cpu")


@pytest.mark.parametrize("return_tensors", [None, "np"])
def test_numpy_is_the_default(tokenizer: Tokenizer, return_tensors: Any) -> None:
    encoding = tokenizer(TEXTS, return_tensors=return_tensors)
    assert type(encoding) is Encoding
    assert type(encoding.input_ids) is np.ndarray
    assert list(encoding.keys()) == ["input_ids", "input_mask", "segment_ids"]


@pytest.mark.parametrize("return_tensors", ["jax", "PT", "", "cuda", 3, True])
def test_other_framework_is_refused(tokenizer: Tokenizer, return_tensors: Any) -> None:
    with pytest.raises(InputError, match="return_tensors is 'np', 'pt' or 'tf'"):
        tokenizer(TEXTS, return_tensors=return_tensors)
    with pytest.raises(InputError, match="return_tensors is 'np', 'pt' or 'tf'"):
        tokenizer(TEXTS).to_tensors(return_tensors)


@pytest.mark.parametrize("name", ["pt", "tf"])
def test_missing_framework_is_named_with_its_command(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    for call in (
        lambda: tokenizer(TEXTS, return_tensors=name),
        lambda: tokenizer(TEXTS).to_tensors(name),
    ):
        with pytest.raises(MissingDependencyError, match=f"pip install {PACKAGES[name]}"):
            call()


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 7), (5, 0)])
def test_aligned_memory_is_aligned(dtype: Any, shape: tuple[int, int]) -> None:
    for _ in range(20):
        array = empty_aligned(shape, np.dtype(dtype))
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.ctypes.data % 64 == 0 or not array.size
        assert array.flags.c_contiguous
        assert array.flags.writeable
