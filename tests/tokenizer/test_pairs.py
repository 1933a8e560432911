"""Pairs of texts: truncation and segments, as `convert_single_example` makes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer
from bertfast.errors import InputError
from tests.tokenizer.original import Row, prepare_row
from tests.tokenizer.vocabulary import small_vocab

VOCAB = {token: index for index, token in enumerate(small_vocab())}
SPECIALS = (VOCAB["[CLS]"], VOCAB["[SEP]"])
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words(count: int, shift: int = 0) -> str:
    """Return `count` words of one piece each, which differ from their neighbours."""
    return " ".join(LETTERS[(n + shift) % 26] for n in range(count))


def expected_row(
    tokenizer: Tokenizer, pair: tuple[str, str], max_length: int | None, *, special: bool = True
) -> Row:
    first, second = (tokenizer.encode(text, add_special_tokens=False) for text in pair)
    return prepare_row(first, second, max_length, SPECIALS if special else None)


def check_pairs(
    tokenizer: Tokenizer,
    pairs: list[tuple[str, str]],
    max_length: int | None,
    *,
    special: bool = True,
) -> None:
    encoding = tokenizer(
        [first for first, _ in pairs],
        [second for _, second in pairs],
        max_length=max_length,
        add_special_tokens=special,
    )
    for row, pair in enumerate(pairs):
        expected = expected_row(tokenizer, pair, max_length, special=special)
        whole = expected_row(tokenizer, pair, None, special=special)
        length = len(expected.input_ids)
        assert encoding.lengths[row] == length
        assert encoding.input_ids[row, :length].tolist() == expected.input_ids
        assert encoding.segment_ids[row, :length].tolist() == expected.segment_ids
        assert encoding.input_mask[row].sum() == length
        assert encoding.truncated[row] == (length < len(whole.input_ids))
        assert not encoding.input_ids[row, length:].any()
        assert not encoding.segment_ids[row, length:].any()


PAIRS = [(words(la), words(lb, 13)) for la in range(0, 24) for lb in range(0, 24)]
PAIRS += [(words(200), words(3)), (words(3), words(200)), (words(150), words(150))]


@pytest.mark.parametrize("max_length", [*range(3, 21), 128, None])
def test_pair_is_truncated_as_the_original_does(
    tokenizer: Tokenizer, max_length: int | None
) -> None:
    check_pairs(tokenizer, PAIRS, max_length)


@pytest.mark.parametrize("max_length", [1, 2, 3, 7, 20, None])
def test_pair_without_special_tokens_follows_the_same_rule(
    tokenizer: Tokenizer, max_length: int | None
) -> None:
    check_pairs(tokenizer, PAIRS, max_length, special=False)


@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60)).map(
            lambda sizes: (words(sizes[0]), words(sizes[1], 7))
        ),
        min_size=1,
        max_size=6,
    ),
    max_length=st.integers(3, 80),
)
def test_pairs_of_any_lengths_follow_the_original(
    tokenizer: Tokenizer, pairs: list[tuple[str, str]], max_length: int
) -> None:
    check_pairs(tokenizer, pairs, max_length)


def test_segments_are_0_with_the_first_separator_and_1_after_it(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["a b", "a"], ["c", "d e f"])
    assert encoding.segment_ids.tolist() == [[0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1]]


def test_tie_takes_from_the_second_text(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["a b c"], ["x y z"], max_length=8)
    cls, sep = SPECIALS
    kept = [VOCAB[letter] for letter in "abcxy"]
    assert encoding.input_ids.tolist() == [[cls, *kept[:3], sep, *kept[3:], sep]]
    assert encoding.truncated.tolist() == [True]


def test_empty_second_text_leaves_one_more_place_for_the_first(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["a b c d", "a b c d"], ["", "x"], max_length=5)
    assert encoding.input_ids[0].tolist() == [
        SPECIALS[0],
        *(VOCAB[letter] for letter in "abc"),
        SPECIALS[1],
    ]
    assert encoding.segment_ids.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]


def test_iterators_are_taken_for_both_texts(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(iter(["a", "b"]), (text for text in ["c", "d"]))
    assert np.array_equal(encoding.input_ids, tokenizer(["a", "b"], ["c", "d"]).input_ids)


@pytest.mark.parametrize("seconds", [[], ["x"], ["x", "y", "z"]])
def test_different_numbers_of_texts_are_refused(tokenizer: Tokenizer, seconds: list[str]) -> None:
    with pytest.raises(InputError, match=rf"2 .*{len(seconds)} "):
        tokenizer(["a", "b"], seconds)
    with pytest.raises(InputError, match=rf"2 .*{len(seconds)} "):
        tokenizer.encode_ragged(["a", "b"], seconds)
