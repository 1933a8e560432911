"""Small changes to a text after which it is still of the same language."""

import random
import re
import unicodedata
from collections.abc import Sequence

from langid.languages import NATIVE_ZEROS
from langid.spelling import lower, title, upper

DIGITS = re.compile(r"\d+")

# An opening and a closing mark; "," opens nothing.
_MARKS = (
    '""',
    "''",
    "()",
    "\u201c\u201d",
    "\u201e\u201c",
    "\u00ab\u00bb",
    "--",
    "\u2013\u2013",
    "\u2014\u2014",
    ",,",
    "\u2018\u2019",
    "[]",
)
_ENDS = ("", "", ".", "!", "?", "...", ":", ";")
_INSIDE_WORDS = "'\u2019-\u2018\u02bb"


def strip_punctuation(text: str) -> str:
    """Replace punctuation and symbols by spaces, but keep apostrophe and hyphen in a word.

    Example:
        >>> strip_punctuation("Don't (ever) do that!")
        "Don't ever do that"
    """
    kept = []
    for i, character in enumerate(text):
        inside = 0 < i < len(text) - 1 and text[i - 1].isalpha() and text[i + 1].isalpha()
        is_mark = unicodedata.category(character)[0] in "PS"
        keep = not is_mark or (inside and character in _INSIDE_WORDS)
        kept.append(character if keep else " ")
    return " ".join("".join(kept).split())


def recase(text: str, label: str, rng: random.Random) -> str:
    """Lower, upper or title case in a quarter of the texts."""
    draw = rng.random()
    if draw < 0.12:
        return lower(text, label)
    if draw < 0.19:
        return upper(text, label)
    if draw < 0.26:
        return title(text, label)
    return text


def redigit(text: str, label: str, rng: random.Random) -> str:
    """Put other digits, sometimes the language's own, in the place of the digits, or none."""
    if rng.random() < 0.3:
        return " ".join(DIGITS.sub(" ", text).split())
    zero = NATIVE_ZEROS.get(label, ord("0")) if rng.random() < 0.3 else ord("0")

    def other(match: re.Match[str]) -> str:
        width = max(1, len(match.group()) + rng.choice((-1, 0, 0, 1)))
        return "".join(chr(zero + rng.randrange(10)) for _ in range(width))

    return DIGITS.sub(other, text)


def random_number(rng: random.Random) -> str:
    """Return a number as texts have them: a count, year, amount, date, time or percentage."""
    kinds = (
        lambda: str(rng.randrange(1, 100)),
        lambda: str(rng.randrange(1900, 2030)),
        lambda: f"{rng.randrange(1, 999)}.{rng.randrange(0, 999):03d}",
        lambda: f"{rng.randrange(1, 99)},{rng.randrange(0, 9)}",
        lambda: f"{rng.randrange(1, 28)}.{rng.randrange(1, 12)}.{rng.randrange(1990, 2030)}",
        lambda: f"{rng.randrange(0, 24)}:{rng.randrange(0, 60):02d}",
        lambda: f"{rng.randrange(1, 100)} %",
    )
    return rng.choice(kinds)()


def decorate(text: str, rng: random.Random) -> str:
    """Put quotation marks, brackets or dashes around some words, and another end mark."""
    words = text.split()
    first = rng.randrange(len(words))
    last = min(len(words), first + rng.randrange(1, 6)) - 1
    marks = rng.choice(_MARKS)
    if marks[0] != ",":
        words[first] = marks[0] + words[first]
    words[last] += marks[1]
    return " ".join(words) + rng.choice(_ENDS)


def insert_names(text: str, names: Sequence[str], rng: random.Random) -> str:
    """Put one to three of `names`, if there are any, between the words of a text."""
    if not names:
        return text
    words = text.split()
    count = 1 if len(words) < 7 else rng.choice((1, 1, 2, 3))
    for _ in range(count):
        name = rng.choice(names)
        words.insert(rng.randrange(len(words) + 1), name)
    return " ".join(words)


def drop_words(text: str, rng: random.Random) -> str:
    """Leave out one word in seven."""
    words = [word for word in text.split() if rng.random() > 0.15]
    return " ".join(words) or text


def shuffle_words(text: str, rng: random.Random) -> str:
    """Put the words in another order."""
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)
