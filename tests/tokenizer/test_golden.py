"""What Google's own code answered, for its four vocabularies."""

import gzip
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import reference
from tests.conftest import TokenizerFactory

pytestmark = pytest.mark.shared

LOWER_CASE = {
    "bert-base-uncased": True,
    "bert-base-cased": False,
    "bert-base-multilingual-cased": False,
    "bert-base-chinese": True,
}
FEATURE_VOCABS = ("bert-base-uncased", "bert-base-cased", "bert-base-chinese")


@cache
def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def golden_texts(shared_data: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the header and the texts that this interpreter's Unicode version can judge."""
    header, *rows = read_lines(shared_data / "golden" / "tokenize.jsonl.gz")
    if unicodedata.unidata_version != header["unicode_version"]:
        rows = [row for row in rows if _is_settled(row["text"])]
    return header, rows


def _is_settled(text: str) -> bool:
    """Tell whether no character is from a Unicode version later than this suite's oldest, 13.0.

    Later ones were unassigned there; 3.2's table, which every Python has, knows fewer still.
    """
    return all(unicodedata.ucd_3_2_0.category(char) != "Cn" for char in text)


@pytest.mark.parametrize("name", LOWER_CASE)
def test_ids_equal_the_original(
    make_tokenizer: TokenizerFactory,
    shared_data: Path,
    shared_vocab: Callable[[str], Path],
    name: str,
) -> None:
    header, rows = golden_texts(shared_data)
    assert header["do_lower_case"][name] == LOWER_CASE[name]
    assert len(rows) > 2000
    tokenizer = make_tokenizer(shared_vocab(name), do_lower_case=LOWER_CASE[name])
    ids, offsets = tokenizer.encode_ragged([row["text"] for row in rows], add_special_tokens=False)
    wrong = [
        row["text"]
        for row, found in zip(rows, np.split(ids, offsets[1:-1]), strict=True)
        if found.tolist() != row["ids"][name]
    ]
    assert wrong == []


@pytest.mark.parametrize("name", LOWER_CASE)
def test_reference_module_equals_the_original(
    shared_data: Path, shared_vocab: Callable[[str], Path], name: str
) -> None:
    _, rows = golden_texts(shared_data)
    tokenizer = reference.FullTokenizer(shared_vocab(name), do_lower_case=LOWER_CASE[name])
    for row in rows:
        ids = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(row["text"]))
        assert ids == row["ids"][name]


def _groups(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Group examples that one call can encode: same length, all pairs or all single."""
    groups: dict[tuple[int, bool], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["max_seq_length"], row["text_b"] is None].append(row)
    yield from groups.values()


@pytest.mark.parametrize("name", FEATURE_VOCABS)
def test_features_equal_the_original(
    make_tokenizer: TokenizerFactory,
    shared_data: Path,
    shared_vocab: Callable[[str], Path],
    name: str,
) -> None:
    every = read_lines(shared_data / "golden" / "features.jsonl.gz")
    rows = [row for row in every if row["vocab"] == name]
    tokenizer = make_tokenizer(shared_vocab(name), do_lower_case=LOWER_CASE[name])
    checked = 0
    for group in _groups(rows):
        seconds = None if group[0]["text_b"] is None else [row["text_b"] for row in group]
        encoding = tokenizer(
            [row["text_a"] for row in group],
            seconds,
            max_length=group[0]["max_seq_length"],
            padding="max_length",
        )
        for key in ("input_ids", "input_mask", "segment_ids"):
            assert encoding[key].tolist() == [row[key] for row in group]
        checked += len(group)
    assert checked == len(rows) > 0


@pytest.mark.parametrize("name", FEATURE_VOCABS)
def test_features_equal_the_original_one_by_one(
    make_tokenizer: TokenizerFactory,
    shared_data: Path,
    shared_vocab: Callable[[str], Path],
    name: str,
) -> None:
    every = read_lines(shared_data / "golden" / "features.jsonl.gz")
    rows = [row for row in every if row["vocab"] == name]
    tokenizer = make_tokenizer(shared_vocab(name), do_lower_case=LOWER_CASE[name])
    for row in rows[::5]:
        ids = tokenizer.encode(row["text_a"], row["text_b"], max_length=row["max_seq_length"])
        padding = [0] * (row["max_seq_length"] - len(ids))
        assert ids + padding == row["input_ids"]
