"""From the rows of a file to examples: which columns hold what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bertfast.columns import name_list
from bertfast.errors import InputError
from bertfast.glue.examples import InputExample
from bertfast.glue.tsv import Table

LAST = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one split of a task; a column is a number from 0, or LAST.

    Attributes:
        set_type: the split's name in guids.
        text_a: column of the first text.
        text_b: column of the second text, or None.
        label: column of the label; None: the split has none, and every example gets the first
            label, as in the original.
        guid: column that ends the guid; None: the number of the line, from 0.
        only: a column and the value that it has in the rows to take, or None for all rows.
        read_label: what makes a label of the field.
    """

    set_type: str
    text_a: int
    text_b: int | None = None
    label: int | None = None
    guid: int | None = None
    only: tuple[int, str] | None = None
    read_label: Callable[[str], str] = str

    @property
    def width(self) -> int:
        """The fields that a row has at least."""
        columns = (self.text_a, self.text_b, self.label, self.guid)
        return 1 + max(column for column in columns if column is not None)


def make_examples(table: Table, layout: Layout, labels: Sequence[str]) -> list[InputExample]:
    """Return the examples of a file.

    Raises:
        InputError: a row lacks a column or has an unknown label (named by its line), or there
            is no row to take.
    """
    table.check_width(layout.width)
    known = frozenset(labels)
    first_line = 0 if table.header is None else 1
    examples = []
    for row, fields in enumerate(table.rows):
        if layout.only is not None and fields[layout.only[0]] != layout.only[1]:
            continue
        label = labels[0] if layout.label is None else layout.read_label(fields[layout.label])
        if label not in known:
            raise InputError(
                f"{table.where(row)}: unknown label {label!r}; the labels are {name_list(labels)}"
            )
        ending = row + first_line if layout.guid is None else fields[layout.guid]
        text_b = None if layout.text_b is None else fields[layout.text_b]
        guid = f"{layout.set_type}-{ending}"
        examples.append(InputExample(guid, fields[layout.text_a], text_b, label))
    if not examples:
        column, value = layout.only or (0, "")
        raise InputError(f"{table.source} has no row with {value!r} in column {column} (from 0)")
    return examples
