"""Numpy arrays as tensors of PyTorch or TensorFlow, without a copy where these allow it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

from numpy.typing import NDArray

from bertfast.errors import InputError, MissingDependencyError

Framework = Literal["pt", "tf"]


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
        from_dlpack = _load("tf", "tensorflow").experimental.dlpack.from_dlpack
        return lambda array: from_dlpack(array.__dlpack__())
    raise InputError(f"return_tensors is 'np', 'pt' or 'tf', got {framework!r}")


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
