"""Reads the weights of an ONNX model without the onnx package: a strict reader of initializers.

The file is mapped, not read: arrays are views of it. Only what our own exports hold is taken;
everything else is refused, and nothing is allocated by a size that the file merely claims.
Source: onnx.proto of onnx/onnx (ModelProto, GraphProto, TensorProto).
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import BundleError, CheckpointError
from bertfast.wire_format import read_fields, read_varint, to_signed

# Field numbers.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_DIMS, _DATA_TYPE, _SEGMENT, _FLOAT_DATA, _INT32_DATA = 1, 2, 3, 4, 5
_NAME, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 8, 9, 13, 14

_DTYPES: dict[int, "np.dtype[Any]"] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
}
_FLOAT = 1
_AS_INT32 = (2, 3, 6)  # types whose values may stand in int32_data
_MAX_DIMS = 8
_MAX_DIM = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What the file says of a tensor; at most one of the three payloads is there."""

    data_type: int
    dims: tuple[int, ...]
    raw: memoryview | None
    floats: memoryview | None
    ints: memoryview | None


class Initializers:
    """The initializers of a model by their names. Arrays are read-only views of the file.

    The file must not be truncated while they are in use.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        """Map a model.onnx and find its initializers.

        Raises:
            BundleError: it cannot be read, or is not a model whose weights are in the file.
        """
        self._path = Path(path)
        self._map = _map(self._path)
        try:
            self._tensors = dict(_tensors(memoryview(self._map)))
        except (CheckpointError, _MalformedError) as error:
            raise self._damaged(str(error)) from None

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a tensor; it need not be aligned.

        Raises:
            BundleError: there is none of that name, or its data do not fit its type and shape.
        """
        if name not in self._tensors:
            raise BundleError(f"{self._path} lacks {name!r}; export the model again")
        try:
            return _array(self._tensors[name])
        except (CheckpointError, _MalformedError) as error:
            raise self._damaged(f"{name!r}: {error}") from None

    def release(self) -> None:
        """Drop from memory what was read of the file; it is read again where it is needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _damaged(self, reason: str) -> BundleError:
        return BundleError(f"{self._path} cannot be read: {reason}; export the model again")


class _MalformedError(Exception):
    """The file is not what it should be."""


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; export the model again") from error
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path} cannot be read: {reason}; export the model again") from error


def _tensors(model: memoryview) -> Iterator[tuple[str, _Tensor]]:
    graphs = [_message(value) for field, value in read_fields(model) if field == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise _MalformedError(f"it holds {len(graphs)} graphs, not one")
    seen = set()
    for field, value in read_fields(graphs[0]):
        if field != _GRAPH_INITIALIZER:
            continue
        name, tensor = _tensor(_message(value))
        if name in seen:
            raise _MalformedError(f"{name!r} is there twice")
        seen.add(name)
        yield name, tensor


def _tensor(message: memoryview) -> tuple[str, _Tensor]:
    dims: list[int] = []
    data_type, name = 0, ""
    payloads: dict[int, memoryview] = {}
    for field, value in read_fields(message):
        if field == _DIMS:
            dims += _numbers(value)
        elif field == _DATA_TYPE:
            data_type = _number(value)
        elif field == _NAME:
            name = bytes(_message(value)).decode("utf-8", "replace")
        elif field in (_RAW_DATA, _FLOAT_DATA, _INT32_DATA):
            payloads[field] = _message(value)
        elif field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value):
            raise _MalformedError("its weights are in another file, which is refused")
        elif field == _SEGMENT:
            raise _MalformedError("a tensor is cut into segments")
    if len(payloads) > 1:
        raise _MalformedError(f"{name!r} has its data twice")
    if len(dims) > _MAX_DIMS or not all(0 <= dim <= _MAX_DIM for dim in dims):
        raise _MalformedError(f"{name!r} has the shape {dims[:_MAX_DIMS]}")
    found = (payloads.get(field) for field in (_RAW_DATA, _FLOAT_DATA, _INT32_DATA))
    return name, _Tensor(data_type, tuple(dims), *found)


def _array(tensor: _Tensor) -> NDArray[Any]:
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        raise _MalformedError(f"data type {tensor.data_type} is not one of an export")
    n_values = prod(tensor.dims)
    if tensor.ints is not None:
        values = _int32_values(tensor.ints, tensor.data_type, dtype)
    else:
        values = _stored_values(tensor, dtype)
    if len(values) != n_values:
        raise _MalformedError(f"{len(values)} values, but its shape is {list(tensor.dims)}")
    return values.reshape(tensor.dims)


def _stored_values(tensor: _Tensor, dtype: "np.dtype[Any]") -> NDArray[Any]:
    if tensor.floats is not None and tensor.data_type != _FLOAT:
        raise _MalformedError("numbers of another type")
    payload = tensor.floats if tensor.raw is None else tensor.raw
    if payload is None:
        return np.empty(0, dtype)
    if len(payload) % dtype.itemsize:
        raise _MalformedError(f"{len(payload)} bytes do not make whole numbers")
    return np.frombuffer(payload, dtype)


def _int32_values(payload: memoryview, data_type: int, dtype: "np.dtype[Any]") -> NDArray[Any]:
    if data_type not in _AS_INT32:
        raise _MalformedError("numbers of another type")
    numbers = _numbers(payload)
    limits = np.iinfo(dtype)
    if not all(limits.min <= number <= limits.max for number in numbers):
        raise _MalformedError("a number is out of range")
    return np.array(numbers, dtype)


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _MalformedError("a number stands where a message should")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _MalformedError("a message stands where a number should")
    return to_signed(value)


def _numbers(value: int | memoryview) -> list[int]:
    """Return one number, or the numbers that are packed in a message."""
    if isinstance(value, int):
        return [to_signed(value)]
    numbers, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        numbers.append(to_signed(number))
    return numbers
