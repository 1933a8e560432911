"""Protocol-buffer wire format, as far as a checkpoint index needs it."""

from collections.abc import Iterator

from bertfast.errors import CheckpointError

_MAX_BITS = 64


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    r"""Read an unsigned varint; return it and the position after it.

    >>> read_varint(b"\xac\x02", 0)
    (300, 2)

    Raises:
        CheckpointError: `data` ends inside it, or it is wider than 64 bits.
    """
    value = shift = 0
    while True:
        if at >= len(data):
            raise CheckpointError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= _MAX_BITS:
            raise CheckpointError("a number is wider than 64 bits")
    return value & (1 << _MAX_BITS) - 1, at


def to_signed(value: int) -> int:
    """Return an int64 from its unsigned 64-bit form: 2**64 - 1 is -1."""
    return value - (1 << _MAX_BITS) if value >> (_MAX_BITS - 1) else value


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a serialized message, in file order.

    A varint or fixed-width field gives an unsigned int, a length-delimited one bytes.

    Raises:
        CheckpointError: malformed.
    """
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            number, at = read_varint(message, at)
            yield field, number
            continue
        if wire_type == 2:
            size, at = read_varint(message, at)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise CheckpointError(f"unknown wire type {wire_type}")
        payload = message[at : at + size]
        if len(payload) != size:
            raise CheckpointError("a field is cut off")
        at += size
        yield field, payload if wire_type == 2 else int.from_bytes(payload, "little")
