"""ONNX Runtime sessions: opened with the options that text of varying length needs.

What only a session needs is imported when one is opened: the native engine has none.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bertfast.errors import BundleError, CheckpointError, DeviceError, InputError
from bertfast.runtime.stop import signals_held

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# More are no help on any machine; ONNX Runtime would start them all, and is not to be stopped.
MAX_THREADS = 1024
_DEVICE_PATTERN = re.compile(r"cpu|cuda(?::(\d+))?")
_ERROR_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_CUDA = "CUDAExecutionProvider"
# onnxruntime and onnxruntime-gpu hold the same files: installed together, they break each other.
_INSTALL_CUDA = "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"


class Session(Protocol):
    """The part of `onnxruntime.InferenceSession` that we use."""

    def run(
        self,
        output_names: Sequence[str],
        input_feed: "dict[str, NDArray[np.int32]]",
        run_options: Any = None,
    ) -> "list[NDArray[np.float32]]":
        """Return the named outputs; `run_options` are those of `bertfast.runtime.stop.Stop`."""

    def get_outputs(self) -> Sequence[Any]:
        """Return the outputs, each with `name` and `shape`."""

    def get_providers(self) -> list[str]:
        """Return the names of the execution providers in use."""


def available_threads() -> int:
    """Return how many CPUs this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int | None) -> None:
    """Raise InputError unless `threads` is None or a positive integer."""
    if threads is None:
        return
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads is a positive integer or None, got {threads!r}")
    if threads > MAX_THREADS:
        raise InputError(f"threads is {MAX_THREADS} at most, got {threads}")


def check_device(device: str) -> None:
    """Raise DeviceError unless `device` is known and its provider is installed."""
    match = _DEVICE_PATTERN.fullmatch(device) if isinstance(device, str) else None
    if match is None:
        raise DeviceError(
            f'unknown device {device!r}: pass "cpu", "cuda" or "cuda:N" '
            f"(onnxruntime has {_available_providers()} here)"
        )
    if device != "cpu" and _CUDA not in _providers():
        raise DeviceError(
            f"device {device!r} needs {_CUDA}, but onnxruntime has only "
            f"{_available_providers()} here; for an NVIDIA GPU: {_INSTALL_CUDA}"
        )


def open_session(
    model_path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    threads: int | None = None,
    max_width: int | None = None,
) -> Session:
    """Open a model.

    The CPU arena and the memory pattern are off: with shapes that vary, the arena never
    shrinks and the pattern never fits. Everything else is ONNX Runtime's default.

    Args:
        model_path: the model.onnx file.
        device: "cpu", "cuda" or "cuda:N". Nothing falls back to another device silently.
        threads: CPU threads; None takes every CPU that this process may use.
        max_width: the model's number of positions; a GPU's batches are padded up to it at most.

    Raises:
        BundleError: the file is missing, truncated or not a model that can run.
        DeviceError: the device is unknown or cannot be used.
    """
    check_threads(threads)
    check_device(device)
    if not Path(model_path).is_file():
        raise BundleError(f"{model_path} is missing; export the model again")
    _refuse_external_data(Path(model_path))
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_threads()
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    try:
        session: Session = onnxruntime.InferenceSession(
            os.fspath(model_path), options, providers=_device_providers(device)
        )
    except Exception as error:  # onnxruntime's own errors have no base class but Exception
        raise BundleError(
            f"{model_path} cannot be loaded: {first_line(error)}; export the model again"
        ) from error
    if device == "cpu":
        return session
    if _CUDA not in session.get_providers():
        raise DeviceError(
            f"device {device!r}: {_CUDA} is installed but did not start (CUDA or cuDNN "
            f"libraries missing?); the session got only {', '.join(session.get_providers())}"
        )
    from bertfast.runtime.bound_session import BoundSession

    return BoundSession(
        session, device="cuda", device_id=int(_device_id(device)), max_width=max_width
    )


def _refuse_external_data(path: Path) -> None:
    """Raise BundleError if the model would have ONNX Runtime read other files: ours hold all."""
    from bertfast.checkpoint.mapped import map_file
    from bertfast.runtime.external_data import external_files

    try:
        files = external_files(map_file(path).data)
    except (BundleError, CheckpointError) as error:
        raise BundleError(f"{path} cannot be loaded: {error}; export the model again") from error
    if files:
        raise BundleError(
            f"{path} cannot be loaded: it keeps weights in another file ({files[0]!r:.100}), "
            "which no export of bertfast does; export the model again"
        )


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off, unless the user has set it.

    From 1.29 on it reports models and devices to its maker by default. Besides, its uploader's
    thread makes a forked child hang at exit.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    with signals_held():
        import onnxruntime  # type: ignore[import-untyped]

    return onnxruntime


def first_line(error: BaseException) -> str:
    """Return what an ONNX Runtime error says, without its code, on one line."""
    line = _ERROR_CODE.sub("", str(error).strip()).partition("\n")[0].strip().rstrip(".")
    return line or type(error).__name__


def _device_providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    settings = {
        "device_id": _device_id(device),
        "arena_extend_strategy": "kSameAsRequested",  # shapes vary: doubling would waste memory
        "use_tf32": "0",  # float32 means float32; float16 does not need it
    }
    return [(_CUDA, settings), "CPUExecutionProvider"]


def _device_id(device: str) -> str:
    return device.partition(":")[2] or "0"


def _providers() -> list[str]:
    names: list[str] = import_onnxruntime().get_available_providers()
    return names


def _available_providers() -> str:
    return ", ".join(_providers())
