"""Every parser on damaged files: a result or one of our errors, nothing else, and soon."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.parsers import TARGETS, run, seeds

N_DAMAGED = 300


@pytest.mark.parametrize("name", TARGETS)
def test_parser_reads_its_seeds(name: str) -> None:
    assert all(run(name, data) for data in seeds(name)) or name in ("entries", "tensor_data")


@pytest.mark.parametrize("name", TARGETS)
def test_parser_of_damaged_bytes_gives_a_result_or_our_error(name: str) -> None:
    rng = random.Random(7)
    for _ in range(N_DAMAGED):
        run(name, damaged(rng.choice(seeds(name)), rng))


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=200))
def test_parser_of_any_bytes_gives_a_result_or_our_error(name: str, data: bytes) -> None:
    run(name, data)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with one to four changes: bytes replaced, removed, doubled, cut off."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        begin = rng.randrange(len(content) + 1)
        end = min(len(content), begin + rng.randint(0, 8))
        junk = rng.choice(
            [b"", b"\0", b"\xff" * 9, b"[" * 3000, b"{}", b"-1", b"9" * 5000, b"null"]
        )
        change = rng.randrange(4)
        if change == 0:
            content[begin:end] = rng.randbytes(end - begin)
        elif change == 1:
            content[begin:end] = junk
        elif change == 2:
            content[end:end] = content[begin:end] * rng.randint(1, 3)
        else:
            del content[begin:]
    return bytes(content)
