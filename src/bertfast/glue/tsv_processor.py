"""A processor for any tab-separated files: no subclass needed."""

from dataclasses import dataclass
from pathlib import Path

from bertfast.columns import Column
from bertfast.errors import InputError
from bertfast.glue.data_processor import DataDir, DataProcessor
from bertfast.glue.examples import InputExample, label_map
from bertfast.glue.layout import Layout, make_examples
from bertfast.glue.tsv import Table


@dataclass(frozen=True)
class TsvProcessor(DataProcessor):
    r"""Reads any columns and any labels. Quotes are ordinary characters, as in the other tasks.

    Attributes:
        text_column: column of the texts: a name in the header, or a number from 0.
        text_b_column: column of the second texts; None where a text stands alone.
        label_column: column of the labels. The test set needs none.
        labels: the labels in the order of their ids; None: find them with `find_labels`.
        header: whether the first line of each file holds names; None: it does if a column is
            given by name.
        train_file, dev_file, test_file: the files of the splits.

    Raises:
        InputError: a column is neither a name nor a number from 0, a name is given though
            `header` is False, or a label is there twice.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "train.tsv").write_text("text\tlanguage\nguten Tag\tde\n")
        >>> processor = TsvProcessor("text", label_column="language", labels=("de", "en"))
        >>> processor.get_train_examples(folder)
        [InputExample(guid='train-1', text_a='guten Tag', text_b=None, label='de')]
    """

    text_column: Column = 0
    text_b_column: Column | None = None
    label_column: Column = 1
    labels: tuple[str, ...] | None = None
    header: bool | None = None
    train_file: str = "train.tsv"
    dev_file: str = "dev.tsv"
    test_file: str = "test.tsv"

    def __post_init__(self) -> None:
        for column in self._columns:
            if isinstance(column, bool) or not isinstance(column, str | int):
                raise InputError(f"a column is a name or a number from 0, got {column!r}")
            if isinstance(column, int) and column < 0:
                raise InputError(f"columns are numbered from 0, got {column}")
            if isinstance(column, str) and self.header is False:
                raise InputError(f"column {column!r} is a name, but header is False")
        if self.labels is not None:
            label_map(self.labels)

    @property
    def _columns(self) -> list[Column]:
        columns = (self.text_column, self.text_b_column, self.label_column)
        return [column for column in columns if column is not None]

    @property
    def has_header(self) -> bool:
        """Whether the first line of each file holds names."""
        if self.header is not None:
            return self.header
        return any(isinstance(column, str) for column in self._columns)

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of `train_file`."""
        return self._examples(Path(data_dir, self.train_file), "train", labelled=True)

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of `dev_file`."""
        return self._examples(Path(data_dir, self.dev_file), "dev", labelled=True)

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of `test_file`, all with the first label."""
        return self._examples(Path(data_dir, self.test_file), "test", labelled=False)

    def get_labels(self) -> list[str]:
        """Return the labels.

        Raises:
            InputError: `labels` is None.
        """
        if self.labels is None:
            raise InputError("the labels are not given; pass them, or those of find_labels()")
        return list(self.labels)

    def find_labels(self, data_dir: DataDir) -> list[str]:
        """Return the labels of the training set, sorted.

        Raises:
            InputError: the file is missing or wrong, named with the line.
        """
        table = Table.read(Path(data_dir, self.train_file), header=self.has_header)
        column = table.place(self.label_column)
        table.check_width(column + 1)
        return sorted({fields[column] for fields in table.rows})

    def _examples(self, path: Path, set_type: str, *, labelled: bool) -> list[InputExample]:
        labels = self.get_labels()
        table = Table.read(path, header=self.has_header)
        layout = Layout(
            set_type,
            table.place(self.text_column),
            None if self.text_b_column is None else table.place(self.text_b_column),
            label=table.place(self.label_column) if labelled else None,
        )
        return make_examples(table, layout, labels)
