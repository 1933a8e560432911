"""Which columns hold the text and the second text and which are kept, by name or by number."""

from collections.abc import Sequence
from dataclasses import dataclass

from bertfast.columns import Column as Column
from bertfast.columns import column_place as _place
from bertfast.columns import name_list as name_list
from bertfast.errors import InputError


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read.

    Attributes:
        text: the text's column. None: column 0 of a TSV or CSV file, key "text" of JSON lines,
            column "text" of a Parquet file or its only column of strings.
        pair: the second text's column, or None.
        header: whether the first line of a TSV or CSV file holds names. None: it does if a
            column is given by name.
        keep: columns that are copied to the output, before the prediction.

    Raises:
        InputError: a number is negative, a name is given and `header` is False, or a column
            is kept twice.

    Example:
        >>> Columns("text", keep=("id",)).places(["id", "text"], "reviews.tsv")
        [1, 0]
    """

    text: Column | None = None
    pair: Column | None = None
    header: bool | None = None
    keep: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        for column in self.given:
            if isinstance(column, bool) or not isinstance(column, str | int):
                raise InputError(f"a column is a name or a number from 0, got {column!r}")
            if isinstance(column, int) and column < 0:
                raise InputError(f"columns are numbered from 0, got {column}")
            if isinstance(column, str) and self.header is False:
                raise InputError(
                    f"column {column!r} is a name, but the file is said to have no header; "
                    f"give its number, from 0"
                )
        for column in self.keep:
            if self.keep.count(column) > 1:
                raise InputError(f"column {column!r} is kept twice")

    @property
    def given(self) -> list[Column]:
        """The columns that are not None."""
        return [column for column in (self.text, self.pair, *self.keep) if column is not None]

    @property
    def has_header(self) -> bool:
        """Whether the first line holds names."""
        if self.header is not None:
            return self.header
        return any(isinstance(column, str) for column in self.given)

    @property
    def wanted(self) -> list[Column | None]:
        """The text's column, the second text's if there is one, and those that are kept."""
        pair = [] if self.pair is None else [self.pair]
        return [self.text, *pair, *self.keep]

    def places(self, names: Sequence[str] | None, source: str) -> list[int]:
        """Return the numbers of the columns in `wanted`.

        Args:
            names: the header, or None.
            source: the file's name, for messages.

        Raises:
            InputError: a name is not in the header, or is there twice.
        """
        return [_place(0 if name is None else name, names, source) for name in self.wanted]
