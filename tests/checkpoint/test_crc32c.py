"""The checksum against published vectors and a loop over bits."""

import numpy as np
import pytest

from bertfast.checkpoint.crc32c import crc32c, masked_crc32c

ROW = 4 * 8192  # bytes that one vectorised step takes


def slow_crc32c(data: bytes) -> int:
    """CRC-32C one bit at a time, from its definition."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (b"\0" * 32, 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_crc32c_published_vectors(data: bytes, expected: int) -> None:
    """RFC 3720, appendix B.4."""
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [*range(1, 40), 127, 128, 129, 1000, 4097])
def test_crc32c_short_data_equals_bit_loop(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == slow_crc32c(data)


@pytest.mark.parametrize("size", [n * ROW + d for n in (1, 2, 3) for d in (-1, 0, 1, 3, 4, 5)])
def test_crc32c_around_row_edges_equals_bit_loop(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == slow_crc32c(data)


def test_crc32c_unaligned_view_equals_copy() -> None:
    data = np.random.default_rng(0).integers(0, 256, 3 * ROW, dtype=np.uint8)
    assert crc32c(data[1:]) == crc32c(data[1:].tobytes())


def test_crc32c_every_bit_counts() -> None:
    data = bytearray(np.random.default_rng(0).bytes(2 * ROW + 5))
    checksum = crc32c(bytes(data))
    for at in (0, 1, 3, 4, 5, ROW - 1, ROW, ROW + 7, len(data) - 1):
        data[at] ^= 1
        assert crc32c(bytes(data)) != checksum
        data[at] ^= 1


def test_masked_crc32c_is_tensorflows() -> None:
    # The masked checksum of no bytes, as TensorFlow stores it for an empty tensor.
    assert masked_crc32c(b"") == 0xA282EAD8
