from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer
from bertfast.runtime.feeds import batch_feeds

# The last line wins, so [SEP] has id 0, which is also the padding id.
SEP_FIRST = ["[SEP]", "[UNK]", "[CLS]", "[", "]", "sep", "a", "b", "##b", "c"]
PAD_FIRST = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[", "]", "sep", "a", "b", "##b", "c"]
texts = st.lists(st.sampled_from(["a", "b", "ab", "[SEP]", " ", "c c", "zz", "[ SEP ]"])).map(
    " ".join
)
rows_of_pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=12)
max_lengths = st.none() | st.integers(3, 12)


def assert_equals_tokenizer(
    tokenizer: Tokenizer, first: list[str], second: list[str] | None, max_length: int | None
) -> None:
    expected = tokenizer(first, second, max_length=max_length)
    ids, offsets = tokenizer.encode_ragged(first, second, max_length=max_length)
    rows = np.arange(len(first))[::-1].copy()
    sep_id = tokenizer.vocab["[SEP]"]
    feeds = batch_feeds(ids, offsets, rows, sep_id=sep_id)
    for name in ("input_ids", "input_mask", "segment_ids"):
        assert feeds[name].dtype == np.int32
        assert np.array_equal(feeds[name], expected[name][rows]), name


@given(rows_of_pairs, max_lengths)
def test_feeds_of_pairs_equal_the_tokenizers_own(
    rows: list[tuple[str, str]], max_length: int | None
) -> None:
    first, second = [list(side) for side in zip(*rows, strict=True)]
    assert_equals_tokenizer(Tokenizer(PAD_FIRST), first, second, max_length)


@given(st.lists(texts, min_size=1, max_size=12), max_lengths)
def test_feeds_of_single_texts_equal_the_tokenizers_own(
    rows: list[str], max_length: int | None
) -> None:
    assert_equals_tokenizer(Tokenizer(PAD_FIRST), rows, None, max_length)


def test_feeds_sep_with_id_zero_is_not_taken_for_padding() -> None:
    tokenizer = Tokenizer(SEP_FIRST)
    first, second = ["a", "a a a", "b"], ["b", "", "c c"]
    assert_equals_tokenizer(tokenizer, first, second, None)


def test_feeds_are_padded_to_the_longest_row_of_the_batch_only() -> None:
    ids = np.array([2, 3, 2, 8, 3, 2, 8, 8, 8, 8, 3], np.int32)
    offsets = np.array([0, 2, 5, 11])
    feeds = batch_feeds(ids, offsets, np.array([1, 0]), sep_id=3)
    assert feeds["input_ids"].tolist() == [[2, 8, 3], [2, 3, 0]]
    assert feeds["input_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert feeds["segment_ids"].tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.shared
@pytest.mark.parametrize("max_length", [8, 64, None])
def test_feeds_of_real_pairs_equal_the_tokenizers_own(
    shared_data: Path, shared_vocab: Callable[[str], Path], max_length: int | None
) -> None:
    lines = (shared_data / "glue" / "MRPC" / "dev.tsv").read_text("utf-8").splitlines()[1:]
    columns = [line.split("\t") for line in lines]
    first, second = [row[3] for row in columns], [row[4] for row in columns]
    tokenizer = Tokenizer(shared_vocab("bert-base-uncased"))
    assert_equals_tokenizer(tokenizer, first, second, max_length)
