"""What the tokenizer's law makes of every code point, as arrays over all of Unicode.

The same facts as the native core's tables, read off the running interpreter in a few hundred
milliseconds: one string of all code points is lowered, decomposed and probed at once.
Twin of tools/generate_unicode_tables.py; a test holds both against `reference.py`.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bertfast.reference import CJK_RANGES, is_punctuation
from bertfast.reference import MAX_INPUT_CHARS_PER_WORD as MAX_INPUT_CHARS_PER_WORD

Bools = NDArray[np.bool_]
CodePoints = NDArray[np.uint32]

N_CODE_POINTS = 0x110000
CAPITAL_SIGMA = 0x3A3
SMALL_SIGMA = 0x3C3
FINAL_SIGMA = 0x3C2

_WHITESPACE = b"\t\n\r"


@dataclass(frozen=True, slots=True, eq=False)
class Expansions:
    """What code points become: code point c becomes parts[starts[c]:starts[c + 1]].

    Attributes:
        starts: int64 [N_CODE_POINTS + 1].
        parts: uint32 [n].
    """

    starts: NDArray[np.int64]
    parts: CodePoints

    def of(self, code_point: int) -> list[int]:
        """Return what one code point becomes."""
        begin, end = self.starts[code_point : code_point + 2].tolist()
        result: list[int] = self.parts[begin:end].tolist()
        return result

    def where(self, kept: Bools) -> "Expansions":
        """Return the expansions without the parts of which `kept`, bool [n], is False."""
        n_kept = np.concatenate([[0], np.cumsum(kept)])
        return Expansions(n_kept[self.starts], self.parts[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Characters:
    """What becomes of each code point; arrays are [N_CODE_POINTS], bool unless said otherwise.

    Attributes:
        dropped: removed by the cleaning step.
        space: made a space, or split at by `str.split`.
        cjk: gets a space on both sides.
        punctuation: a word of its own, tested on what comes out of decomposition.
        safe: a letter, number or mark: no tokenizer takes it for a separator.
        combining: uint8, the canonical combining class.
        decomposed: lowered and decomposed in uncased mode, itself in cased mode.
        plain: the same without the accents (Mn) that uncased mode strips, and nothing for what
            is dropped.
    """

    dropped: Bools
    space: Bools
    cjk: Bools
    punctuation: Bools
    safe: Bools
    combining: NDArray[np.uint8]
    decomposed: Expansions
    plain: Expansions


@cache
def read_characters(*, do_lower_case: bool) -> Characters:
    """Read the tables off the running interpreter (about 0.5 s, once for each mode)."""
    categories = _categories()
    dropped = np.isin(categories, ["Cc", "Cf"])
    dropped[list(_WHITESPACE)] = False
    dropped[[0, 0xFFFD]] = True
    punctuation = np.char.startswith(categories, "P")  # np.strings is of numpy 2
    punctuation[:128] = [is_punctuation(chr(code_point)) for code_point in range(128)]
    decomposed = _lowered_and_decomposed() if do_lower_case else _unchanged()
    kept = ~np.repeat(dropped, np.diff(decomposed.starts))
    if do_lower_case:
        kept &= categories[decomposed.parts] != "Mn"
    return Characters(
        dropped=dropped,
        space=_spaces() & ~dropped,
        cjk=_in_ranges(CJK_RANGES),
        punctuation=punctuation,
        safe=np.isin(categories.astype("U1"), ["L", "N", "M"]),
        combining=_combining_classes(),
        decomposed=decomposed,
        plain=decomposed.where(kept),
    )


@cache
def read_sigma_context() -> tuple[Bools, Bools]:
    """Return which code points are cased and which case-ignorable: bool [N_CODE_POINTS] each.

    Both as the final-sigma rule of `str.lower` sees them: after a letter, a sigma behind an
    ignorable character still is final; after nothing, only behind a cased one.
    """
    assigned = np.flatnonzero(~np.isin(_categories(), ["Cn", "Co", "Cs"]))[1:]  # without NUL
    context = np.zeros((len(assigned), 7), np.uint32)  # a c Σ NUL c Σ NUL; NUL is neither
    context[:, 0] = ord("a")
    context[:, [1, 4]] = assigned[:, None]
    context[:, [2, 5]] = CAPITAL_SIGMA
    lowered = _to_code_points(_to_text(context).lower())
    sigmas = lowered[np.flatnonzero(lowered == 0) - 1].reshape(len(assigned), 2)
    final = np.zeros((N_CODE_POINTS, 2), np.bool_)
    final[assigned] = sigmas == FINAL_SIGMA
    after_letter, alone = final.T
    return after_letter & alone, after_letter & ~alone


def _to_text(code_points: NDArray[np.uint32]) -> str:
    return code_points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _to_code_points(text: str) -> CodePoints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)


def _every_character() -> str:
    return _to_text(np.arange(N_CODE_POINTS, dtype=np.uint32))


@cache
def _categories() -> NDArray[np.str_]:
    return np.array(list(map(unicodedata.category, _every_character())))


def _combining_classes() -> NDArray[np.uint8]:
    classes = map(unicodedata.combining, _every_character())
    return np.fromiter(classes, np.uint8, N_CODE_POINTS)


def _spaces() -> Bools:
    return np.fromiter(map(str.isspace, _every_character()), np.bool_, N_CODE_POINTS)


def _in_ranges(ranges: Sequence[tuple[int, int]]) -> Bools:
    result = np.zeros(N_CODE_POINTS, np.bool_)
    for first, last in ranges:
        result[first : last + 1] = True
    return result


def _unchanged() -> Expansions:
    return Expansions(np.arange(N_CODE_POINTS + 1), np.arange(N_CODE_POINTS, dtype=np.uint32))


def _lowered_and_decomposed() -> Expansions:
    """Lower and decompose every code point by itself, all in one string.

    NUL between them is neither cased nor combining, so that neighbours do not meet.
    """
    separated = np.zeros((N_CODE_POINTS - 1, 2), np.uint32)  # without NUL: it is the separator
    separated[:, 0] = np.arange(1, N_CODE_POINTS)
    result = unicodedata.normalize("NFD", _to_text(separated).lower())
    code_points = _to_code_points(result)
    is_end = code_points == 0
    lengths = np.diff(np.flatnonzero(is_end), prepend=-1) - 1
    starts = np.concatenate([[0, 1], 1 + np.cumsum(lengths)])
    parts = np.concatenate([np.zeros(1, np.uint32), code_points[~is_end]])
    return Expansions(starts, parts)
