"""Read rows of text from plain lines, TSV, CSV and JSON lines, one at a time.

Every format decodes as UTF-8 with invalid bytes ignored, as the tokenizer does with bytes,
and skips a byte order mark. Lines end at LF or CRLF.
"""

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from bertfast.errors import InputError
from bertfast.jobs.columns import Column, Columns, name_list
from bertfast.runtime.windows import Row

RowReader = Callable[[BinaryIO, str, Columns], Iterator[Row]]

# Python's csv module refuses longer fields; its own default, 131,072, is too small for texts.
# A limit must stay: an unclosed quote makes one field of the rest of the file.
_MAX_CSV_FIELD = 1 << 26


def read_lines(stream: BinaryIO, source: str, columns: Columns) -> Iterator[Row]:
    r"""Yield every line, empty ones too.

    >>> import io
    >>> list(read_lines(io.BytesIO(b"one\r\n\ntwo"), "x.txt", Columns()))
    ['one', '', 'two']
    """
    if columns.given or columns.header is not None:
        raise InputError(f"{source}: plain lines have no columns; for columns use tsv or csv")
    yield from _decoded_lines(stream, source)


def read_tsv(stream: BinaryIO, source: str, columns: Columns) -> Iterator[Row]:
    """Yield the wanted columns of tab-separated lines. Quotes are ordinary characters.

    Source: google-research/bert run_classifier.py, DataProcessor._read_tsv.
    """
    rows = (
        (number, line.split("\t")) for number, line in enumerate(_decoded_lines(stream, source), 1)
    )
    yield from _pick_columns(rows, source, columns)


def read_csv(stream: BinaryIO, source: str, columns: Columns) -> Iterator[Row]:
    """Yield the wanted columns of comma-separated records (RFC 4180).

    A quoted field may hold line ends. Blank lines are skipped. NUL is dropped, as the
    tokenizer would: Python 3.10's csv module refuses it.
    """
    yield from _pick_columns(_csv_records(stream, source), source, columns)


def read_jsonl(stream: BinaryIO, source: str, columns: Columns) -> Iterator[Row]:
    """Yield the wanted values of one JSON object (or array) a line. Blank lines are skipped."""
    if columns.header is not None:
        raise InputError(f"{source}: JSON lines have no header")
    wanted: list[Column] = ["text" if columns.text is None else columns.text]
    if columns.pair is not None:
        wanted.append(columns.pair)
    for number, line in enumerate(_decoded_lines(stream, source), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source} line {number}: not JSON: {_json_fault(error)}") from None
        where = f"{source} line {number}"
        yield _row([_json_text(record, column, where) for column in wanted])


READERS: dict[str, RowReader] = {
    "lines": read_lines,
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
}


def _decoded(stream: BinaryIO, source: str) -> Iterator[str]:
    """Yield lines with their ends. Only LF ends a line, so that line numbers are `wc -l`'s."""
    peek = getattr(stream, "peek", None)  # io.BytesIO has none
    if peek is not None and peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise InputError(f"{source} is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    for number, line in enumerate(stream):
        text = line.decode("utf-8", "ignore")
        yield text if number else text.removeprefix("\ufeff")


def _decoded_lines(stream: BinaryIO, source: str) -> Iterator[str]:
    for line in _decoded(stream, source):
        yield line.removesuffix("\n").removesuffix("\r")


def _csv_records(stream: BinaryIO, source: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CSV_FIELD))
    lines = (line.replace("\0", "") for line in _decoded(stream, source))
    reader = csv.reader(lines, strict=True)
    while True:
        number = reader.line_num + 1  # a record may span lines; this is its first
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = str(error).partition(" - ")[0]  # what follows is advice to programmers
            raise InputError(f"{source} line {number}: not CSV: {fault}") from None
        if fields:
            yield number, fields


def _pick_columns(
    rows: Iterator[tuple[int, list[str]]], source: str, columns: Columns
) -> Iterator[Row]:
    names = None
    if columns.has_header:
        _, names = next(rows, (0, None))
        if names is None:
            raise InputError(f"{source} is empty; its first line should name the columns")
    places = columns.places(names, source)
    least = max(places) + 1
    for number, fields in rows:
        if len(fields) < least:
            raise InputError(
                f"{source} line {number}: {len(fields)} column{'s' * (len(fields) != 1)}, "
                f"but column {least - 1} (counted from 0) is wanted"
            )
        yield _row([fields[place] for place in places])


def _json_text(record: object, column: Column, where: str) -> str:
    if isinstance(column, str) and isinstance(record, dict):
        if column not in record:
            raise InputError(f"{where}: no key {column!r}; it has {name_list(record)}")
        value = record[column]
    elif isinstance(column, int) and isinstance(record, list):
        if column >= len(record):
            raise InputError(f"{where}: {len(record)} values, but value {column} is wanted")
        value = record[column]
    else:
        wanted = "an object" if isinstance(column, str) else "an array"
        raise InputError(f"{where}: expected {wanted} with {column!r}, got {_kind(record)}")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {_kind(value)}, expected a string")
    return value


def _json_fault(error: Exception) -> str:
    # The decoder counts lines from the start of what it was given, which is one line.
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return str(error)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def _row(texts: Sequence[str]) -> Row:
    return (texts[0], texts[1]) if len(texts) == 2 else texts[0]
