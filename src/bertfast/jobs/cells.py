"""Turn the kept values of a row into what stands before its prediction in the output.

Done as rows are read, so that a value which the output cannot hold rejects its row before
anything is predicted.
"""

import json
import math
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from bertfast.errors import InputError
from bertfast.jobs.records import RowError

Cells: TypeAlias = str | tuple[object, ...]
CellFormatter: TypeAlias = Callable[[tuple[object, ...]], Cells]


def cell_formatter(file_format: str, names: Sequence[str], *, typed: bool) -> CellFormatter:
    """Return the function that prepares kept values for an output format.

    Args:
        file_format: of the output.
        names: of the kept columns; empty if none are kept.
        typed: whether the values have Arrow types, which a Parquet output keeps.

    Raises:
        InputError: the format has no place for kept columns.
    """
    if not names:
        return lambda values: ""
    if file_format == "jsonl":
        keys = [f"{json.dumps(name, ensure_ascii=False)}: " for name in names]
        return lambda values: _json_members(keys, values)
    if file_format == "csv":
        return lambda values: "".join([f"{csv_cell(_plain(value))}," for value in values])
    if file_format == "tsv":
        return lambda values: _tsv_cells(names, values)
    if file_format == "parquet":
        return (lambda values: values) if typed else _strings
    raise InputError(f"{file_format} has no place for kept columns; use tsv, csv, jsonl or parquet")


def csv_cell(text: str) -> str:
    """Return a CSV field, quoted if it has to be.

    >>> csv_cell("a, b"), csv_cell("a b")
    ('"a, b"', 'a b')
    """
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _json_members(keys: list[str], values: tuple[object, ...]) -> str:
    members = [f"{key}{_json(value)}, " for key, value in zip(keys, values, strict=True)]
    return "".join(members)


def _json(value: object) -> str:
    """Return JSON. A lone surrogate, which UTF-8 cannot hold, is escaped as it came.

    Raises:
        RowError: JSON cannot hold the value.
    """
    try:
        return _encoded(value)
    except RecursionError:  # json reads deeper than `_without_nan` goes
        raise RowError("a kept value is nested too deep") from None


def _encoded(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_default)
    except ValueError:  # NaN or infinity: JSON has neither
        text = json.dumps(_without_nan(value), ensure_ascii=False, default=_json_default)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(_without_nan(value), default=_json_default)
    return text


def _json_default(value: object) -> object:
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise RowError(f"a value of type {type(value).__name__} cannot be kept as JSON")


def _without_nan(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value


def _plain(value: object) -> str:
    """Return a value as text: null is empty, arrays and objects are JSON."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RowError("a kept value holds a lone surrogate, which is no text") from None
        return value
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else _json(value)


def _tsv_cells(names: Sequence[str], values: tuple[object, ...]) -> str:
    cells = [_plain(value) for value in values]
    for name, cell in zip(names, cells, strict=True):
        if "\t" in cell or "\n" in cell or "\r" in cell:
            raise RowError(f"column {name!r} holds a tab or a line end, which TSV cannot hold")
    return "".join([f"{cell}\t" for cell in cells])


def _strings(values: tuple[object, ...]) -> tuple[object, ...]:
    return tuple([None if value is None else _plain(value) for value in values])
