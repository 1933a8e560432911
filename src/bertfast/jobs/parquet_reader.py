"""Read rows of Parquet files, a batch of one row group at a time."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from bertfast.errors import InputError
from bertfast.jobs.columns import Column, Columns, name_list
from bertfast.jobs.records import Record, Reject, Row
from bertfast.jobs.streams import import_parquet, import_pyarrow

_BATCH_ROWS = 4096


class ParquetReader:
    """Reads the wanted columns of a Parquet file. See `RecordReader`; offsets are rows."""

    def __init__(self, path: str, columns: Columns) -> None:
        """Open the file and find the columns.

        Raises:
            InputError: not a Parquet file, or it lacks a column, or one cannot be used.
        """
        self.line = self.offset = 0
        self.source = path
        if columns.header is not None:
            raise InputError(f"{path}: a Parquet file has no header line")
        self._pa = import_pyarrow("Parquet")
        self._file = _opened(path, self._pa)
        schema = self._file.schema_arrow
        self._names = [_name(column, schema, path, self._pa) for column in columns.wanted]
        self._second = 0 if columns.pair is None else 1
        for name in self._names[: 1 + self._second]:
            if not _is_text(schema.field(name).type, self._pa):
                kind = schema.field(name).type
                raise InputError(f"{path}: column {name!r} holds {kind}, expected strings")
        self.kept_types = [schema.field(name).type for name in self._names[1 + self._second :]]
        for name, kind in zip(self._names[1 + self._second :], self.kept_types, strict=True):
            if not _can_be_kept(kind, self._pa):
                raise InputError(
                    f"{path}: column {name!r} holds {kind}, which cannot be kept; "
                    f"cast it first (timestamps to microseconds, binary to strings)"
                )

    def start_at(self, line: int, offset: int) -> None:
        """Begin behind what an earlier run has read."""
        self.line = self.offset = offset

    def rows(self) -> Iterator[Row]:
        """Yield the rows from where the reader stands.

        Raises:
            InputError: the file is damaged.
        """
        first = 0
        for group in range(self._file.num_row_groups):
            last = first + self._file.metadata.row_group(group).num_rows
            if last > self.offset:
                yield from self._group(group, skip=max(self.offset - first, 0))
            first = last

    def fraction(self) -> float:
        """Return how much of the file has been read, from 0 to 1."""
        total = self._file.metadata.num_rows
        return min(self.offset / total, 1.0) if total else 1.0

    def _group(self, group: int, skip: int) -> Iterator[Row]:
        batches = self._file.iter_batches(
            _BATCH_ROWS, row_groups=[group], columns=list(dict.fromkeys(self._names))
        )
        while True:
            try:
                batch = next(batches, None)
                values = None if batch is None else self._values(batch.slice(skip))
            except (self._pa.ArrowException, OSError) as error:
                raise InputError(f"{self.source} is damaged: {_first_line(error)}") from None
            except (ValueError, OverflowError) as error:  # a date beyond the year 9999, ...
                raise InputError(
                    f"{self.source}: a value of row group {group} cannot be read, "
                    f"leave its column out or cast it: {_first_line(error)}"
                ) from None
            if batch is None or values is None:
                return
            skip = max(skip - batch.num_rows, 0)
            yield from self._records(values)

    def _values(self, batch: Any) -> list[list[Any]]:
        columns = [batch.column(batch.schema.get_field_index(name)) for name in self._names]
        texts = 1 + self._second
        return [
            *(_bytes(column, self._pa) for column in columns[:texts]),
            *(_kept(column, self._pa) for column in columns[texts:]),
        ]

    def _records(self, values: list[list[Any]]) -> Iterator[Row]:
        texts, *others = values
        pairs = others.pop(0) if self._second else repeat(b"" if self._second else None)
        kept = zip(*others, strict=True) if others else repeat(())
        for text, pair, row in zip(texts, pairs, kept, strict=False):
            self.line += 1
            self.offset += 1
            if text is None or (self._second and pair is None):
                name = self._names[0 if text is None else 1]
                yield Reject(self.line, f"{name!r} is null, expected a string")
            else:
                yield Record(self.line, text, pair, row)


def kept_types(paths: Sequence[str], columns: Columns) -> list[Any]:
    """Return the Arrow types of the kept columns, which are those of the first Parquet file.

    Raises:
        InputError: as `ParquetReader`, or a later file has other types: 3.5 would become 3.
    """
    types = ParquetReader(paths[0], columns).kept_types
    for path in paths[1:]:
        found = ParquetReader(path, columns).kept_types
        for column, kind, first in zip(columns.keep, found, types, strict=True):
            if not _fits(kind, first):
                raise InputError(
                    f"{path}: column {column!r} holds {kind}, but in {paths[0]} it holds {first}; "
                    f"cast one of them, or write to another format than Parquet"
                )
    return types


def _fits(kind: Any, first: Any) -> bool:
    """Return whether all values of one Arrow type can be kept as another one."""
    pa = import_pyarrow("Parquet")
    types = pa.types
    if types.is_dictionary(kind) or types.is_dictionary(first):
        plain = [item.value_type if types.is_dictionary(item) else item for item in (kind, first)]
        return _fits(*plain)
    if kind == first or types.is_null(kind) or (_is_text(kind, pa) and _is_text(first, pa)):
        return True
    both = (types.is_signed_integer, types.is_unsigned_integer, types.is_floating)
    is_alike = any(test(kind) and test(first) for test in both)
    return is_alike and bool(kind.bit_width <= first.bit_width)


def _opened(path: str, pa: Any) -> Any:
    try:
        return import_parquet().ParquetFile(path)
    except FileNotFoundError:
        raise
    except UnicodeEncodeError:
        raise InputError(
            f"{path!r}: pyarrow opens no file whose name is not UTF-8; rename it, or make a link"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a Parquet file: {_first_line(error)}") from None


def _name(column: Column | None, schema: Any, path: str, pa: Any) -> str:
    names: list[str] = schema.names
    if isinstance(column, int):
        if column >= len(names):
            raise InputError(f"{path}: {len(names)} columns, but column {column} is wanted")
        column = names[column]
    if column is None:
        texts = [field.name for field in schema if _is_text(field.type, pa)]
        column = texts[0] if len(texts) == 1 else "text"
    if names.count(column) != 1:
        problem = "no column" if column not in names else "several columns"
        raise InputError(f"{path}: {problem} {column!r}; it has {name_list(names)}")
    return column


def _is_text(kind: Any, pa: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type, pa)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    binary = (pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in (*tests, *binary))


def _can_be_kept(kind: Any, pa: Any) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return _can_be_kept(kind.value_type, pa)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _can_be_kept(kind.value_type, pa)
    if types.is_struct(kind):
        return all(_can_be_kept(field.type, pa) for field in kind)
    if types.is_timestamp(kind):
        return bool(kind.unit != "ns")
    simple = (
        types.is_boolean, types.is_integer, types.is_floating, types.is_string,
        types.is_large_string, types.is_string_view, types.is_date, types.is_decimal,
        types.is_null,
    )  # fmt: skip
    return any(test(kind) for test in simple)


def _bytes(column: Any, pa: Any) -> list[bytes | None]:
    """Return texts as UTF-8; nothing is copied or checked before they become Python objects."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    values: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return values


def _kept(column: Any, pa: Any) -> list[Any]:
    if not _is_text(column.type, pa):
        values: list[Any] = column.to_pylist()
        return values
    return [
        None if value is None else value.decode("utf-8", "ignore") for value in _bytes(column, pa)
    ]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
