"""Partitioned variables: a tensor stored in slices, each under a key of its own.

Source: tensorflow/core/util/saved_tensor_slice_util.cc (EncodeTensorNameSlice) and
tensorflow/core/lib/strings/ordered_code.cc.
"""

from bertfast.checkpoint.entries import Extents


def slice_key(name: str, extents: Extents) -> bytes:
    r"""Return the key of the slice of tensor `name` that spans `extents`.

    >>> slice_key("w", ((0, 2), (0, -1)))
    b'\x00w\x00\x01\x01\x02\x80\x82\x80\x7f'
    """
    escaped = name.encode().replace(b"\xff", b"\xff\x00")  # a name holds no NUL
    numbers = b"".join(_signed(number) for extent in extents for number in extent)
    return _unsigned(0) + escaped + b"\x00\x01" + _unsigned(len(extents)) + numbers


def _unsigned(value: int) -> bytes:
    """Length in bytes, then the bytes, most significant first: sorts as the numbers do."""
    n_bytes = (value.bit_length() + 7) // 8
    return bytes([n_bytes]) + value.to_bytes(n_bytes, "big")


def _signed(value: int) -> bytes:
    """Big-endian two's complement of n bytes behind n length bits; 7n-1 bits for the number."""
    n_bytes = (value if value >= 0 else ~value).bit_length() // 7 + 1
    header = ((1 << n_bytes) - 1) << (7 * n_bytes)  # n leading ones of 8n bits, then zeros
    pattern = value & ((1 << 8 * n_bytes) - 1)
    return (header ^ pattern).to_bytes(n_bytes, "big")
