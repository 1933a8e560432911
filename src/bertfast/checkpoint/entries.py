"""What the index of a TensorFlow checkpoint says: one entry for each tensor.

Source: tensorflow/core/protobuf/tensor_bundle.proto (BundleHeaderProto, BundleEntryProto),
tensor_shape.proto and tensor_slice.proto.
"""

from dataclasses import dataclass

from bertfast.checkpoint.table import read_table
from bertfast.errors import CheckpointError
from bertfast.wire_format import read_fields, to_signed

_HEADER_KEY = b""
_SLICE_KEY_START = b"\x00"  # keys of slices are binary, names of tensors are text
_BUNDLE_VERSION = 1

Extents = tuple[tuple[int, int], ...]  # (start, length) by axis; length -1 is the whole axis


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies and how it is to be read.

    `dtype` is TensorFlow's DataType number. A tensor with `slices` has no bytes of its own:
    they lie under the keys of its slices.
    """

    dtype: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    n_bytes: int = 0
    crc: int = 0
    slices: tuple[Extents, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """A parsed index: entries by name, slices of partitioned variables by key."""

    n_shards: int
    entries: dict[str, Entry]
    slices: dict[bytes, Entry]


def parse_index(table: bytes) -> Index:
    """Parse the bytes of an `.index` file.

    Raises:
        CheckpointError: truncated, corrupt, or written for a later reader.
    """
    n_shards = None
    entries: dict[str, Entry] = {}
    slices: dict[bytes, Entry] = {}
    for key, value in read_table(table):
        if key == _HEADER_KEY:
            n_shards = _parse_header(value)
        elif key.startswith(_SLICE_KEY_START):
            slices[key] = _parse_entry(value)
        else:
            entries[_decode(key)] = _parse_entry(value)
    if n_shards is None:
        raise CheckpointError("has no header; it is not a checkpoint index")
    return Index(n_shards, entries, slices)


def _decode(key: bytes) -> str:
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"has a tensor whose name is not UTF-8: {key[:40]!r}") from error


def _parse_header(message: bytes) -> int:
    """Return the number of shards, having refused what we cannot read."""
    n_shards = 0
    for field, value in read_fields(message):
        if field == 1:
            n_shards = _int(value)
        elif field == 2 and value != 0:
            raise CheckpointError("was written big-endian, which is not supported")
        elif field == 3:
            for number, version in read_fields(_bytes(value)):
                if number == 2 and _int(version) > _BUNDLE_VERSION:
                    raise CheckpointError(f"needs a reader of version {_int(version)} or later")
    return n_shards


def _parse_entry(message: bytes) -> Entry:
    dtype = shard = offset = n_bytes = crc = 0
    shape: tuple[int, ...] = ()
    slices = []
    for field, value in read_fields(message):
        if field == 1:
            dtype = _int(value)
        elif field == 2:
            shape = _parse_shape(_bytes(value))
        elif field == 3:
            shard = to_signed(_int(value))
        elif field == 4:
            offset = to_signed(_int(value))
        elif field == 5:
            n_bytes = to_signed(_int(value))
        elif field == 6:
            crc = _int(value)
        elif field == 7:
            slices.append(_parse_extents(_bytes(value)))
    return Entry(dtype, shape, shard, offset, n_bytes, crc, tuple(slices))


def _parse_shape(message: bytes) -> tuple[int, ...]:
    sizes = []
    for field, value in read_fields(message):
        if field == 2:
            dimension = dict(read_fields(_bytes(value)))
            sizes.append(to_signed(_int(dimension.get(1, 0))))
        elif field == 3 and value:
            raise CheckpointError("has a tensor of unknown rank")
    return tuple(sizes)


def _parse_extents(message: bytes) -> Extents:
    extents = []
    for field, value in read_fields(message):
        if field == 1:
            extent = dict(read_fields(_bytes(value)))
            length = to_signed(_int(extent[2])) if 2 in extent else -1
            extents.append((to_signed(_int(extent.get(1, 0))), length))
    return tuple(extents)


def _int(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise CheckpointError("has text where a number belongs")
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise CheckpointError("has a number where a message belongs")
    return value
