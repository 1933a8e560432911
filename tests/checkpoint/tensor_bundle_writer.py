"""Writes TensorFlow checkpoints, for tests: files that TensorFlow itself reads.

Small on purpose. It can be told to lie, so that readers of hostile files can be tested.
"""

import struct
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bertfast.checkpoint.crc32c import masked_crc32c

BFLOAT16 = 14
DTYPES: dict[str, int] = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "uint16": 17,
    "complex128": 18,
    "float16": 19,
    "uint32": 22,
    "uint64": 23,
}
_MAGIC = bytes.fromhex("57fb808b247547db")


def varint(value: int) -> bytes:
    """Encode an unsigned varint; negative numbers as int64."""
    value &= 2**64 - 1
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def field(number: int, value: int | bytes) -> bytes:
    """Encode a protobuf field: an int as varint, bytes as length-delimited."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def header(n_shards: int, *, big_endian: bool = False, min_consumer: int = 0) -> bytes:
    """Encode a BundleHeaderProto."""
    version = field(1, 1) + (field(2, min_consumer) if min_consumer else b"")
    return field(1, n_shards) + (field(2, 1) if big_endian else b"") + field(3, version)


def entry(
    dtype: int, shape: Sequence[int], offset: int, n_bytes: int, crc: int, shard: int = 0
) -> bytes:
    """Encode a BundleEntryProto."""
    dimensions = b"".join(field(2, field(1, size)) for size in shape)
    return (
        field(1, dtype)
        + field(2, dimensions)
        + (field(3, shard) if shard else b"")
        + (field(4, offset) if offset else b"")
        + (field(5, n_bytes) if n_bytes else b"")
        + varint(6 << 3 | 5)
        + struct.pack("<I", crc)
    )


def block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Encode a table block with shared key prefixes and a single restart point."""
    encoded = bytearray()
    previous = b""
    for key, value in entries:
        shared = _n_shared(key, previous)
        encoded += varint(shared) + varint(len(key) - shared) + varint(len(value))
        encoded += key[shared:] + value
        previous = key
    return bytes(encoded) + struct.pack("<II", 0, 1)


def _n_shared(key: bytes, previous: bytes) -> int:
    """Length of the common prefix, by bisection."""
    sizes = range(1, min(len(key), len(previous)) + 1)
    return bisect_left(sizes, True, key=lambda size: key[:size] != previous[:size])


def snappy_compress(data: bytes) -> bytes:
    """Compress greedily: literals, and copies of all three kinds, overlapping ones too."""
    output = bytearray(varint(len(data)))
    seen: dict[bytes, int] = {}
    literal_at = at = 0
    while at < len(data):
        start = seen.get(data[at : at + 4])
        seen[data[at : at + 4]] = at
        if start is None or at + 4 > len(data):
            at += 1
            continue
        size = 4
        while size < 64 and at + size < len(data) and data[start + size] == data[at + size]:
            size += 1
        output += _literals(data[literal_at:at]) + _copy(size, at - start)
        at += size
        literal_at = at
    return bytes(output + _literals(data[literal_at:]))


def _literals(data: bytes) -> bytes:
    if not data:
        return b""
    size = len(data) - 1
    if size < 60:
        return bytes([size << 2]) + data
    n_bytes = (size.bit_length() + 7) // 8
    return bytes([(59 + n_bytes) << 2]) + size.to_bytes(n_bytes, "little") + data


def _copy(size: int, distance: int) -> bytes:
    if size < 12 and distance < 2048:
        return bytes([1 | (size - 4) << 2 | distance >> 8 << 5, distance & 0xFF])
    if distance < 65536:
        return bytes([2 | (size - 1) << 2]) + struct.pack("<H", distance)
    return bytes([3 | (size - 1) << 2]) + struct.pack("<I", distance)


def slice_field(extents: Sequence[tuple[int, int]]) -> bytes:
    """Encode one slice of a partitioned variable; a length of -1 is the whole axis."""
    encoded = b""
    for start, length in extents:
        extent = (field(1, start) if start else b"") + (field(2, length) if length >= 0 else b"")
        encoded += field(1, extent)
    return field(7, encoded)


def table(
    entries: Sequence[tuple[bytes, bytes]], *, snappy: bool = False, block_entries: int = 10
) -> bytes:
    """Encode a table whose data blocks hold `block_entries` entries each."""
    groups = [
        entries[start : start + block_entries] for start in range(0, len(entries), block_entries)
    ]
    return raw_table([(group[-1][0], block(group)) for group in groups], snappy=snappy)


def raw_table(blocks: Sequence[tuple[bytes, bytes]], *, snappy: bool = False) -> bytes:
    """Encode a table of data blocks, each given by its last key and its content."""
    output = bytearray()

    def append(content: bytes) -> bytes:
        stored = snappy_compress(content) if snappy else content
        handle = varint(len(output)) + varint(len(stored))
        typed = stored + bytes([snappy])
        output.extend(typed + struct.pack("<I", masked_crc32c(typed)))
        return handle

    handles = [(key, append(content)) for key, content in blocks]
    meta_handle, index_handle = append(block([])), append(block(handles))
    footer = (meta_handle + index_handle).ljust(40, b"\0") + _MAGIC
    return bytes(output) + footer


def write_tensor_bundle(
    prefix: Path,
    tensors: Mapping[str, NDArray[Any]],
    *,
    n_shards: int = 1,
    snappy: bool = False,
    bfloat16: Sequence[str] = (),
) -> None:
    """Write a checkpoint; tensors go to the shards in turn.

    `bfloat16` names uint16 tensors that are declared as bfloat16.
    """
    shards = [bytearray() for _ in range(n_shards)]
    entries = [(b"", header(n_shards))]
    for index, name in enumerate(sorted(tensors)):
        tensor = tensors[name]
        shard = index % n_shards
        data = tensor.tobytes()
        dtype = BFLOAT16 if name in bfloat16 else DTYPES[tensor.dtype.name]
        place = (len(shards[shard]), len(data), masked_crc32c(data), shard)
        entries.append((name.encode(), entry(dtype, tensor.shape, *place)))
        shards[shard] += data
    prefix.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{prefix}.index").write_bytes(table(entries, snappy=snappy))
    for number, content in enumerate(shards):
        Path(f"{prefix}.data-{number:05d}-of-{n_shards:05d}").write_bytes(content)
