"""Read rows of text from plain lines, TSV and JSON lines, one at a time.

Every format decodes as UTF-8 with invalid bytes ignored, as the tokenizer does with bytes,
and skips a byte order mark. Lines end at LF or CRLF.
"""

import codecs
import io
import json
from collections.abc import Iterator

from bertfast.errors import InputError
from bertfast.jobs.columns import Column, Columns, name_list
from bertfast.jobs.records import Record, Reject, Row, RowError
from bertfast.jobs.streams import InputStream

# A longer line is no row of text, and would have to be held in memory.
MAX_LINE_BYTES = 1 << 26
_BUFFER_BYTES = 1 << 18


class LineReader:
    """Reads plain lines; the other formats of lines build on it. See `RecordReader`."""

    def __init__(self, stream: InputStream, source: str, columns: Columns) -> None:
        """Read `stream`; `source` names it in messages."""
        self.line = 0
        self.offset = 0
        self.source = source
        self.columns = columns
        self._file = stream
        self._stream = io.BufferedReader(stream, _BUFFER_BYTES)
        self._start = (0, 0)
        self._check_options()

    def start_at(self, line: int, offset: int) -> None:
        """Begin behind what an earlier run has read."""
        self._start = (line, offset)

    def rows(self) -> Iterator[Row]:
        """Yield every line, empty ones too."""
        self._check_encoding()
        self._read_header()
        self._skip_to_start()
        yield from self._rows()

    def fraction(self) -> float:
        """Return how much of the file has been read, from 0 to 1."""
        return self._file.fraction(self.offset)

    def _check_options(self) -> None:
        if self.columns.given or self.columns.header is not None:
            raise InputError(
                f"{self.source}: plain lines have no columns; for columns use tsv or csv"
            )

    def _check_encoding(self) -> None:
        if self._stream.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise InputError(
                f"{self.source} is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"
            )

    def _read_header(self) -> None:
        """Read what stands before the first row."""

    def _skip_to_start(self) -> None:
        line, offset = self._start
        if offset <= self.offset:
            return
        # The buffer has read ahead: what it holds is part of what is to be passed over.
        left = offset - self.offset
        held = min(len(self._stream.peek(1)), left)
        left -= len(self._stream.read(held))
        if left and self._file.skip(left) < left:
            raise InputError(f"{self.source} has become shorter since the job began")
        self.line, self.offset = line, offset

    def _rows(self) -> Iterator[Row]:
        for line in self.texts():
            if line is None:
                yield self.too_long()
            else:
                text = line.removesuffix("\n").removesuffix("\r")
                yield Record(self.line, text, None, ())

    def too_long(self) -> Reject:
        """Return the reject of the line just read."""
        return Reject(self.line, f"a line of more than {MAX_LINE_BYTES:,} bytes")

    def texts(self) -> Iterator[str | None]:
        """Yield lines with their ends, None for one that is too long.

        Only LF ends a line, so that line numbers are `wc -l`'s.
        """
        readline = self._stream.readline
        while line := readline(MAX_LINE_BYTES):
            self.line += 1
            is_first = not self.offset
            self.offset += len(line)
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                self._skip_line()
                yield None
                continue
            text = line.decode("utf-8", "ignore")
            yield text.removeprefix("\ufeff") if is_first else text

    def _skip_line(self) -> None:
        while (rest := self._stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            self.offset += len(rest)
        self.offset += len(rest)


class TableReader(LineReader):
    """Reads the wanted columns of tab-separated lines. Quotes are ordinary characters.

    Source: google-research/bert run_classifier.py, DataProcessor._read_tsv.
    """

    def fields(self) -> Iterator[tuple[int, list[str] | Reject]]:
        """Yield each row's first line number with its fields, or why it has none."""
        for line in self.texts():
            if line is None:
                yield self.line, self.too_long()
            else:
                yield self.line, line.removesuffix("\n").removesuffix("\r").split("\t")

    def _check_options(self) -> None:
        self._places: list[int] = []

    def _read_header(self) -> None:
        names = None
        if self.columns.has_header:
            _, found = next(self.fields(), (0, None))
            if found is None:
                raise InputError(f"{self.source} is empty; its first line should name the columns")
            if isinstance(found, Reject):
                raise InputError(f"{self.source} line 1: {found.reason}")
            names = found
        self._places = self.columns.places(names, self.source)

    def _rows(self) -> Iterator[Row]:
        text, *others = self._places
        second = 0 if self.columns.pair is None else 1
        pair = others[0] if second else None
        kept = others[second:]
        least = max(self._places) + 1
        for line, fields in self.fields():
            if isinstance(fields, Reject):
                yield fields
            elif len(fields) < least:
                yield Reject(line, _too_few(len(fields), least))
            else:
                yield Record(
                    line,
                    fields[text],
                    None if pair is None else fields[pair],
                    tuple([fields[place] for place in kept]) if kept else (),
                )


class JsonReader(LineReader):
    """Reads the wanted values of one JSON object (or array) a line. Blank lines are skipped."""

    def _check_options(self) -> None:
        if self.columns.header is not None:
            raise InputError(f"{self.source}: JSON lines have no header")

    def _rows(self) -> Iterator[Row]:
        text, *others = ["text" if name is None else name for name in self.columns.wanted]
        second = 0 if self.columns.pair is None else 1
        for line in self.texts():
            if line is None:
                yield self.too_long()
            elif line.strip():
                try:
                    record = _parsed(line)
                    yield Record(
                        self.line,
                        _text(record, text),
                        _text(record, others[0]) if second else None,
                        tuple([_value(record, name) for name in others[second:]]),
                    )
                except RowError as error:
                    yield Reject(self.line, str(error))


def _too_few(given: int, least: int) -> str:
    return f"{given} column{'s' * (given != 1)}, but column {least - 1} (counted from 0) is wanted"


def _parsed(line: str) -> object:
    try:
        return json.loads(line.rstrip("\r\n"))
    except json.JSONDecodeError as error:
        # The decoder counts lines from the start of what it was given, which is one line.
        raise RowError(f"not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise RowError(f"not JSON: {error}") from None


def _value(record: object, column: Column) -> object:
    if isinstance(column, str) and isinstance(record, dict):
        if column not in record:
            raise RowError(f"no key {column!r}; it has {name_list(record)}")
        return record[column]
    if isinstance(column, int) and isinstance(record, list):
        if column >= len(record):
            raise RowError(f"{len(record)} values, but value {column} is wanted")
        return record[column]
    wanted = "an object" if isinstance(column, str) else "an array"
    raise RowError(f"expected {wanted} with {column!r}, got {_kind(record)}")


def _text(record: object, column: Column) -> str:
    value = _value(record, column)
    if not isinstance(value, str):
        raise RowError(f"{column!r} is {_kind(value)}, expected a string")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")
