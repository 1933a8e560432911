"""The generic processor: any columns, any labels."""

from pathlib import Path

import pytest

from bertfast.errors import InputError
from bertfast.glue import InputExample, make_processor
from bertfast.glue.processors import TsvProcessor


def write_splits(folder: Path, *lines: str) -> Path:
    for name in ("train", "dev", "test"):
        (folder / f"{name}.tsv").write_text("".join(line + "\n" for line in lines))
    return folder


def test_columns_by_number_need_no_header(tmp_path: Path) -> None:
    write_splits(tmp_path, "guten Tag\tde", 'say "hi\ten')
    processor = TsvProcessor(labels=("en", "de"))
    assert processor.get_train_examples(tmp_path) == [
        InputExample("train-0", "guten Tag", None, "de"),
        InputExample("train-1", 'say "hi', None, "en"),
    ]
    assert [example.guid for example in processor.get_dev_examples(tmp_path)] == ["dev-0", "dev-1"]
    assert [example.label for example in processor.get_test_examples(tmp_path)] == ["en", "en"]
    assert processor.get_labels() == ["en", "de"]


def test_columns_by_name_are_found_in_each_file(tmp_path: Path) -> None:
    write_splits(tmp_path, "id\tverdict\tpremise\tclaim", "7\tyes\tone\ttwo")
    (tmp_path / "test.tsv").write_text("claim\tpremise\ntwo\tone\n")  # no labels, another order
    processor = TsvProcessor("premise", "claim", "verdict", ("no", "yes"))
    assert processor.get_train_examples(tmp_path) == [InputExample("train-1", "one", "two", "yes")]
    assert processor.get_test_examples(tmp_path) == [InputExample("test-1", "one", "two", "no")]


def test_header_can_be_skipped_and_names_mixed_with_numbers(tmp_path: Path) -> None:
    write_splits(tmp_path, "text\tlabel", "a\tx")
    for processor in (
        TsvProcessor(labels=("x",), header=True),
        TsvProcessor("text", label_column=1, labels=("x",)),
    ):
        assert processor.get_train_examples(tmp_path) == [InputExample("train-1", "a", None, "x")]


def test_labels_are_found_in_the_training_set(tmp_path: Path) -> None:
    write_splits(tmp_path, "a\tsv", "b\tda", "c\tsv", "d\tde")
    assert TsvProcessor().find_labels(tmp_path) == ["da", "de", "sv"]
    assert make_processor("tsv", tmp_path).get_labels() == ["da", "de", "sv"]
    given = make_processor("TSV", tmp_path, labels=["sv", "da", "de"], text_column=0)
    assert given.get_labels() == ["sv", "da", "de"]
    with pytest.raises(InputError, match="the labels are not given"):
        make_processor("tsv").get_labels()


def test_other_file_names_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\t1\n")
    processor = TsvProcessor(labels=("1",), train_file="a.tsv", dev_file="a.tsv")
    assert processor.get_train_examples(tmp_path)[0].text_a == "x"
    assert processor.get_dev_examples(tmp_path)[0].guid == "dev-0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text_column": -1}, "columns are numbered from 0, got -1"),
        ({"text_column": True}, "a column is a name or a number from 0, got True"),
        ({"label_column": 1.0}, "a column is a name or a number from 0, got 1.0"),
        ({"text_column": "text", "header": False}, "column 'text' is a name, but header is False"),
        ({"labels": ("a", "b", "a")}, "label 'a' is given twice"),
        ({"labels": ()}, "a task needs labels, got none"),
    ],
)
def test_wrong_options_are_refused_at_once(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TsvProcessor(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("processor", "message"),
    [
        (TsvProcessor("body", labels=("x",)), "no column 'body' in the header: 'text', 'label'"),
        (TsvProcessor("text", label_column="text2", labels=("x",)), "no column 'text2'"),
        (TsvProcessor("text", label_column=2, labels=("x",)), "line 2: 2 columns, but column 2"),
        (TsvProcessor(labels=("x",)), "line 1: unknown label 'label'; the labels are 'x'"),
        (TsvProcessor(labels=("y",), header=True), "line 2: unknown label 'x'; the labels are 'y'"),
    ],
)
def test_wrong_files_are_refused_with_file_and_line(
    tmp_path: Path, processor: TsvProcessor, message: str
) -> None:
    write_splits(tmp_path, "text\tlabel", "a\tx")
    with pytest.raises(InputError, match=message) as error:
        processor.get_dev_examples(tmp_path)
    assert str(tmp_path / "dev.tsv") in str(error.value)


def test_a_column_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_splits(tmp_path, "text\ttext", "a\tx")
    with pytest.raises(InputError, match="2 columns are named 'text'"):
        TsvProcessor(label_column="text").find_labels(tmp_path)
