"""Numpy arrays as tensors of PyTorch or TensorFlow, without a copy where these allow it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import InputError, MissingDependencyError

Framework = Literal["pt", "tf"]

# TensorFlow's kernels abort on memory that is not aligned as Eigen wants it, at most to this.
_TENSORFLOW_ALIGNMENT = 64


def check_framework(return_tensors: str | None) -> Framework | None:
    """Return the framework that `return_tensors` asks for, None for numpy.

    Raises:
        InputError: not one that we know.
        MissingDependencyError: the framework is not installed.
    """
    if return_tensors is None or return_tensors == "np":
        return None
    tensor_maker(return_tensors)
    return "pt" if return_tensors == "pt" else "tf"


def tensor_maker(framework: str) -> Callable[[NDArray[Any]], Any]:
    """Return the function that makes a tensor of an array.

    Raises:
        InputError: not one that we know.
        MissingDependencyError: the framework is not installed.
    """
    if framework == "pt":
        make: Callable[[NDArray[Any]], Any] = _load("pt", "torch").from_numpy
        return make
    if framework == "tf":
        tensorflow = _load("tf", "tensorflow")
        return lambda array: _as_tensorflow(tensorflow, array)
    raise InputError(f"return_tensors is 'np', 'pt' or 'tf', got {framework!r}")


def _as_tensorflow(tensorflow: Any, array: NDArray[Any]) -> Any:
    if array.ctypes.data % _TENSORFLOW_ALIGNMENT:
        return tensorflow.convert_to_tensor(array)  # copies
    return tensorflow.experimental.dlpack.from_dlpack(array.__dlpack__())


def empty_aligned(shape: tuple[int, int], dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return an uninitialized array of `shape` that TensorFlow can take without a copy."""
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    memory = np.empty(n_bytes + _TENSORFLOW_ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _TENSORFLOW_ALIGNMENT
    return memory[begin : begin + n_bytes].view(dtype).reshape(shape)


def move_tensor(tensor: Any, device: Any) -> Any:
    """Return a PyTorch tensor on `device`; InputError if it is none."""
    if not hasattr(tensor, "to"):
        raise InputError(
            f"to({device!r}) moves tensors of PyTorch; TensorFlow places its own (tf.device)"
        )
    return tensor.to(device)


def _load(framework: str, module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"return_tensors={framework!r} needs {module} ({error}); pip install {module}"
        ) from error
