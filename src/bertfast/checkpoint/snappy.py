"""Decompression of raw Snappy blocks, for checkpoint indexes written with compression on.

Source: google/snappy format_description.txt.
"""

from bertfast.errors import CheckpointError
from bertfast.wire_format import read_varint

# The densest element copies 64 bytes and takes 3, so an honest length is never further off.
_MAX_EXPANSION = 64


def decompress(data: bytes) -> bytes:
    r"""Return the bytes that `data`, one raw Snappy block, stands for.

    Example: b"\x05\x00a\x01\x01" is a literal "a", then a copy of 4 from 1 back: b"aaaaa".

    Raises:
        CheckpointError: the block is malformed or its length is a lie.
    """
    length, at = read_varint(data, 0)
    if length > _MAX_EXPANSION * len(data):
        raise CheckpointError(f"Snappy block of {len(data)} bytes claims to hold {length}")
    output = bytearray()
    while at < len(data):
        append = _copy if data[at] & 3 else _literal
        at = append(data, at, output)
        if len(output) > length:
            break
    if len(output) != length:
        raise CheckpointError(f"Snappy block claims {length} bytes and holds {len(output)}")
    return bytes(output)


def _literal(data: bytes, at: int, output: bytearray) -> int:
    """Append the literal whose tag is at `at`; return the position after it."""
    size = (data[at] >> 2) + 1
    at += 1
    if size > 60:  # 61..64: the size minus one is in the next 1..4 bytes
        n_bytes = size - 60
        size = int.from_bytes(_take(data, at, n_bytes), "little") + 1
        at += n_bytes
    output += _take(data, at, size)
    return at + size


def _copy(data: bytes, at: int, output: bytearray) -> int:
    """Append a copy of earlier output; return the position after its tag."""
    tag = data[at]
    if tag & 3 == 1:
        size, distance = 4 + (tag >> 2 & 7), (tag >> 5) << 8 | _take(data, at + 1, 1)[0]
        end = at + 2
    else:
        n_bytes = 2 if tag & 3 == 2 else 4
        size = (tag >> 2) + 1
        distance = int.from_bytes(_take(data, at + 1, n_bytes), "little")
        end = at + 1 + n_bytes
    if not 1 <= distance <= len(output):
        raise CheckpointError(f"Snappy copy from {distance} back with {len(output)} bytes written")
    start = len(output) - distance
    pattern = bytes(output[start : start + size])  # shorter than size when it repeats itself
    output += (pattern * (size // len(pattern) + 1))[:size]
    return end


def _take(data: bytes, at: int, size: int) -> bytes:
    piece = data[at : at + size]
    if len(piece) != size:
        raise CheckpointError(f"Snappy block ends early: {size} bytes wanted at {at}")
    return piece
