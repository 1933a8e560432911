"""Reads TensorFlow checkpoints: `prefix.index` and `prefix.data-00000-of-00001`, ...

The format that TF1's and TF2's Savers and `tf.train.Checkpoint` write. The data files are
mapped, not read: memory stays with the pages that are looked at.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint.contents import Contents
from bertfast.checkpoint.crc32c import masked_crc32c
from bertfast.checkpoint.dtypes import BFLOAT16, HALF, STRING, TENSORFLOW_DTYPES, Array, from_stored
from bertfast.checkpoint.entries import Entry, Index, parse_index
from bertfast.checkpoint.mapped import map_file
from bertfast.checkpoint.slices import slice_key
from bertfast.checkpoint.strings import read_strings
from bertfast.errors import CheckpointError

_MAX_RANK = 32  # numpy 1's limit; TensorFlow stops at 254, BERT at 2
_MAX_VALUES = 1 << 58  # 16 bytes each at most, addressable by int64
_MAX_INDEX_BYTES = 1 << 28  # BERT-large with its optimizer needs 0.1 MB
_NAMES_SHOWN = 5


class _ChecksumError(Exception):
    """The bytes of one tensor do not match its checksum."""


def read_tensor_bundle(prefix: Path, wanted: Callable[[str], bool]) -> Contents:
    """Read the tensors whose names are `wanted`, in the index's order (sorted by name).

    Arrays are read-only views of the mapped files where alignment allows. bfloat16 and half
    become float32; strings become object arrays of bytes.

    Raises:
        CheckpointError: a file is missing or truncated, or tensors fail their checksums.
    """
    index_path = Path(f"{prefix}.index")
    try:
        index = parse_index(_index_bytes(index_path))
    except CheckpointError as error:
        named = str(error)
        raise CheckpointError(
            named if str(index_path) in named else f"{index_path}: {named}"
        ) from error
    variables = _Reader(prefix, index).read(wanted)
    widened = [name for name in variables if index.entries[name].dtype in (BFLOAT16, HALF)]
    return Contents(variables, tuple(widened))


def _index_bytes(path: Path) -> bytes:
    content = map_file(path)
    if len(content) > _MAX_INDEX_BYTES:
        raise CheckpointError(f"has {len(content)} bytes, which no index of a BERT has")
    return content.tobytes()


class _Reader:
    """One checkpoint: its index and its data files, mapped when first needed."""

    def __init__(self, prefix: Path, index: Index) -> None:
        self._prefix = prefix
        self._index = index
        self._shards: dict[int, NDArray[np.uint8]] = {}
        self._n_bytes_left: dict[int, int] = {}

    def read(self, wanted: Callable[[str], bool]) -> dict[str, Array]:
        """Read the wanted tensors; every one that fails its checksum is named."""
        tensors: dict[str, Array] = {}
        corrupt: list[str] = []
        for name, entry in self._index.entries.items():
            if not wanted(name):
                continue
            try:
                tensors[name] = self._tensor(name, entry)
            except _ChecksumError:
                corrupt.append(name)
            except CheckpointError as error:
                raise CheckpointError(f"{self._prefix}: tensor {name!r}: {error}") from error
        if corrupt:
            shown = ", ".join(corrupt[:_NAMES_SHOWN])
            more = f" and {len(corrupt) - _NAMES_SHOWN} more" if corrupt[_NAMES_SHOWN:] else ""
            raise CheckpointError(
                f"{self._prefix}: corrupt data, the checksum fails for {shown}{more}"
            )
        return tensors

    def _tensor(self, name: str, entry: Entry) -> Array:
        _check_shape(entry.shape)
        if entry.dtype == STRING:
            return self._strings(entry)
        if entry.dtype not in TENSORFLOW_DTYPES:
            raise CheckpointError(f"dtype {entry.dtype} of TensorFlow is not supported")
        stored = self._joined(name, entry) if entry.slices else self._stored(entry)
        tensor = from_stored(stored, entry.dtype == BFLOAT16)
        tensor.flags.writeable = False
        return tensor

    def _stored(self, entry: Entry) -> Array:
        """Return the tensor as it is stored, a view of its data file."""
        dtype = TENSORFLOW_DTYPES[entry.dtype]
        if math.prod(entry.shape) * dtype.itemsize != entry.n_bytes:
            raise CheckpointError(
                f"{entry.n_bytes} bytes for shape {list(entry.shape)} of {dtype.name}"
            )
        data = self._bytes(entry)
        if masked_crc32c(data) != entry.crc:
            raise _ChecksumError
        return data.view(dtype).reshape(entry.shape)

    def _bytes(self, entry: Entry) -> NDArray[np.uint8]:
        shard = self._shard(entry.shard)
        end = entry.offset + entry.n_bytes
        if entry.offset < 0 or entry.n_bytes < 0 or end > len(shard):
            raise CheckpointError(
                f"lies at {entry.offset} to {end} of a data file of {len(shard)} bytes; "
                "the file is truncated"
            )
        # Tensors do not overlap. Without this, a small index could ask for any amount of work.
        self._n_bytes_left[entry.shard] -= entry.n_bytes
        if self._n_bytes_left[entry.shard] < 0:
            raise CheckpointError("overlaps another tensor")
        return shard[entry.offset : end]

    def _shard(self, number: int) -> NDArray[np.uint8]:
        if number not in self._shards:
            n_shards = self._index.n_shards
            if not 0 <= number < n_shards:
                raise CheckpointError(f"lies in shard {number} of {n_shards}")
            data = map_file(Path(f"{self._prefix}.data-{number:05d}-of-{n_shards:05d}"))
            self._shards[number] = data
            self._n_bytes_left[number] = len(data)
        return self._shards[number]

    def _joined(self, name: str, entry: Entry) -> Array:
        """Return a partitioned variable put together from its slices."""
        pieces = []
        for extents in entry.slices:
            piece = self._index.slices.get(slice_key(name, extents))
            if piece is None or piece.dtype != entry.dtype or len(extents) != len(entry.shape):
                raise CheckpointError(f"its slice {list(extents)} is missing or malformed")
            _check_shape(piece.shape)
            pieces.append((extents, self._stored(piece)))
        if sum(stored.size for _, stored in pieces) != math.prod(entry.shape):
            raise CheckpointError("its slices do not add up to its shape")
        whole = np.empty(entry.shape, TENSORFLOW_DTYPES[entry.dtype])
        seen = np.zeros(entry.shape, np.bool_)
        for extents, stored in pieces:
            region = tuple(
                slice(None) if length < 0 else slice(max(start, 0), start + length)
                for start, length in extents
            )
            if whole[region].shape != stored.shape:
                raise CheckpointError(f"its slice {list(extents)} does not fit its shape")
            whole[region] = stored
            seen[region] = True
        if not seen.all():
            raise CheckpointError("its slices overlap")
        return whole

    def _strings(self, entry: Entry) -> Array:
        data = self._bytes(entry).tobytes()
        strings, crc = read_strings(data, math.prod(entry.shape))
        if crc != entry.crc:
            raise _ChecksumError
        tensor = np.empty(len(strings), object)
        tensor[:] = strings
        return tensor.reshape(entry.shape)


def _check_shape(shape: tuple[int, ...]) -> None:
    """Refuse what no numpy array can be: also an empty tensor's other sizes must be possible."""
    n_values = math.prod(size for size in shape if size)
    if len(shape) > _MAX_RANK or any(size < 0 for size in shape) or n_values > _MAX_VALUES:
        raise CheckpointError(f"impossible shape {list(shape[:_MAX_RANK])}")
