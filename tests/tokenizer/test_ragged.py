"""encode_ragged: one flat array of ids, and where each row starts."""

import collections
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer
from tests.tokenizer.original import prepare_row
from tests.tokenizer.vocabulary import small_vocab

VOCAB = {token: index for index, token in enumerate(small_vocab())}
SPECIALS = (VOCAB["[CLS]"], VOCAB["[SEP]"])
TEXTS: list[str | bytes] = [
    "Hello world",
    "",
    "unaffable",
    " \u200b ",
    "大学 café!",
    b"the \xffworld",
    "x" * 300,
    "a",
]


def rows_of(ragged: tuple[Any, Any]) -> list[list[int]]:
    ids, offsets = ragged
    return [ids[offsets[i] : offsets[i + 1]].tolist() for i in range(len(offsets) - 1)]


@pytest.mark.parametrize("special", [True, False])
def test_rows_equal_single_texts(tokenizer: Tokenizer, special: bool) -> None:
    ragged = tokenizer.encode_ragged(TEXTS, add_special_tokens=special)
    assert rows_of(ragged) == [tokenizer.encode(t, add_special_tokens=special) for t in TEXTS]


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("max_length", [None, 2, 7, 10_000])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_rows_made_in_place_equal_rows_put_together(
    tokenizer: Tokenizer, special: bool, max_length: int | None, num_threads: int
) -> None:
    # Rows are put together from a plan where it is asked what was left out of them.
    texts = [text * n for n in range(40) for text in ("hello unaffable ", "", "!", "\u5927 x")]
    given = tokenizer.encode_ragged(
        texts, add_special_tokens=special, max_length=max_length, num_threads=num_threads
    )
    expected = tokenizer.encode_ragged(
        texts, add_special_tokens=special, max_length=max_length or 10_000, return_truncated=True
    )
    np.testing.assert_array_equal(given[0], expected[0])
    np.testing.assert_array_equal(given[1], expected[1])


@pytest.mark.parametrize("texts", [TEXTS, [], ["", ""], ["hello"]])
@pytest.mark.parametrize("special", [True, False])
def test_arrays_have_their_types_and_sizes(
    tokenizer: Tokenizer, texts: list[str | bytes], special: bool
) -> None:
    ids, offsets = tokenizer.encode_ragged(texts, add_special_tokens=special)
    assert ids.dtype == np.int32
    assert ids.ndim == 1
    assert offsets.dtype == np.int64
    assert offsets.shape == (len(texts) + 1,)
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    assert ids.flags.c_contiguous
    assert ids.flags.writeable
    assert offsets.flags.writeable


@pytest.mark.parametrize(
    "wrap",
    [
        tuple,
        iter,
        lambda texts: (text for text in texts),
        lambda texts: np.array(texts, object),
        dict.fromkeys,
        collections.deque,
    ],
    ids=["tuple", "iterator", "generator", "object-array", "dict", "deque"],
)
def test_any_iterable_of_texts_is_taken(
    tokenizer: Tokenizer, wrap: Callable[[list[str | bytes]], Iterable[str | bytes]]
) -> None:
    expected = rows_of(tokenizer.encode_ragged(TEXTS))
    assert rows_of(tokenizer.encode_ragged(wrap(TEXTS))) == expected


def test_numpy_string_arrays_are_taken(tokenizer: Tokenizer) -> None:
    expected = rows_of(tokenizer.encode_ragged(["hello", "world a"]))
    assert rows_of(tokenizer.encode_ragged(np.array(["hello", "world a"]))) == expected
    assert rows_of(tokenizer.encode_ragged(np.array([b"hello", b"world a"]))) == expected


def test_error_in_a_generator_reaches_the_caller(tokenizer: Tokenizer) -> None:
    class BrokenSourceError(TypeError):
        pass

    def texts() -> Iterable[str]:
        yield "hello"
        raise BrokenSourceError

    with pytest.raises(BrokenSourceError):
        tokenizer.encode_ragged(texts())


@pytest.mark.parametrize("max_length", [*range(2, 12), 128])
def test_max_length_truncates_rows(tokenizer: Tokenizer, max_length: int) -> None:
    full = rows_of(tokenizer.encode_ragged(TEXTS, add_special_tokens=False))
    expected = [prepare_row(row, [], max_length, SPECIALS).input_ids for row in full]
    assert rows_of(tokenizer.encode_ragged(TEXTS, max_length=max_length)) == expected
    without = tokenizer.encode_ragged(TEXTS, max_length=max_length, add_special_tokens=False)
    assert rows_of(without) == [row[:max_length] for row in full]


@pytest.mark.parametrize("max_length", [None, *range(3, 12), 128])
@pytest.mark.parametrize("special", [True, False])
def test_pairs_follow_the_original(
    tokenizer: Tokenizer, max_length: int | None, special: bool
) -> None:
    firsts = [first for first in TEXTS for _ in TEXTS]
    seconds = [second for _ in TEXTS for second in TEXTS]
    specials = SPECIALS if special else None
    expected = [
        prepare_row(
            tokenizer.encode(first, add_special_tokens=False),
            tokenizer.encode(second, add_special_tokens=False),
            max_length,
            specials,
        ).input_ids
        for first, second in zip(firsts, seconds, strict=True)
    ]
    ragged = tokenizer.encode_ragged(
        firsts, seconds, max_length=max_length, add_special_tokens=special
    )
    assert rows_of(ragged) == expected


def test_large_batch_equals_small_ones(tokenizer: Tokenizer) -> None:
    texts = [f"{text!s} {n}" for n in range(300) for text in TEXTS]
    whole = rows_of(tokenizer.encode_ragged(texts))
    parts = [rows_of(tokenizer.encode_ragged(texts[i : i + 7])) for i in range(0, len(texts), 7)]
    assert whole == [row for part in parts for row in part]


@given(texts=st.lists(st.text(max_size=30) | st.binary(max_size=30), max_size=8))
def test_batch_of_any_texts_equals_single_ones(
    tokenizer: Tokenizer, texts: list[str | bytes]
) -> None:
    ragged = tokenizer.encode_ragged(texts)
    assert rows_of(ragged) == [tokenizer.encode(text) for text in texts]


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("max_length", [None, 3, 4, 5, 9, 40])
def test_truncated_rows_are_those_that_room_makes_longer(
    tokenizer: Tokenizer, max_length: int | None, special: bool
) -> None:
    counts = range(9)
    texts = [" ".join("a" * n) for n in counts for _ in counts]
    pairs = [" ".join("b" * n) for _ in counts for n in counts]
    for second in (None, pairs):

        def encode(length: int | None, pairs: list[str] | None = second) -> tuple[Any, Any, Any]:
            return tokenizer.encode_ragged(
                texts,
                pairs,
                max_length=length,
                add_special_tokens=special,
                return_truncated=True,
            )

        ids, offsets, truncated = encode(max_length)
        assert truncated.dtype == np.bool_
        whole = encode(None)[1]
        assert truncated.tolist() == (np.diff(offsets) < np.diff(whole)).tolist()
        if max_length is not None:
            longer = encode(max_length + 1)[1]
            assert truncated.tolist() == (np.diff(offsets) < np.diff(longer)).tolist()
        without = tokenizer.encode_ragged(
            texts, second, max_length=max_length, add_special_tokens=special
        )
        assert len(without) == 2
        assert np.array_equal(without[0], ids)
        assert np.array_equal(without[1], offsets)
