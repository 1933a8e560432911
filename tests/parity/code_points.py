"""Which code points and contexts the parity checks use."""

import sys
import unicodedata
from collections.abc import Iterator
from functools import cache

from bertfast import reference

N_CODE_POINTS = sys.maxunicode + 1

# U+1D16D and U+302E are spacing marks of combining classes 226 and 224, U+0301 is stripped.
CONTEXTS = (
    "{0}",
    "x{0}",
    "{0}x",
    "x{0}x",
    "αΣ{0}",
    "{0}Σ",
    "αΣ{0}α",
    "x\U0001d16d\u0301{0}\u302e",
)
CONTEXT_CHARACTERS = "".join(CONTEXTS).replace("{0}", "")

PAIR_CONTEXTS = ("{0}{1}", "x{0}{1}x", "αΣ{0}{1}α")


def in_contexts(code_points: Iterator[int] | range | list[int]) -> Iterator[str]:
    """Yield every code point in every context."""
    for code_point in code_points:
        char = chr(code_point)
        for context in CONTEXTS:
            yield context.format(char)


@cache
def representatives() -> list[str]:
    """Return about 250 characters: the first and the last of each class.

    A class is what the tokenizer can tell apart: general category, combining class, block
    and punctuation tests, and how lowering, final sigma and decomposition treat it.
    """
    first: dict[tuple[object, ...], str] = {}
    last: dict[tuple[object, ...], str] = {}
    for code_point in range(N_CODE_POINTS):
        char = chr(code_point)
        key = _class_of(char)
        first.setdefault(key, char)
        last[key] = char
    return sorted({*first.values(), *last.values()})


def _class_of(char: str) -> tuple[object, ...]:
    category = unicodedata.category(char)
    decomposed = unicodedata.normalize("NFD", char)
    return (
        category,
        unicodedata.combining(char),
        reference.is_cjk(ord(char)),
        reference.is_punctuation(char),
        char.isspace(),
        char.lower() != char,
        len(char.lower()),
        f"AΣ{char}A".lower()[1],  # seen through after a sigma?
        f"A{char}Σ".lower()[-1],  # before it?
        f"{char}Σ".lower()[-1],  # cased?
        len(decomposed),
        decomposed != char and unicodedata.category(decomposed[0]),
        decomposed != char and {unicodedata.category(part) for part in decomposed[1:]} == {"Mn"},
    )


@cache
def notable() -> list[int]:
    """Return the code points of the quick check: about 20,000 of them.

    Everything that cleaning, lowering, decomposition or splitting treats specially, both
    sides of each border between categories, and a sample of the rest.
    """
    chosen: list[int] = []
    before = ""
    for code_point in range(N_CODE_POINTS):
        category = unicodedata.category(chr(code_point))
        if category != before or code_point % 97 == 0 or _is_special(chr(code_point), category):
            chosen.append(code_point)
            if category != before and code_point:
                chosen.append(code_point - 1)
        before = category
    return sorted(set(chosen))


def _is_special(char: str, category: str) -> bool:
    if "\uac00" <= char <= "\ud7a3" or "\uf900" <= char <= "\ufaff":
        return False  # thousands of a kind: the sample has its share
    if category[0] in "MPZ" or category in ("Cc", "Cf"):
        return True
    return char.lower() != char or unicodedata.normalize("NFD", char) != char
