"""bytes: native(bytes) = reference(decoded), whatever the bytes."""

from collections.abc import Iterator, Sequence
from itertools import product
from random import Random

import pytest

from tests.parity.conftest import Finish
from tests.parity.oracle import Comparison, Twins, make_twins, revealing_vocab

# Each boundary of the UTF-8 grammar: ASCII and continuations, then leads.
HARD_BYTES = bytes.fromhex("00 20 41 7f 80 8f 90 9f a0 a3 bf") + bytes.fromhex(
    "c0 c1 c2 ce df e0 e2 e4 ed ef f0 f3 f4 f5 ff"
)
MODES = pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])


def _compare_bytes(twins: Twins, batch: Sequence[bytes], comparison: Comparison) -> None:
    """Show native(bytes) = native(decoded) on all, native(decoded) = reference on the distinct."""
    decoded = [data.decode("utf-8", "ignore") for data in batch]
    comparison.add_equal(twins.native, batch, decoded)
    distinct = Comparison()
    distinct.add(twins, dict.fromkeys(decoded))
    for message in distinct.shown:
        comparison.fail(message)


def _three_byte_strings(first: int) -> Iterator[list[bytes]]:
    for second in range(0, 256, 64):
        seconds = range(second, second + 64)
        yield [bytes((first, b, c)) for b in seconds for c in range(256)]


def _basic_plane_twins(do_lower_case: bool) -> Twins:
    """Twins for everything that 3 bytes can encode."""
    characters = (chr(code) for code in range(0x10000) if not 0xD800 <= code <= 0xDFFF)
    return make_twins(revealing_vocab(characters), do_lower_case=do_lower_case)


@MODES
def test_every_string_of_one_or_two_bytes(do_lower_case: bool, finish: Finish) -> None:
    vocab = revealing_vocab(map(chr, range(0x800)))
    twins = make_twins(vocab, do_lower_case=do_lower_case)
    comparison = Comparison()
    _compare_bytes(twins, [bytes([a]) for a in range(256)], comparison)
    _compare_bytes(twins, [bytes(pair) for pair in product(range(256), repeat=2)], comparison)
    finish("every string of 1–2 bytes", comparison)


@pytest.mark.exhaustive
@pytest.mark.parametrize("sixteenth", range(16))
def test_every_string_of_three_bytes(sixteenth: int, finish: Finish) -> None:
    twins = _basic_plane_twins(True)
    comparison = Comparison()
    for first in range(16 * sixteenth, 16 * sixteenth + 16):
        for batch in _three_byte_strings(first):
            _compare_bytes(twins, batch, comparison)
    finish("every string of 3 bytes", comparison)


def _decodable(strings: Sequence[bytes]) -> list[str]:
    return revealing_vocab({char for data in strings for char in data.decode("utf-8", "ignore")})


@MODES
def test_every_string_of_three_hard_bytes(do_lower_case: bool, finish: Finish) -> None:
    strings = [bytes(word) for word in product(HARD_BYTES, repeat=3)]
    comparison = Comparison()
    twins = make_twins(_decodable(strings), do_lower_case=do_lower_case)
    _compare_bytes(twins, strings, comparison)
    finish("every string of 3 hard bytes", comparison)


@pytest.mark.exhaustive
@MODES
def test_every_string_of_four_hard_bytes(do_lower_case: bool, finish: Finish) -> None:
    strings = [bytes(word) for word in product(HARD_BYTES, repeat=4)]
    comparison = Comparison()
    twins = make_twins(_decodable(strings), do_lower_case=do_lower_case)
    _compare_bytes(twins, strings, comparison)
    finish("every string of 4 hard bytes", comparison)


def random_bytes(random: Random) -> bytes:
    """Return valid text with damage, hard bytes, or any bytes."""
    kind = random.randrange(3)
    if kind == 0:
        text = random.choice(["café Σ大学 😀", "λόγος, ﬁn ≠", "한국 नमस्ते", "abc def " * 4])
        data = bytearray(text.encode() * random.randrange(1, 4))
        for _ in range(random.randrange(1, 6)):
            data[random.randrange(len(data))] = random.choice(HARD_BYTES)
        return bytes(data[random.randrange(3) : len(data) - random.randrange(3)])
    if kind == 1:
        return bytes(random.choices(HARD_BYTES, k=random.randrange(5, 40)))
    return random.randbytes(random.randrange(1, 40))


def _compare_random_bytes(count: int, do_lower_case: bool) -> Comparison:
    random = Random("bertfast parity bytes")
    comparison = Comparison()
    for _ in range(0, count, 20_000):
        strings = [random_bytes(random) for _ in range(min(count, 20_000))]
        twins = make_twins(_decodable(strings), do_lower_case=do_lower_case)
        _compare_bytes(twins, strings, comparison)
    return comparison


@MODES
def test_random_bytes(do_lower_case: bool, finish: Finish) -> None:
    finish("random bytes, quick", _compare_random_bytes(5000, do_lower_case))


@pytest.mark.exhaustive
@MODES
def test_many_random_bytes(do_lower_case: bool, finish: Finish) -> None:
    finish("random bytes", _compare_random_bytes(600_000, do_lower_case))
