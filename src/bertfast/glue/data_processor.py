"""The base of the processors."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from bertfast.glue.examples import InputExample
from bertfast.glue.layout import Layout, make_examples
from bertfast.glue.tsv import Table, read_tsv

DataDir = str | PathLike[str]
Header = Sequence[tuple[int, str]]


class DataProcessor:
    """Base of the processors: the examples of each split, and the labels.

    Source: google-research/bert run_classifier.py, DataProcessor.

    Example:
        >>> class Reviews(DataProcessor):
        ...     def get_train_examples(self, data_dir):
        ...         return [InputExample("train-0", "a good film", label="good")]
        ...     def get_labels(self):
        ...         return ["bad", "good"]
        >>> Reviews().get_train_examples("reviews")[0].label
        'good'
    """

    _NAME = "this task"  # for messages

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples to train on.

        Raises:
            InputError: a file is missing or wrong, named with the line.
        """
        raise NotImplementedError

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples to evaluate on; errors as `get_train_examples`."""
        raise NotImplementedError

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples to predict; errors as `get_train_examples`."""
        raise NotImplementedError

    def get_labels(self) -> list[str]:
        """Return the labels, in the order of their ids."""
        raise NotImplementedError

    @classmethod
    def _read_tsv(cls, input_file: DataDir, quotechar: str | None = None) -> list[list[str]]:
        """Return the fields of each line; see `bertfast.glue.tsv.read_tsv`."""
        return read_tsv(input_file, quotechar)

    def _read(self, path: Path, header: Header | None, layout: Layout) -> list[InputExample]:
        """Return the examples of a file whose header, if it should have one, has these names."""
        table = Table.read(path, header=header is not None)
        if header is not None:
            table.check_header(header, self._NAME)
        return make_examples(table, layout, self.get_labels())
