"""Read tab-separated files of examples, naming file and line of what is wrong.

Unlike `bertfast.jobs`, which ignores invalid UTF-8 as the tokenizer does, a file to train on
is refused: its labels would be guessed.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from bertfast.columns import Column, column_place, name_list
from bertfast.errors import InputError


def read_lines(path: str | PathLike[str]) -> list[str]:
    r"""Return the lines of a UTF-8 file, without their ends (LF or CRLF) and its byte order mark.

    Raises:
        InputError: the file cannot be read, or a line is not UTF-8.
    """
    name = fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {name!r}: {error.strerror}") from error
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()  # the end of the last line, not a line
    return [_decode(line, name, number) for number, line in enumerate(lines, 1)]


def _decode(line: bytes, name: str, number: int) -> str:
    try:
        return line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} line {number}: not UTF-8 ({error.reason} at byte {error.start})"
        ) from None


def read_tsv(path: str | PathLike[str], quotechar: str | None = None) -> list[list[str]]:
    r"""Return the fields of each line of a tab-separated file.

    Quotes are ordinary characters unless `quotechar` is given. Blank lines at the end of the
    file are left out; elsewhere they are rows without fields.

    Source: google-research/bert run_classifier.py, DataProcessor._read_tsv.

    Raises:
        InputError: the file cannot be read, or a line of it is not UTF-8.
    """
    lines = read_lines(path)
    while lines and not lines[-1]:
        lines.pop()
    if quotechar is None:
        return [line.split("\t") if line else [] for line in lines]
    reader = csv.reader((line + "\n" for line in lines), delimiter="\t", quotechar=quotechar)
    try:
        return list(reader)
    except csv.Error as error:
        raise InputError(f"{fspath(path)} line {reader.line_num}: {error}") from None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file that has at least one.

    Attributes:
        source: the file's name.
        header: the names in its first line, or None.
        rows: the fields of each line after the header.
    """

    source: str
    header: list[str] | None
    rows: list[list[str]]

    @classmethod
    def read(cls, path: str | PathLike[str], *, header: bool) -> "Table":
        """Read a file; `header` tells whether its first line holds names.

        Raises:
            InputError: the file cannot be read, is not UTF-8, or has no row.
        """
        source, lines = fspath(path), read_tsv(path)
        if not lines:
            raise InputError(f"{source} is empty")
        if not header:
            return cls(source, None, lines)
        if len(lines) == 1:
            raise InputError(f"{source} has no examples, only a header")
        return cls(source, lines[0], lines[1:])

    def where(self, row: int) -> str:
        """Return file and line of a row, for messages."""
        return f"{self.source} line {row + 1 + (self.header is not None)}"

    def place(self, column: Column) -> int:
        """Return the number of a column.

        Raises:
            InputError: a name that the header does not have, or has twice.
        """
        if isinstance(column, str) and self.header is None:
            raise InputError(f"{self.source} has no header to find column {column!r} in")
        return column_place(column, self.header, self.source)

    def check_header(self, names: Sequence[tuple[int, str]], task: str) -> None:
        """Check that columns have the names they should; -1 is the last column.

        Raises:
            InputError: another name stands there, or the header is shorter.
        """
        header = [] if self.header is None else [name.strip() for name in self.header]
        for place, name in names:
            if place >= len(header) or header[place].lower() != name.lower():
                column = "the last column" if place < 0 else f"column {place} (from 0)"
                raise InputError(
                    f"{self.source} line 1: not the header of {task}: {column} should be "
                    f"{name!r}; got {name_list(header, most=6)}; for other columns use the task "
                    f"'tsv'"
                )

    def check_width(self, least: int) -> None:
        """Check that each row has `least` fields or more.

        Raises:
            InputError: a row has fewer, named by its line.
        """
        for row, fields in enumerate(self.rows):
            if len(fields) < least:
                raise InputError(
                    f"{self.where(row)}: {len(fields)} column{'s' * (len(fields) != 1)}, "
                    f"but column {least - 1} (from 0) is wanted"
                )
