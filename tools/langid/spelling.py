"""The same text written otherwise: cases, alphabets, and code points for the same letters."""

import random
import re

from langid.languages import CYRILLIC
from langid.rows import Row

_SERBIAN = dict(zip("абвгдђежзијклмнопрстћуфхцчш", "abvgdđežzijklmnoprstćufhcčš", strict=True))
_SERBIAN |= {"љ": "lj", "њ": "nj", "џ": "dž"}
_FOREIGN_TO_SERBIAN = re.compile("[qwxyQWXY]")

_APOSTROPHES = (("'", "\u2019"),)
# Letters that have two code points in use: Romanian commas and cedillas, the Uzbek turned comma,
# Persian and Urdu letters and their Arabic look-alikes.
_VARIANTS = {
    "ro": (("\u0219", "\u015f"), ("\u021b", "\u0163")),
    "uz": (("\u02bb", "\u2018"), ("\u2018", "'"), ("\u02bb", "`")),
    "fa": (("\u06cc", "\u064a"), ("\u06a9", "\u0643")),
    "ur": (("\u06c1", "\u0647"), ("\u06cc", "\u064a")),
}


def lower(text: str, label: str) -> str:
    """Lower a text by its language's rule: Turkish and Azerbaijani have two kinds of i.

    Example:
        >>> lower("IŞIK", "tr"), lower("IGLU", "de")
        ('ışık', 'iglu')
    """
    if label in ("tr", "az"):
        text = text.replace("I", "\u0131").replace("\u0130", "i")
    return text.lower()


def upper(text: str, label: str) -> str:
    """Upper-case a text by its language's rule.

    Example:
        >>> upper("iyi", "tr"), upper("igloo", "en")
        ('İYİ', 'IGLOO')
    """
    if label in ("tr", "az"):
        text = text.replace("i", "\u0130")
    return text.upper()


def title(text: str, label: str) -> str:
    """Begin every word with a capital; the rest of the word stays as it is.

    Example:
        >>> title("the GNU licence", "en")
        'The GNU Licence'
    """
    return " ".join(upper(word[0], label) + word[1:] for word in text.split())


def respell(text: str, label: str, rng: random.Random) -> str:
    """Put other code points for the same letters, each kind with a chance of 0.3."""
    for one, other in _VARIANTS.get(label, ()) + _APOSTROPHES:
        if one in text and rng.random() < 0.3:
            text = text.replace(one, other)
        elif other in text and rng.random() < 0.3:
            text = text.replace(other, one)
    return text


def to_latin(text: str) -> str:
    """Write Serbian Cyrillic in Serbian Latin letters; the spelling is one to one.

    Example:
        >>> to_latin("Његош, ЊЕГОШ")
        'Njegoš, NJEGOŠ'
    """
    letters = []
    for i, letter in enumerate(text):
        latin = _SERBIAN.get(letter.lower(), letter)
        if letter.isupper() and latin != letter:
            loud = text[i + 1 : i + 2].isupper() or (i > 0 and text[i - 1].isupper())
            latin = latin.upper() if loud else latin.capitalize()
        letters.append(latin)
    return "".join(letters)


def to_cyrillic(text: str) -> str:
    """Write Serbian Latin in Serbian Cyrillic letters, digraphs first.

    Example:
        >>> to_cyrillic("Njegoš, ljubav")
        'Његош, љубав'
    """
    for cyrillic, latin in sorted(_SERBIAN.items(), key=lambda pair: -len(pair[1])):
        text = text.replace(latin, cyrillic)
        text = text.replace(latin.capitalize(), cyrillic.upper())
        text = text.replace(latin.upper(), cyrillic.upper())
    return text


def add_transliterations(rows: list[Row]) -> list[Row]:
    """Return the rows and after them the Serbian ones in their other alphabet.

    So neither alphabet stands for a kind of document. Latin lines with letters that Serbian
    does not have are left alone.
    """
    others = []
    for text, label in rows:
        if label != "sr":
            continue
        if CYRILLIC.search(text):
            others.append((to_latin(text), label))
        elif not _FOREIGN_TO_SERBIAN.search(text):
            others.append((to_cyrillic(text), label))
    return rows + others
