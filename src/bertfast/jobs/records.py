"""What a reader yields: a row to predict, or the reason why a row cannot be."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeAlias

from bertfast.errors import InputError


class Record(NamedTuple):
    """A row. A named tuple, since there are hundreds of millions of them.

    Attributes:
        line: where it begins in its file: the line, or the row of a Parquet file, from 1.
        text: the text; bytes are UTF-8 whose invalid parts the tokenizer ignores.
        pair: the second text, or None where no second texts were asked for.
        kept: the values of the columns that are kept, in the order asked for.
    """

    line: int
    text: str | bytes
    pair: str | bytes | None
    kept: tuple[object, ...]


class Reject(NamedTuple):
    """A row that cannot be read: where it begins, and why."""

    line: int
    reason: str


Row: TypeAlias = Record | Reject


class RowError(InputError):
    """A row cannot be used; the job rejects the row or stops, as it was told."""


class RecordReader(Protocol):
    """Reads the rows of one file.

    Attributes:
        line: the number of lines (rows of a Parquet file) taken so far.
        offset: where the next row begins: bytes of the decompressed file, or rows.
    """

    line: int
    offset: int

    def rows(self) -> Iterator[Row]:
        """Yield the rows from where the reader stands.

        Raises:
            InputError: the file as a whole cannot be read.
        """

    def fraction(self) -> float:
        """Return how much of the file has been read, from 0 to 1, roughly."""
