"""Processors: the examples and labels of a task, from the files in its folder.

`PROCESSORS` holds them by task name. `DataProcessor` is the base of a processor of one's own,
which is seldom needed: `TsvProcessor` reads any columns and any labels.

Source: google-research/bert run_classifier.py; SST-2 is laid out as GLUE has it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertfast.columns import Column, name_list
from bertfast.errors import InputError
from bertfast.glue.data_processor import DataDir
from bertfast.glue.data_processor import DataProcessor as DataProcessor
from bertfast.glue.examples import InputExample
from bertfast.glue.layout import LAST, Layout
from bertfast.glue.tsv_processor import TsvProcessor as TsvProcessor


class ColaProcessor(DataProcessor):
    r"""CoLA: is a sentence acceptable? "0" no, "1" yes. Only the test set has a header.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "train.tsv").write_text("gj04\t1\t\tThey drank the pub dry.\n")
        >>> ColaProcessor().get_train_examples(folder)
        [InputExample(guid='train-0', text_a='They drank the pub dry.', text_b=None, label='1')]
    """

    _NAME = "CoLA"

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of train.tsv."""
        return self._read(Path(data_dir, "train.tsv"), None, Layout("train", 3, label=1))

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of dev.tsv."""
        return self._read(Path(data_dir, "dev.tsv"), None, Layout("dev", 3, label=1))

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of test.tsv, all labelled "0"."""
        return self._read(Path(data_dir, "test.tsv"), [(1, "sentence")], Layout("test", 1))

    def get_labels(self) -> list[str]:
        """Return "0" and "1"."""
        return ["0", "1"]


class MrpcProcessor(DataProcessor):
    """MRPC: do two sentences say the same? "0" no, "1" yes.

    Example:
        >>> examples = MrpcProcessor().get_dev_examples("glue/MRPC")   # doctest: +SKIP
        >>> len(examples)                                              # doctest: +SKIP
        408
    """

    _NAME = "MRPC"
    _TEXTS = ((3, "#1 String"), (4, "#2 String"))

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of train.tsv."""
        return self._labelled(data_dir, "train")

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of dev.tsv."""
        return self._labelled(data_dir, "dev")

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of test.tsv, all labelled "0"."""
        return self._read(Path(data_dir, "test.tsv"), self._TEXTS, Layout("test", 3, 4))

    def get_labels(self) -> list[str]:
        """Return "0" and "1"."""
        return ["0", "1"]

    def _labelled(self, data_dir: DataDir, split: str) -> list[InputExample]:
        header = ((0, "Quality"), *self._TEXTS)
        return self._read(Path(data_dir, f"{split}.tsv"), header, Layout(split, 3, 4, label=0))


class MnliProcessor(DataProcessor):
    """MNLI, matched: does the first sentence imply the second? The label is the last column.

    Example:
        >>> MnliProcessor().get_labels()
        ['contradiction', 'entailment', 'neutral']
        >>> examples = MnliProcessor().get_dev_examples("glue/MNLI")   # doctest: +SKIP
    """

    _NAME = "MNLI"
    _TEXTS = ((8, "sentence1"), (9, "sentence2"))

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of train.tsv."""
        return self._labelled(Path(data_dir, "train.tsv"), "train")

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of dev_matched.tsv."""
        return self._labelled(Path(data_dir, "dev_matched.tsv"), "dev_matched")

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of test_matched.tsv, all labelled "contradiction"."""
        layout = Layout("test", 8, 9, guid=0)
        return self._read(Path(data_dir, "test_matched.tsv"), self._TEXTS, layout)

    def get_labels(self) -> list[str]:
        """Return "contradiction", "entailment" and "neutral"."""
        return ["contradiction", "entailment", "neutral"]

    def _labelled(self, path: Path, set_type: str) -> list[InputExample]:
        header = (*self._TEXTS, (LAST, "gold_label"))
        return self._read(path, header, Layout(set_type, 8, 9, label=LAST, guid=0))


class XnliProcessor(DataProcessor):
    """XNLI in Chinese: MNLI translated by machine to train on, by people to evaluate on.

    Attributes:
        language: the code of the language, "zh".

    Example:
        >>> XnliProcessor().get_labels()
        ['contradiction', 'entailment', 'neutral']
        >>> examples = XnliProcessor().get_dev_examples("XNLI-1.0")   # doctest: +SKIP
    """

    _NAME = "XNLI"

    def __init__(self) -> None:
        self.language = "zh"

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of multinli/multinli.train.zh.tsv."""
        path = Path(data_dir, "multinli", f"multinli.train.{self.language}.tsv")
        header = ((0, "premise"), (1, "hypo"), (2, "label"))
        return self._read(path, header, Layout("train", 0, 1, label=2, read_label=_xnli_label))

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of xnli.dev.tsv that are in the language."""
        return self._labelled(data_dir, "dev")

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of xnli.test.tsv that are in the language; the original has none."""
        return self._labelled(data_dir, "test")

    def get_labels(self) -> list[str]:
        """Return "contradiction", "entailment" and "neutral"."""
        return ["contradiction", "entailment", "neutral"]

    def _labelled(self, data_dir: DataDir, split: str) -> list[InputExample]:
        header = ((0, "language"), (1, "gold_label"), (6, "sentence1"), (7, "sentence2"))
        layout = Layout(split, 6, 7, label=1, only=(0, self.language))
        return self._read(Path(data_dir, f"xnli.{split}.tsv"), header, layout)


def _xnli_label(field: str) -> str:
    """Return the label that a field of the training set means."""
    return "contradiction" if field == "contradictory" else field


class Sst2Processor(DataProcessor):
    r"""SST-2: is a sentence of a film review "1" positive or "0" negative?

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "train.tsv").write_text("sentence\tlabel\na good film\t1\n")
        >>> Sst2Processor().get_train_examples(folder)
        [InputExample(guid='train-1', text_a='a good film', text_b=None, label='1')]
    """

    _NAME = "SST-2"

    def get_train_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of train.tsv."""
        return self._labelled(data_dir, "train")

    def get_dev_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of dev.tsv."""
        return self._labelled(data_dir, "dev")

    def get_test_examples(self, data_dir: DataDir) -> list[InputExample]:
        """Return the examples of test.tsv, all labelled "0"."""
        return self._read(Path(data_dir, "test.tsv"), [(1, "sentence")], Layout("test", 1))

    def get_labels(self) -> list[str]:
        """Return "0" and "1"."""
        return ["0", "1"]

    def _labelled(self, data_dir: DataDir, split: str) -> list[InputExample]:
        header = ((0, "sentence"), (1, "label"))
        return self._read(Path(data_dir, f"{split}.tsv"), header, Layout(split, 0, label=1))


PROCESSORS: dict[str, type[DataProcessor]] = {
    "cola": ColaProcessor,
    "mnli": MnliProcessor,
    "mrpc": MrpcProcessor,
    "sst-2": Sst2Processor,
    "tsv": TsvProcessor,
    "xnli": XnliProcessor,
}


def make_processor(
    task_name: str,
    data_dir: DataDir | None = None,
    *,
    text_column: Column | None = None,
    text_b_column: Column | None = None,
    label_column: Column | None = None,
    labels: Sequence[str] | None = None,
    header: bool | None = None,
) -> DataProcessor:
    """Return the processor of a task by its name, in any case.

    Args:
        task_name: a name in `PROCESSORS`.
        data_dir: where the task "tsv" finds its labels, in its training set, if they are not
            given.
        text_column: for "tsv" only, as the following; see `TsvProcessor`.
        text_b_column: column of the second texts.
        label_column: column of the labels.
        labels: the labels in the order of their ids.
        header: whether the first line of each file holds names.

    Raises:
        InputError: no such task, an option that it does not have, or labels that cannot be
            found.

    Example:
        >>> make_processor("MRPC").get_labels()
        ['0', '1']
        >>> make_processor("tsv", text_column="text", labels=["bad", "good"]).get_labels()
        ['bad', 'good']
    """
    name = task_name.lower()
    if name not in PROCESSORS:
        raise InputError(f"no task {task_name!r}; there are {name_list(PROCESSORS)}")
    options: dict[str, Any] = {
        "text_column": text_column,
        "text_b_column": text_b_column,
        "label_column": label_column,
        "labels": None if labels is None else tuple(labels),
        "header": header,
    }
    given = {option: value for option, value in options.items() if value is not None}
    if name != "tsv":
        if given:
            raise InputError(f"{next(iter(given))} is for the task 'tsv', not for {task_name!r}")
        return PROCESSORS[name]()
    processor = replace(TsvProcessor(), **given)
    if labels is None and data_dir is not None:
        return replace(processor, labels=tuple(processor.find_labels(data_dir)))
    return processor
