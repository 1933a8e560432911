"""Columns of a table, by name or by number from 0."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from bertfast.errors import InputError

# A name, or a number from 0.
Column: TypeAlias = str | int

_MAX_NAME = 60  # characters of a name in a message


def column_place(column: Column, names: Sequence[str] | None, source: str) -> int:
    """Return the number of a column.

    Args:
        column: a name, or the number itself.
        names: the header, or None.
        source: the file's name, for messages.

    Raises:
        InputError: a name is not in the header, or is there twice.

    Example:
        >>> column_place("label", ["text", "label"], "train.tsv")
        1
    """
    if isinstance(column, int):
        return column
    names = [] if names is None else names
    places = [place for place, name in enumerate(names) if name == column]
    if not places:
        raise InputError(f"{source}: no column {column!r} in the header: {name_list(names)}")
    if len(places) > 1:
        raise InputError(
            f"{source}: {len(places)} columns are named {column!r} (numbers "
            f"{', '.join(map(str, places))}); give a number"
        )
    return places[0]


def name_list(names: Iterable[str], most: int = 12) -> str:
    """Show names in an error message, long ones by their beginning.

    >>> name_list(["id", "text"]), name_list("abc", most=2)
    ("'id', 'text'", "'a', 'b', ...")
    >>> len(name_list(["x" * 1_000_000])) < 100
    True
    """
    shown = [repr(name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}...") for name in names]
    return ", ".join(shown if len(shown) <= most else [*shown[:most], "..."])
