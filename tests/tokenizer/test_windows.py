"""stride: several overlapping windows of a long text instead of its truncation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Encoding, Tokenizer
from bertfast.errors import InputError
from tests.tokenizer.original import piece_spans, prepare_row, slide_windows
from tests.tokenizer.vocabulary import small_vocab

VOCAB = {token: index for index, token in enumerate(small_vocab())}
SPECIALS = (VOCAB["[CLS]"], VOCAB["[SEP]"])
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words(count: int) -> str:
    return " ".join(LETTERS[n % 26] for n in range(count))


def check_windows(
    tokenizer: Tokenizer,
    encoding: Encoding,
    pairs: list[tuple[str, str]],
    options: tuple[int, int],
) -> None:
    """Fail unless `encoding` holds the windows of `pairs`; options: max_length, stride."""
    max_length, stride = options
    row = 0
    for sample, pair in enumerate(pairs):
        first, second = (tokenizer.encode(text, add_special_tokens=False) for text in pair)
        slid = second or first
        room = max_length - (3 + len(first) if second else 2)
        windows = slide_windows(slid, room, stride)
        for window in windows:
            ids_a, ids_b = (first, window) if second else (window, [])
            expected = prepare_row(ids_a, ids_b, None, SPECIALS)
            length = len(expected.input_ids)
            assert encoding.lengths[row] == length <= max_length
            assert encoding.input_ids[row, :length].tolist() == expected.input_ids
            assert encoding.segment_ids[row, :length].tolist() == expected.segment_ids
            assert encoding.input_mask[row].tolist() == [1] * length + [0] * (
                encoding.input_ids.shape[1] - length
            )
            assert encoding.overflow_to_sample[row] == sample
            row += 1
    assert row == len(encoding.input_ids) == len(encoding.overflow_to_sample)
    assert encoding.overflow_to_sample.dtype == np.int64


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_text_gives_as_many_windows_as_it_needs(tokenizer: Tokenizer, stride: int) -> None:
    texts = [words(count) for count in range(30)]
    encoding = tokenizer(texts, max_length=8, stride=stride)
    check_windows(tokenizer, encoding, [(text, "") for text in texts], (8, stride))


def test_windows_written_out(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["a b c d e f g", "x"], max_length=6, stride=2)
    letters = {VOCAB[letter]: letter for letter in LETTERS}
    rows = ["".join(letters.get(int(i), "") for i in row) for row in encoding.input_ids]
    assert rows == ["abcd", "cdef", "efg", "x"]
    assert encoding.overflow_to_sample.tolist() == [0, 0, 0, 1]


def test_windows_slide_over_the_second_text_with_the_first_whole(tokenizer: Tokenizer) -> None:
    pairs = [(words(la), words(lb)) for la in range(0, 5) for lb in range(0, 25)]
    encoding = tokenizer([a for a, _ in pairs], [b for _, b in pairs], max_length=12, stride=2)
    check_windows(tokenizer, encoding, pairs, (12, 2))


def test_every_row_is_one_text_without_stride(tokenizer: Tokenizer) -> None:
    encoding = tokenizer([words(30), "", "a"], max_length=5)
    assert encoding.overflow_to_sample.tolist() == [0, 1, 2]
    assert encoding.overflow_to_sample.dtype == np.int64


def test_windows_keep_offsets_into_the_whole_text(tokenizer: Tokenizer) -> None:
    text = "Unaffable café, 大学 hello world! the end"
    spans = piece_spans(text, VOCAB, do_lower_case=True)
    encoding = tokenizer([text], max_length=7, stride=2, return_offsets=True)
    assert encoding.offsets is not None
    windows = [
        [tuple(span) for span in row[1 : length - 1].tolist()]
        for row, length in zip(encoding.offsets, encoding.lengths, strict=True)
    ]
    assert len(windows) > 2
    assert windows == [spans[start : start + 5] for start in range(0, 3 * len(windows), 3)]


def test_windows_may_be_padded_to_max_length(tokenizer: Tokenizer) -> None:
    encoding = tokenizer([words(9)], max_length=6, stride=1, padding="max_length")
    assert encoding.input_ids.shape == (3, 6)
    check_windows(tokenizer, encoding, [(words(9), "")], (6, 1))


def test_windows_of_an_empty_batch(tokenizer: Tokenizer) -> None:
    encoding = tokenizer([], max_length=6, stride=1)
    assert len(encoding.overflow_to_sample) == len(encoding.input_ids) == 0


@pytest.mark.parametrize("stride", [4, 5, 100])
def test_stride_that_cannot_advance_is_refused(tokenizer: Tokenizer, stride: int) -> None:
    with pytest.raises(InputError, match=f"stride={stride}"):
        tokenizer([words(9)], max_length=6, stride=stride)


def test_first_text_that_leaves_no_room_is_refused_by_row(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="row 1"):
        tokenizer(["a", words(7)], ["b", words(7)], max_length=10, stride=1)


def test_pair_that_fits_needs_no_room_to_slide(tokenizer: Tokenizer) -> None:
    encoding = tokenizer([words(6)], ["b"], max_length=10, stride=3)
    check_windows(tokenizer, encoding, [(words(6), "b")], (10, 3))


@given(
    counts=st.lists(st.integers(0, 70), min_size=1, max_size=5),
    max_length=st.integers(4, 24),
    data=st.data(),
)
def test_any_windows_cover_their_text(
    tokenizer: Tokenizer, counts: list[int], max_length: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, max_length - 3))
    texts = [words(count) for count in counts]
    encoding = tokenizer(texts, max_length=max_length, stride=stride)
    check_windows(tokenizer, encoding, [(text, "") for text in texts], (max_length, stride))
