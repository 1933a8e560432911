"""Random strings for the parity checks: each generator aims at one weakness."""

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from tests.parity.code_points import N_CODE_POINTS, representatives

Generator = Callable[[Random], str]

SCRIPTS = (
    *((0x41, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF)),
    *((0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0xF00, 0xFFF), (0x1100, 0x11FF)),
    *((0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x214F), (0x3000, 0x30FF)),
    *((0x4E00, 0x4EFF), (0xAC00, 0xACFF), (0xF900, 0xF9FF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF)),
    *((0x10400, 0x1044F), (0x1D100, 0x1D1FF), (0x1F300, 0x1F6FF), (0x20000, 0x200FF)),
    *((0x2F800, 0x2F8FF), (0xE0000, 0xE007F)),
)
SEPARATORS = (" ", " ", " ", "\t", "\n", "\u3000", "\u2028", ",", ".", "-", "'")
SIGMA_ALPHABET = "ΣΣΣσςΑαaA1 .':’-^`\u0301\u0345\u00ad\u200b\u02b0\u01c5大אぁ\ufffd\x00"


def uniform(random: Random) -> str:
    """Any code points, surrogates too."""
    return "".join(chr(random.randrange(N_CODE_POINTS)) for _ in range(random.randrange(13)))


def scripts(random: Random) -> str:
    """Words of two scripts, as in real multilingual text."""
    ranges = random.sample(SCRIPTS, 2)
    words = []
    for _ in range(random.randrange(1, 7)):
        low, high = random.choice(ranges)
        words += [chr(random.randint(low, high)) for _ in range(random.randrange(1, 8))]
        words.append(random.choice(SEPARATORS))
    return "".join(words)


def marks(random: Random) -> str:
    """Few bases and many combining marks, in any order."""
    bases = [random.choice("aσΣé한大x1 -\u034f\U0001d158") for _ in range(random.randrange(1, 4))]
    parts = []
    for base in bases:
        parts.append(base)
        parts += random.choices(combining_marks(), k=random.randrange(9))
    return "".join(parts)


@cache
def combining_marks() -> list[str]:
    """Return every mark, those that NFD reorders but keeps ten times as likely as others."""
    every = [chr(code_point) for code_point in range(N_CODE_POINTS)]
    moving = [char for char in every if unicodedata.combining(char)]
    kept = [char for char in moving if unicodedata.category(char) != "Mn"]
    return moving + kept * (10 * len(moving) // len(kept) // 10)


def ascii_noise(random: Random) -> str:
    """English-like text in which one character in twelve is something else."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.'-      "
    noise = representatives()
    return "".join(
        random.choice(noise) if random.random() < 1 / 12 else random.choice(letters)
        for _ in range(random.randrange(60))
    )


def hard(random: Random) -> str:
    """Class representatives only."""
    return "".join(random.choices(representatives(), k=random.randrange(10)))


def sigma(random: Random) -> str:
    """Capital sigmas among cased, ignorable and other characters."""
    return "".join(random.choices(SIGMA_ALPHABET, k=random.randrange(14)))


def long_words(random: Random) -> str:
    """Words near the limit of 200 code points, some only before or after decomposition."""
    unit = random.choice(["a", "é", "e\u0301", "İ", "한", "가", "\U00010400", "x\u200b", "Σ"])
    size = random.choice([66, 67, 99, 100, 101, 199, 200, 201, 202, 400])
    extra = random.choice(["", "b", "\u0301", ",", "大", " ", random.choice(representatives())])
    at = random.randrange(size)
    return f"{unit * at}{extra}{unit * (size - at)} end"


GENERATORS: dict[str, Generator] = {
    generator.__name__: generator
    for generator in (uniform, scripts, marks, ascii_noise, hard, sigma, long_words)
}


def random_strings(name: str, count: int) -> Iterator[str]:
    """Yield `count` strings of a generator; the same ones every time.

    Of long words a tenth: the reference takes milliseconds for each.
    """
    random = Random(f"bertfast parity {name}")
    for _ in range(count // 10 if name == "long_words" else count):
        yield GENERATORS[name](random)
