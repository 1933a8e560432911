"""Which lines and columns of its files each task takes, and what it refuses."""

from pathlib import Path

import pytest

from bertfast.errors import InputError
from bertfast.glue import PROCESSORS, DataProcessor, InputExample, make_processor
from bertfast.glue.processors import MnliProcessor, XnliProcessor

MNLI_HEADER = "index promptID pairID genre p1 p2 t1 t2 sentence1 sentence2".replace(" ", "\t")
MRPC_HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
XNLI_HEADER = "language\tgold_label\tp1\tp2\tt1\tt2\tsentence1\tsentence2"


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path.parent


def test_cola_has_a_header_in_the_test_set_alone(tmp_path: Path) -> None:
    processor = PROCESSORS["cola"]()
    for name, split in (("train", "get_train_examples"), ("dev", "get_dev_examples")):
        write(tmp_path / f"{name}.tsv", 'gj04\t1\t\tHe said "hi.', "gj04\t0\t*\tHim said.")
        assert getattr(processor, split)(tmp_path) == [
            InputExample(f"{name}-0", 'He said "hi.', None, "1"),
            InputExample(f"{name}-1", "Him said.", None, "0"),
        ]
    write(tmp_path / "test.tsv", "index\tsentence", "0\tA text.", "1\tAnother.")
    assert processor.get_test_examples(tmp_path) == [
        InputExample("test-1", "A text.", None, "0"),
        InputExample("test-2", "Another.", None, "0"),
    ]
    assert processor.get_labels() == ["0", "1"]


def test_mrpc_skips_the_header_and_labels_its_test_set_0(tmp_path: Path) -> None:
    processor = PROCESSORS["mrpc"]()
    for name, split in (("train", "get_train_examples"), ("dev", "get_dev_examples")):
        write(tmp_path / f"{name}.tsv", "\ufeff" + MRPC_HEADER, "1\t7\t8\ta b\tc d")
        assert getattr(processor, split)(tmp_path) == [InputExample(f"{name}-1", "a b", "c d", "1")]
    write(tmp_path / "test.tsv", MRPC_HEADER.replace("Quality", "index"), "0\t7\t8\ta b\tc d")
    assert processor.get_test_examples(tmp_path) == [InputExample("test-1", "a b", "c d", "0")]
    assert processor.get_labels() == ["0", "1"]


def test_mnli_takes_its_guid_from_the_file_and_its_label_from_the_last_column(
    tmp_path: Path,
) -> None:
    processor = PROCESSORS["mnli"]()
    row = "31\t1\t2\tfiction\t\t\t\t\tone\ttwo"
    write(tmp_path / "train.tsv", f"{MNLI_HEADER}\tlabel1\tgold_label", f"{row}\tneutral\tneutral")
    write(
        tmp_path / "dev_matched.tsv",
        f"{MNLI_HEADER}\tlabel1\tlabel2\tgold_label",
        f"{row}\tneutral\tentailment\tentailment",
    )
    write(tmp_path / "test_matched.tsv", MNLI_HEADER, row)
    assert processor.get_train_examples(tmp_path) == [
        InputExample("train-31", "one", "two", "neutral")
    ]
    assert processor.get_dev_examples(tmp_path) == [
        InputExample("dev_matched-31", "one", "two", "entailment")
    ]
    assert processor.get_test_examples(tmp_path) == [
        InputExample("test-31", "one", "two", "contradiction")
    ]
    assert processor.get_labels() == ["contradiction", "entailment", "neutral"]


def test_xnli_takes_chinese_and_reads_contradictory_as_contradiction(tmp_path: Path) -> None:
    processor = PROCESSORS["xnli"]()
    write(
        tmp_path / "multinli" / "multinli.train.zh.tsv",
        "premise\thypo\tlabel",
        "一\t二\tcontradictory",
        "三\t四\tneutral",
    )
    for name in ("dev", "test"):
        write(
            tmp_path / f"xnli.{name}.tsv",
            XNLI_HEADER,
            "de\tgarbage\t\t\t\t\teins\tzwei",
            "zh\tentailment\t\t\t\t\t一\t二",
        )
    assert processor.get_train_examples(tmp_path) == [
        InputExample("train-1", "一", "二", "contradiction"),
        InputExample("train-2", "三", "四", "neutral"),
    ]
    # The number of the line, other languages included.
    assert processor.get_dev_examples(tmp_path) == [InputExample("dev-2", "一", "二", "entailment")]
    assert processor.get_test_examples(tmp_path) == [
        InputExample("test-2", "一", "二", "entailment")
    ]
    assert processor.get_labels() == ["contradiction", "entailment", "neutral"]


def test_xnli_takes_another_language_that_is_set(tmp_path: Path) -> None:
    processor = XnliProcessor()
    processor.language = "de"
    write(tmp_path / "xnli.dev.tsv", XNLI_HEADER, "de\tneutral\t\t\t\t\teins\tzwei")
    assert [example.text_a for example in processor.get_dev_examples(tmp_path)] == ["eins"]
    processor.language = "fr"
    with pytest.raises(InputError, match=r"xnli\.dev\.tsv has no row with 'fr' in column 0"):
        processor.get_dev_examples(tmp_path)


def test_sst2_reads_glues_layout(tmp_path: Path) -> None:
    processor = PROCESSORS["sst-2"]()
    for name in ("train", "dev"):
        write(tmp_path / f"{name}.tsv", "sentence\tlabel", "a fine film \t1")
    write(tmp_path / "test.tsv", "index\tsentence", "0\tdull")
    assert processor.get_train_examples(tmp_path) == [
        InputExample("train-1", "a fine film ", None, "1")
    ]
    assert processor.get_dev_examples(tmp_path) == [
        InputExample("dev-1", "a fine film ", None, "1")
    ]
    assert processor.get_test_examples(tmp_path) == [InputExample("test-1", "dull", None, "0")]
    assert processor.get_labels() == ["0", "1"]


def test_line_ends_and_blank_lines_at_the_end_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", "sentence\tlabel", "a\t1", "b\t0", "", "", end="\r\n")
    assert PROCESSORS["sst-2"]().get_train_examples(tmp_path) == [
        InputExample("train-1", "a", None, "1"),
        InputExample("train-2", "b", None, "0"),
    ]
    (tmp_path / "train.tsv").write_bytes(b"sentence\tlabel\na\x0b\xe2\x80\xa8b\t1")
    (example,) = PROCESSORS["sst-2"]().get_train_examples(tmp_path)
    assert example.text_a == "a\x0b\u2028b"


@pytest.mark.parametrize(
    ("task", "lines", "message"),
    [
        ("mrpc", (), "train.tsv is empty"),
        ("mrpc", (MRPC_HEADER,), "train.tsv has no examples, only a header"),
        ("mrpc", ("sentence\tlabel", "a\t1"), "line 1: not the header of MRPC: column 0"),
        ("mrpc", ("Quality\tid\tid\ts1\ts2",), "no examples"),
        ("mrpc", ("Quality\tid\tid\ts1\ts2", "1\t2\t3\ta\tb"), "column 3 .from 0. should be '#1 S"),
        ("mrpc", (MRPC_HEADER, "1\t7\t8\ta"), "line 2: 4 columns, but column 4 .from 0. is wanted"),
        ("mrpc", (MRPC_HEADER, "1\t7\t8\ta\tb", "", "0\t7\t8\ta\tb"), "line 3: 0 columns"),
        ("mrpc", (MRPC_HEADER, "2\t7\t8\ta\tb"), "line 2: unknown label '2'; the labels are '0'"),
        ("cola", ("a\tlabel\tb\tsentence", "gj04\t1\t\tA."), "line 1: unknown label 'label'"),
        ("cola", ("gj04\t1\t\tA.", "gj04\t1"), "line 2: 2 columns, but column 3"),
        (
            "sst-2",
            ("text\tlabel", "a\t1"),
            "column 0 .from 0. should be 'sentence'; got 'text', 'l",
        ),
        ("mnli", (MNLI_HEADER, "1"), "the last column should be 'gold_label'; got 'index'"),
        (
            "mnli",
            (f"{MNLI_HEADER}\tgold_label", "31\t1\t2\tfiction\t\t\t\t\tone\ttwo\t-"),
            "line 2: unknown label '-'",
        ),
    ],
)
def test_wrong_files_are_refused_with_file_and_line(
    tmp_path: Path, task: str, lines: tuple[str, ...], message: str
) -> None:
    write(tmp_path / "train.tsv", *lines)
    with pytest.raises(InputError, match=message) as error:
        PROCESSORS[task]().get_train_examples(tmp_path)
    assert str(tmp_path / "train.tsv") in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(b"sentence\tlabel\ncaf\xc3\xa9\t1\ncaf\xe9\t1\n")
    with pytest.raises(InputError, match=r"train\.tsv line 3: not UTF-8 \(.* at byte 3\)"):
        PROCESSORS["sst-2"]().get_train_examples(tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read '.*dev\.tsv': No such file"):
        PROCESSORS["cola"]().get_dev_examples(tmp_path)
    with pytest.raises(InputError, match=r"multinli\.train\.zh\.tsv"):
        PROCESSORS["xnli"]().get_train_examples(tmp_path)


def test_task_names_are_read_in_any_case() -> None:
    assert isinstance(make_processor("MNLI"), MnliProcessor)
    with pytest.raises(InputError, match="no task 'squad'; there are 'cola', 'mnli', 'mrpc'"):
        make_processor("squad")
    with pytest.raises(InputError, match="labels is for the task 'tsv', not for 'cola'"):
        make_processor("cola", labels=["0", "1"])


def test_a_processor_of_ones_own_reads_fields_as_in_the_original(tmp_path: Path) -> None:
    class Own(DataProcessor):
        def get_train_examples(self, data_dir: str | Path) -> list[InputExample]:  # type: ignore[override]
            rows = self._read_tsv(Path(data_dir, "train.tsv"), quotechar='"')
            return [InputExample(f"own-{i}", row[0]) for i, row in enumerate(rows)]

    write(tmp_path / "train.tsv", '"a\tb"\t1', "c\t2")
    assert [example.text_a for example in Own().get_train_examples(tmp_path)] == ["a\tb", "c"]
    assert Own._read_tsv(tmp_path / "train.tsv") == [['"a', 'b"', "1"], ["c", "2"]]
    with pytest.raises(NotImplementedError):
        Own().get_labels()
