"""Reads Hugging Face safetensors, one file or shards, into the original's variables."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint.contents import Contents
from bertfast.checkpoint.dtypes import SAFETENSORS_DTYPES, Array, from_stored
from bertfast.checkpoint.mapped import map_file
from bertfast.checkpoint.names import is_redundant, original_name
from bertfast.errors import CheckpointError, MissingDependencyError
from bertfast.files import read_limited

_MAX_INDEX_BYTES = 1 << 26


def read_safetensors(path: Path) -> Contents:
    """Read a `.safetensors` file, or the shards that a `.safetensors.index.json` lists.

    16-bit floats become float32; kernels are transposed to [in, out], as in the original.

    Raises:
        CheckpointError: corrupt, truncated, or a tensor that no BERT has.
        MissingDependencyError: safetensors is not installed.
    """
    files = _shards(path) if path.suffix == ".json" else {path: None}
    variables: dict[str, Array] = {}
    widened = []
    for file, names in files.items():
        for name, tensor, is_widened in _tensors(file, names):
            if is_redundant(name):
                continue
            mapped = original_name(name)
            if mapped is None:
                raise CheckpointError(f"{file}: tensor {name!r} is not one of BERT's")
            target, is_transposed = mapped
            if target in variables:
                raise CheckpointError(f"{file}: tensor {name!r} is the second one for {target}")
            variables[target] = _oriented(tensor, is_transposed, f"{file}: tensor {name!r}")
            if is_widened:
                widened.append(target)
    return Contents(variables, tuple(widened))


def _oriented(tensor: Array, is_transposed: bool, name: str) -> Array:
    if not is_transposed:
        return tensor
    if tensor.ndim != 2:
        raise CheckpointError(f"{name} must have two dimensions, got shape {list(tensor.shape)}")
    transposed = np.ascontiguousarray(tensor.T)
    transposed.flags.writeable = False
    return transposed


def _shards(index: Path) -> dict[Path, list[str] | None]:
    """Return the tensors that the index promises, by file, in its order."""
    try:
        content = json.loads(read_limited(index, _MAX_INDEX_BYTES).decode("utf-8"))
        weight_map = content["weight_map"].items()
    except OSError as error:
        raise CheckpointError(f"cannot read {index}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index} has no usable weight_map: {error}") from error
    files: dict[Path, list[str] | None] = {}
    for name, file in weight_map:
        if not isinstance(file, str) or Path(file).name != file:
            raise CheckpointError(f"{index}: {name!r} must be in a file beside it, got {file!r}")
        names = files.setdefault(index.parent / file, [])
        if names is not None:
            names.append(name)
    return files


def _tensors(file: Path, names: list[str] | None) -> Iterator[tuple[str, Array, bool]]:
    """Yield (Hugging Face's name, tensor, was it widened) of one file: those named, or all."""
    header, data = _open(file)
    for name in header if names is None else names:
        if name not in header:
            raise CheckpointError(f"{file} lacks tensor {name!r} that the index promises")
        stored = header[name]
        dtype = SAFETENSORS_DTYPES.get(stored["dtype"])
        if dtype is None:
            raise CheckpointError(f"{file}: tensor {name!r} has dtype {stored['dtype']}")
        begin, end = stored["data_offsets"]
        try:
            tensor = data[begin:end].view(dtype).reshape(stored["shape"])
        except ValueError as error:
            raise CheckpointError(f"{file}: tensor {name!r}: {error}") from error
        widened = from_stored(tensor, stored["dtype"] == "BF16")
        widened.flags.writeable = False
        yield name, widened, stored["dtype"] in ("F16", "BF16")


def _open(file: Path) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Return the header and the data of a file that the safetensors package has validated.

    The package checks sizes, ranges and overlaps; the views are ours, since its numpy
    interface copies every tensor and knows no bfloat16 in its older releases.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingDependencyError(
            'reading safetensors needs an extra: pip install "bertfast[export]"'
        ) from error
    content = map_file(file)
    try:
        with safe_open(file, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is corrupt or truncated: {error}") from error
    size = int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8 : 8 + size].tobytes())
    header.pop("__metadata__", None)
    return header, content[8 + size :]
