"""Other texts of the same language, made from the lines of the training data.

Each is cropped or joined with other lines (15 to 240 characters), sometimes in other case,
without punctuation, with other digits, with foreign names in it, with words dropped or in
another order. So a classifier cannot lean on length, casing, punctuation, digits or the way in
which interface strings are put.

Every draw comes from one generator in a fixed order: the same seed gives the same texts.
"""

import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langid.changes import (
    DIGITS,
    decorate,
    drop_words,
    insert_names,
    random_number,
    recase,
    redigit,
    shuffle_words,
    strip_punctuation,
)
from langid.languages import (
    CASED_SCRIPTS,
    CLOSE,
    CYRILLIC,
    OWN_SCRIPT,
    UNSPACED,
    is_written_in_two_alphabets,
)
from langid.rows import Row
from langid.spelling import respell

_NAME = re.compile(r"^[A-Z][a-z\u00c0-\u024f]{2,}$")


class Deck:
    """The lines of one language in one alphabet, dealt again and again in shuffled order."""

    def __init__(self, lines: Sequence[str], rng: random.Random) -> None:
        self.lines = lines
        self._rng = rng
        self._left: list[str] = []

    def draw(self) -> str:
        """Return a line; all others come before it comes again."""
        if not self._left:
            self._left = list(self.lines)
            self._rng.shuffle(self._left)
        return self._left.pop()


@dataclass(frozen=True, slots=True)
class Variation:
    """Makes texts of one language in one alphabet.

    Attributes:
        label: the language.
        deck: its lines, for joining.
        names: capitalised words of all languages.
        rng: where every draw comes from.
    """

    label: str
    deck: Deck
    names: Sequence[str]
    rng: random.Random

    def vary(self, line: str) -> str:
        """Return another text made of `line`, and of more lines where it is too short."""
        rng, label = self.rng, self.label
        text = self._resize(line) if rng.random() < 0.7 else line
        if rng.random() < 0.35:
            text = strip_punctuation(text) or text
        if DIGITS.search(text) and rng.random() < 0.6:
            text = redigit(text, label, rng) or text
        if label not in UNSPACED:
            text = self._thin_out(text)
        text = respell(text, label, rng)
        text = self._furnish(text)
        if CASED_SCRIPTS.search(text):
            text = recase(text, label, rng)
        return unicodedata.normalize("NFD", text) if rng.random() < 0.01 else text

    def _resize(self, text: str) -> str:
        length = draw_length(self.rng)
        while len(text) < length:
            text += self.rng.choice((" ", " ", ". ", ", ")) + self.deck.draw()
        return crop(text, length, self.label, self.rng)

    def _thin_out(self, text: str) -> str:
        if self.rng.random() < 0.12:
            text = drop_words(text, self.rng)
        return shuffle_words(text, self.rng) if self.rng.random() < 0.08 else text

    def _furnish(self, text: str) -> str:
        if self.rng.random() < 0.12:
            text = insert_names(text, self.names, self.rng)
        if self.rng.random() < 0.08:
            text = insert_names(text, [random_number(self.rng)], self.rng)
        return decorate(text, self.rng) if self.rng.random() < 0.10 else text


def draw_length(rng: random.Random) -> int:
    """Draw the length of a text in characters: half below 60, one in seven above 130."""
    draw = rng.random()
    if draw < 0.5:
        return rng.randrange(15, 60)
    if draw < 0.85:
        return rng.randrange(60, 130)
    return rng.randrange(130, 240)


def crop(text: str, length: int, label: str, rng: random.Random) -> str:
    """Cut a window of about `length` characters, between words where the script has spaces."""
    if len(text) <= length:
        return text
    start = rng.randrange(len(text) - length + 1)
    if label in UNSPACED:
        while start and unicodedata.category(text[start])[0] == "M":
            start -= 1
        return text[start : start + length].strip()
    while start and not text[start - 1].isspace():
        start -= 1
    end = start + length
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[start:end].strip()


def collect_names(rows: Iterable[Row]) -> list[str]:
    """Return the capitalised Latin words within lines; German ones are no names as a rule.

    Example:
        >>> collect_names([("We met Anna in Rome", "en"), ("Wir kaufen Brot", "de")])
        ['Anna', 'Rome']
    """
    words = {word for text, label in rows if label != "de" for word in text.split()[1:]}
    return sorted(word for word in words if _NAME.match(word))


def augment(rows: Sequence[Row], copies: int, seed: int) -> list[Row]:
    """Return about `copies` times as many rows, in random order: the lines and their variations.

    Every language gets as many as the largest; half of it if its script says all, half as many
    again if it has close relatives.
    """
    rng = random.Random(seed)
    names = collect_names(rows)
    lines_of: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for text, label in rows:
        lines_of[label, _is_cyrillic(text, label)].append(text)
    sizes = Counter(label for _, label in rows)
    # Serbian has every line twice.
    largest = max(size for label, size in sizes.items() if label != "sr")
    out = []
    for (label, _), lines in sorted(lines_of.items()):
        share = copies * _weight(label) * largest
        quota = round(share * len(lines) / sizes[label])
        variation = Variation(label, Deck(lines, rng), names, rng)
        for i in range(quota):
            line = lines[i % len(lines)]
            text = line if i < len(lines) else variation.vary(line)
            out.append((" ".join(text.split()), label))
    out = [(text, label) for text, label in out if text]
    rng.shuffle(out)
    return out


def _is_cyrillic(text: str, label: str) -> bool:
    return bool(CYRILLIC.search(text)) if is_written_in_two_alphabets(label) else True


def _weight(label: str) -> float:
    if label in CLOSE:
        return 1.5
    return 0.5 if label in OWN_SCRIPT else 1.0
