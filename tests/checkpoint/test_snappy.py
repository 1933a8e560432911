"""Snappy: literals, copies of every kind, and blocks that lie."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast.checkpoint.snappy import decompress
from bertfast.errors import CheckpointError
from tests.checkpoint.tensor_bundle_writer import snappy_compress, varint


@given(st.lists(st.sampled_from([b"a", b"ab", b"abcd", b"xyz" * 30, b"\0" * 70])))
def test_snappy_repetitive_data_round_trips(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert decompress(snappy_compress(data)) == data


def test_snappy_far_copies_and_long_literals_round_trip() -> None:
    # Literals of 1, 2 and 3 length bytes; copies from 1..2047, 2048..65535 and 65536.. back.
    unique = b"".join(n.to_bytes(3, "big") + b"-" for n in range(30000))
    data = unique + unique[:100] + b"-" + unique[-3000:-2900] + b"#" + unique[-80:]
    compressed = snappy_compress(data)
    assert {tag & 3 for tag in compressed[-40:]} >= {1, 2, 3}
    assert decompress(compressed) == data


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"", "cut off"),
        (varint(1 << 40) + b"\0a", "claims"),
        (varint(5) + b"\0a", "claims 5 bytes and holds 1"),
        (varint(1) + b"\x04ab", "claims 1 bytes and holds 2"),
        (varint(9) + b"\x20abc", "ends early"),
        (varint(9) + b"\xf4", "ends early"),
        (varint(9) + b"\x01\x01", "copy from 1 back with 0 bytes"),
        (varint(9) + b"\0a\x01\x00", "copy from 0 back"),
        (varint(9) + b"\0a\x02\x01", "ends early"),
        (varint(9) + b"\0a\x03\x01\0\0", "ends early"),
    ],
)
def test_snappy_malformed_block_is_refused(block: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        decompress(block)


@given(st.binary(max_size=60))
def test_snappy_arbitrary_bytes_never_crash(block: bytes) -> None:
    with suppress(CheckpointError):
        decompress(block)
