"""Cut a stream of rows into windows: what is tokenized, sorted and predicted together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bertfast.errors import InputError

Text: TypeAlias = str | bytes
Row: TypeAlias = Text | tuple[Text, Text]

DEFAULT_WINDOW = 4096
# Texts can be large: a window ends early at this many code points (or bytes, for bytes).
_MAX_CHARACTERS = 1 << 24


@dataclass(slots=True, eq=False)
class Window:
    """Consecutive rows.

    Attributes:
        first_row: number of the first row, from 0.
        texts: the text of each row.
        pairs: the second text of each row, b"" where it has none; None if no row has one.
    """

    first_row: int
    texts: list[Text] = field(default_factory=list)
    pairs: list[Text] | None = None

    def add(self, row: Row) -> int:
        """Append a row and return its size in characters.

        Raises:
            InputError: it is not a text or a pair of texts.
        """
        number = self.first_row + len(self.texts)
        if not isinstance(row, tuple):
            self.texts.append(_checked(row, number))
            if self.pairs is not None:
                self.pairs.append(b"")
            return len(row)
        if len(row) != 2:
            raise InputError(f"row {number}: expected (text, second text), got {len(row)} values")
        text, pair = _checked(row[0], number), _checked(row[1], number)
        if self.pairs is None:
            self.pairs = [b""] * len(self.texts)
        self.texts.append(text)
        self.pairs.append(pair)
        return len(text) + len(pair)


def split_windows(rows: Iterable[Row], *, n_rows: int = DEFAULT_WINDOW) -> Iterator[Window]:
    """Yield windows of `n_rows` rows; fewer where their texts are very large.

    A row is a text or a (text, second text) tuple. A text alone is the same as one with an
    empty second text.

    Raises:
        InputError: a row is neither; the message has its number.
    """
    window = Window(first_row=0)
    room = _MAX_CHARACTERS
    for row in rows:
        room -= window.add(row)
        if len(window.texts) == n_rows or room <= 0:
            yield window
            window = Window(first_row=window.first_row + len(window.texts))
            room = _MAX_CHARACTERS
    if window.texts:
        yield window


def as_rows(texts: Iterable[Text], text_pair: Iterable[Text] | None) -> Sequence[Row]:
    """Return texts, or texts and their second texts side by side, as a sequence of rows.

    Raises:
        InputError: one text was given instead of several, or the numbers of texts differ.
    """
    first = _as_sequence(texts, "texts")
    if text_pair is None:
        return first
    second = _as_sequence(text_pair, "text_pair")
    if len(first) != len(second):
        raise InputError(f"{len(first)} texts but {len(second)} second texts")
    return list(zip(first, second, strict=True))


def _as_sequence(texts: Iterable[Text], name: str) -> Sequence[Text]:
    if isinstance(texts, str | bytes):
        raise InputError(f"{name} is one {type(texts).__name__}; pass a list of texts")
    if not isinstance(texts, Iterable):
        raise InputError(f"{name} is a list of texts, got {texts!r}")
    return texts if isinstance(texts, list | tuple) else list(texts)


def _checked(text: object, row_number: int) -> Text:
    if not isinstance(text, str | bytes):
        given = type(text).__name__
        raise InputError(f"row {row_number}: expected str or bytes, got {given}")
    return text
