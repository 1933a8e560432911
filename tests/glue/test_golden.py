"""What Google's own processors and `convert_single_example` gave for the real task files."""

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bertfast import Tokenizer
from bertfast.glue import InputExample
from bertfast.glue.features import convert_examples, convert_single_example
from bertfast.glue.processors import make_processor
from bertfast.tokenization import FullTokenizer

pytestmark = pytest.mark.shared

FOLDERS = {"mrpc": "MRPC", "cola": "CoLA", "mnli": "MNLI", "xnli": "XNLI"}
SPLITS = [(task, split) for task in FOLDERS for split in ("train", "dev", "test")]
SPLITS.remove(("xnli", "test"))  # the original has none


@cache
def golden_rows(path: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            rows[row["task"], row["split"]].append(row)
    return rows


@cache
def read_examples(shared_data: Path, task: str, split: str) -> list[InputExample]:
    processor = make_processor(task)
    examples: list[InputExample] = getattr(processor, f"get_{split}_examples")(
        shared_data / "glue" / FOLDERS[task]
    )
    return examples


def rows_of(shared_data: Path, task: str, split: str) -> list[dict[str, Any]]:
    every = golden_rows(shared_data / "golden" / "features.jsonl.gz")
    assert set(every) == set(SPLITS)
    return every[task, split]


def by_length(rows: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for max_seq_length in (3, 16, 64, 128):
        found = [row for row in rows if row["max_seq_length"] == max_seq_length]
        assert len(found) == 60
        yield max_seq_length, found


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_processor_gives_the_examples_of_the_original(
    shared_data: Path, task: str, split: str
) -> None:
    examples = read_examples(shared_data, task, split)
    for _, rows in by_length(rows_of(shared_data, task, split)):
        assert len(examples) == rows[0]["examples_in_split"]
        expected = [InputExample(*(row[k] for k in InputExample.__slots__)) for row in rows]
        assert examples[:60] == expected


def test_sst2_has_the_official_number_of_examples(shared_data: Path) -> None:
    processor, folder = make_processor("sst-2"), shared_data / "glue" / "SST-2"
    assert len(processor.get_train_examples(folder)) == 67349
    assert len(processor.get_dev_examples(folder)) == 872
    assert len(processor.get_test_examples(folder)) == 1821


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_features_of_a_batch_are_those_of_the_original(
    shared_data: Path, shared_vocab: Callable[[str], Path], task: str, split: str
) -> None:
    labels = make_processor(task).get_labels()
    examples = read_examples(shared_data, task, split)[:60]
    for max_seq_length, rows in by_length(rows_of(shared_data, task, split)):
        vocab = rows[0]["vocab"]
        tokenizer = Tokenizer(shared_vocab(vocab), do_lower_case=vocab != "bert-base-cased")
        features = convert_examples(examples, labels, max_seq_length, tokenizer)
        for name in ("input_ids", "input_mask", "segment_ids"):
            assert getattr(features, name).tolist() == [row[name] for row in rows]
        assert features.label_ids.tolist() == [row["label_id"] for row in rows]
        assert features.is_real_example.all()


@pytest.mark.parametrize("make", [Tokenizer, FullTokenizer])
@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_features_of_one_example_are_those_of_the_original(
    shared_data: Path,
    shared_vocab: Callable[[str], Path],
    task: str,
    split: str,
    make: type[Tokenizer] | type[FullTokenizer],
) -> None:
    labels = make_processor(task).get_labels()
    examples = read_examples(shared_data, task, split)
    rows = rows_of(shared_data, task, split)
    vocab = rows[0]["vocab"]
    tokenizer = make(shared_vocab(vocab), do_lower_case=vocab != "bert-base-cased")
    for max_seq_length, group in by_length(rows):
        for index, row in enumerate(group):
            features = convert_single_example(
                index, examples[index], labels, max_seq_length, tokenizer
            )
            for name in ("input_ids", "input_mask", "segment_ids", "label_id"):
                assert getattr(features, name) == row[name]
