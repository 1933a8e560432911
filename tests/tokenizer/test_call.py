"""tok(texts): padding, truncation, types and masks."""

from typing import Any

import numpy as np
import pytest

from bertfast import Encoding, Tokenizer
from bertfast.errors import InputError
from tests.tokenizer.original import prepare_row
from tests.tokenizer.vocabulary import small_vocab

VOCAB = {token: index for index, token in enumerate(small_vocab())}
SPECIALS = (VOCAB["[CLS]"], VOCAB["[SEP]"])
TEXTS: list[str | bytes] = ["hello", "", "the unaffable world!", b"caf\xc3\xa9 \xff", "大学" * 9]


def check_padding(encoding: Encoding, rows: list[list[int]], width: int, dtype: Any) -> None:
    """Fail unless `encoding` holds `rows`, padded with 0 to `width`."""
    lengths = [len(row) for row in rows]
    expected = [row + [0] * (width - len(row)) for row in rows]
    assert encoding.input_ids.tolist() == expected
    assert encoding.input_mask.tolist() == [[1] * n + [0] * (width - n) for n in lengths]
    assert encoding.lengths.tolist() == lengths
    for array in (encoding.input_ids, encoding.input_mask, encoding.segment_ids):
        assert array.dtype == dtype
        assert array.shape == (len(rows), width)
        assert array.flags.c_contiguous
        assert array.flags.writeable


def rows_without_limit(tokenizer: Tokenizer) -> list[list[int]]:
    return [tokenizer.encode(text) for text in TEXTS]


def test_default_pads_to_the_longest_row(tokenizer: Tokenizer) -> None:
    rows = rows_without_limit(tokenizer)
    encoding = tokenizer(TEXTS)
    check_padding(encoding, rows, max(map(len, rows)), np.int32)
    assert not encoding.segment_ids.any()
    assert encoding.truncated.dtype == np.bool_
    assert not encoding.truncated.any()
    assert encoding.offsets is None


@pytest.mark.parametrize("dtype", [np.int32, np.int64, "int64", np.dtype(np.int32)])
def test_dtype_is_of_the_three_model_inputs(tokenizer: Tokenizer, dtype: Any) -> None:
    rows = rows_without_limit(tokenizer)
    check_padding(tokenizer(TEXTS, dtype=dtype), rows, max(map(len, rows)), np.dtype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint32, "text", object])
def test_other_dtype_is_refused(tokenizer: Tokenizer, dtype: Any) -> None:
    with pytest.raises(InputError, match="dtype"):
        tokenizer(TEXTS, dtype=dtype)


@pytest.mark.parametrize("max_length", [2, 3, 8, 9, 64])
def test_padding_max_length_is_exactly_that_wide(tokenizer: Tokenizer, max_length: int) -> None:
    whole = rows_without_limit(tokenizer)
    rows = [prepare_row(row[1:-1], [], max_length, SPECIALS).input_ids for row in whole]
    encoding = tokenizer(TEXTS, max_length=max_length, padding="max_length")
    check_padding(encoding, rows, max_length, np.int32)
    assert encoding.truncated.tolist() == [len(row) > max_length for row in whole]


@pytest.mark.parametrize("max_length", [2, 5, 64])
def test_padding_longest_is_the_longest_row_after_truncation(
    tokenizer: Tokenizer, max_length: int
) -> None:
    whole = rows_without_limit(tokenizer)
    rows = [prepare_row(row[1:-1], [], max_length, SPECIALS).input_ids for row in whole]
    check_padding(tokenizer(TEXTS, max_length=max_length), rows, max(map(len, rows)), np.int32)


@pytest.mark.parametrize(
    ("multiple", "padding", "max_length", "width"),
    [
        (1, "longest", None, 20),
        (8, "longest", None, 24),
        (20, "longest", None, 20),
        (64, "longest", None, 64),
        (8, "longest", 7, 8),
        (8, "max_length", 30, 32),
        (8, "max_length", 32, 32),
    ],
)
def test_pad_to_multiple_of_rounds_the_width_up(
    tokenizer: Tokenizer, multiple: int, padding: Any, max_length: int | None, width: int
) -> None:
    encoding = tokenizer(TEXTS, max_length=max_length, padding=padding, pad_to_multiple_of=multiple)
    whole = rows_without_limit(tokenizer)
    rows = [prepare_row(row[1:-1], [], max_length, SPECIALS).input_ids for row in whole]
    check_padding(encoding, rows, width, np.int32)


def test_truncation_off_refuses_a_longer_row_and_names_it(tokenizer: Tokenizer) -> None:
    assert tokenizer(TEXTS, truncation=False).input_ids.shape == (5, 20)
    assert tokenizer(TEXTS, truncation=False, max_length=20).input_ids.shape == (5, 20)
    with pytest.raises(InputError, match=r"row 4 .*20.*19"):
        tokenizer(TEXTS, truncation=False, max_length=19)


def test_truncation_off_measures_pairs_with_their_special_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer(["hello"], ["world"], truncation=False, max_length=5).lengths.tolist() == [5]
    with pytest.raises(InputError, match="row 0"):
        tokenizer(["hello"], ["world"], truncation=False, max_length=4)


def test_special_tokens_may_be_left_out(tokenizer: Tokenizer) -> None:
    rows = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    check_padding(tokenizer(TEXTS, add_special_tokens=False), rows, 18, np.int32)
    cut = [row[:4] for row in rows]
    encoding = tokenizer(TEXTS, add_special_tokens=False, max_length=4)
    check_padding(encoding, cut, 4, np.int32)


@pytest.mark.parametrize("padding", ["longest", "max_length"])
def test_empty_batch_has_no_rows(tokenizer: Tokenizer, padding: Any) -> None:
    encoding = tokenizer([], max_length=16, padding=padding)
    assert encoding.input_ids.shape[0] == 0
    assert encoding.input_ids.ndim == 2
    assert encoding.input_ids.dtype == np.int32
    assert encoding.lengths.shape == (0,)
    assert tokenizer([], [], return_offsets=True).input_ids.shape[0] == 0


def test_batch_of_texts_without_pieces_and_special_tokens_is_empty(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["", " "], add_special_tokens=False)
    assert encoding.input_ids.shape == (2, 0)
    assert encoding.lengths.tolist() == [0, 0]


def test_arrays_have_both_names_and_are_items(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(TEXTS, TEXTS)
    assert encoding.attention_mask is encoding.input_mask
    assert encoding.token_type_ids is encoding.segment_ids
    for name in ("input_ids", "input_mask", "segment_ids", "lengths", "truncated"):
        assert encoding[name] is getattr(encoding, name)
    assert encoding["attention_mask"] is encoding.input_mask
    assert encoding["token_type_ids"] is encoding.segment_ids
    with pytest.raises(KeyError, match="input_idz"):
        encoding["input_idz"]


def test_padding_id_is_zero_whatever_token_has_it(tokenizer: Tokenizer) -> None:
    vocab = ["hello", "[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    encoding = Tokenizer(vocab)(["hello", ""])
    assert encoding.input_ids.tolist() == [[2, 0, 3], [2, 3, 0]]
    assert encoding.input_mask.tolist() == [[1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"padding": "max_length"}, "max_length"),
        ({"padding": "shortest"}, "padding"),
        ({"padding": False}, "padding"),
        ({"pad_to_multiple_of": 0}, "pad_to_multiple_of"),
        ({"pad_to_multiple_of": -8}, "pad_to_multiple_of"),
        ({"pad_to_multiple_of": 2.5}, "pad_to_multiple_of"),
        ({"pad_to_multiple_of": 2**62}, "from 1 to 1048576"),
        ({"max_length": 1}, "max_length"),
        ({"max_length": 0}, "max_length"),
        ({"max_length": -5}, "max_length"),
        ({"max_length": 12.0}, "max_length"),
        ({"max_length": "12"}, "max_length"),
        ({"max_length": 0, "add_special_tokens": False}, "max_length"),
        ({"stride": 2}, "stride"),
        ({"stride": -1, "max_length": 8}, "stride"),
        ({"stride": 1.5, "max_length": 8}, "stride"),
        ({"num_threads": 0}, "num_threads"),
        ({"num_threads": -1}, "num_threads"),
        ({"num_threads": 1.5}, "num_threads"),
    ],
)
def test_wrong_option_is_named_in_one_line(
    tokenizer: Tokenizer, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named) as caught:
        tokenizer(TEXTS, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("max_length", "pair", "special"), [(1, False, True), (2, True, True), (0, False, False)]
)
def test_max_length_without_room_is_refused_by_every_form(
    tokenizer: Tokenizer, max_length: int, pair: bool, special: bool
) -> None:
    second = ["world"] if pair else None
    with pytest.raises(InputError, match=f"max_length={max_length}"):
        tokenizer(["hello"], second, max_length=max_length, add_special_tokens=special)
    with pytest.raises(InputError, match=f"max_length={max_length}"):
        tokenizer.encode_ragged(
            ["hello"], second, max_length=max_length, add_special_tokens=special
        )
    with pytest.raises(InputError, match=f"max_length={max_length}"):
        tokenizer.encode(
            "hello",
            "world" if pair else None,
            max_length=max_length,
            add_special_tokens=special,
        )


def test_numpy_integers_are_lengths(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(  # type: ignore[call-overload]
        TEXTS, max_length=np.int64(8), padding="max_length"
    )
    assert encoding.input_ids.shape == (5, 8)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint64])
def test_numpy_integers_of_any_width_do_not_wrap(tokenizer: Tokenizer, dtype: Any) -> None:
    texts = ["hello " * 200]
    for text_pair in (None, texts):
        result = tokenizer(
            texts,
            text_pair,
            max_length=dtype(100),
            padding="max_length",
            pad_to_multiple_of=64,
        )
        expected = tokenizer(
            texts, text_pair, max_length=100, padding="max_length", pad_to_multiple_of=64
        )
        np.testing.assert_array_equal(result.input_ids, expected.input_ids)
        assert result.input_ids.shape == (1, 128)
    windows = tokenizer(texts, max_length=dtype(100), stride=2)
    expected = tokenizer(texts, max_length=100, stride=2)
    np.testing.assert_array_equal(windows.input_ids, expected.input_ids)


@pytest.mark.parametrize("huge", [2**31, 2**63 - 1, int(1e30)])  # the last: Hugging Face's
def test_huge_options_are_as_good_as_none(tokenizer: Tokenizer, huge: int) -> None:
    expected = tokenizer(TEXTS).input_ids
    for result in (
        tokenizer(TEXTS, max_length=huge),
        tokenizer(TEXTS, max_length=huge, stride=1),
        tokenizer(TEXTS, max_length=64, stride=huge),
        tokenizer(TEXTS, num_threads=huge),
    ):
        np.testing.assert_array_equal(result.input_ids, expected)
    assert tokenizer.encode("hello", max_length=huge) == tokenizer.encode("hello")
    ids, offsets, _, _ = tokenizer.encode_windows(TEXTS, max_length=huge, stride=huge)
    plain = tokenizer.encode_ragged(TEXTS)
    np.testing.assert_array_equal(ids, plain[0])
    np.testing.assert_array_equal(offsets, plain[1])
