"""What is not a text is refused, by row, with the same words in every form."""

import math
from typing import Any

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.errors import InputError

NOT_TEXTS = [None, math.nan, 3, 1.5, True, ["hello"], ("a",), bytearray(b"hello"), object()]
ids = [type(value).__name__ for value in NOT_TEXTS]


@pytest.mark.parametrize("value", NOT_TEXTS, ids=ids)
def test_row_that_is_no_text_is_named_by_every_form(tokenizer: Tokenizer, value: Any) -> None:
    rows: list[Any] = ["hello", "", b"world", value, "hello"]
    good = ["hello"] * 5
    message = "row 3: expected str or bytes, got "
    for texts, pairs in ((rows, None), (rows, good), (good, rows)):
        for call in (tokenizer, tokenizer.encode_ragged):
            with pytest.raises(InputError, match=message) as caught:
                call(texts, pairs)
            assert "\n" not in str(caught.value)


def test_none_and_nan_are_shown_as_what_they_are(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError) as caught:
        tokenizer(["hello", "a", "b", None])  # type: ignore[list-item]
    assert str(caught.value).startswith("row 3: expected str or bytes, got None")
    with pytest.raises(InputError, match=r"row 1: expected str or bytes, got (nan|float)"):
        tokenizer(["hello", float("nan")])  # type: ignore[list-item]


def test_first_bad_row_of_several_is_named(tokenizer: Tokenizer) -> None:
    rows: list[Any] = ["a"] * 1000
    rows[300] = rows[700] = None
    for num_threads in (1, 2, 8):
        with pytest.raises(InputError, match="row 300:"):
            tokenizer(rows, num_threads=num_threads)


@pytest.mark.parametrize("value", [None, 3, math.nan, ["hello"], bytearray(b"a")])
def test_single_text_of_another_type_is_refused(tokenizer: Tokenizer, value: Any) -> None:
    for call in (tokenizer.tokenize, tokenizer.encode):
        with pytest.raises(InputError, match="expected str or bytes, got"):
            call(value)
    with pytest.raises(InputError, match="expected str or bytes, got"):
        tokenizer.encode(value, "hello")


@pytest.mark.parametrize("value", [3, math.nan, ["hello"]])
def test_second_text_of_another_type_is_refused(tokenizer: Tokenizer, value: Any) -> None:
    with pytest.raises(InputError, match="expected str or bytes, got"):
        tokenizer.encode("hello", value)


@pytest.mark.parametrize("text", ["hello", b"hello", np.str_("hello")])
def test_one_text_is_not_taken_for_a_list_of_characters(tokenizer: Tokenizer, text: Any) -> None:
    for call in (tokenizer, tokenizer.encode_ragged):
        with pytest.raises(InputError, match="list"):
            call(text)
        with pytest.raises(InputError, match="list"):
            call(["a", "b", "c", "d", "e"], text)


@pytest.mark.parametrize("texts", [None, 3, np.array("hello")])
def test_what_cannot_be_iterated_is_refused(tokenizer: Tokenizer, texts: Any) -> None:
    for call in (tokenizer, tokenizer.encode_ragged):
        with pytest.raises(InputError, match="got"):
            call(texts)


def test_object_array_with_missing_values_is_refused_by_row(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="row 1:"):
        tokenizer(np.array(["hello", None], object))
    with pytest.raises(InputError, match="row 0:"):
        tokenizer(np.array([["hello"], ["world"]]))


def test_tokenizer_works_on_after_an_error(tokenizer: Tokenizer) -> None:
    expected = tokenizer(["hello"]).input_ids.tolist()
    with pytest.raises(InputError):
        tokenizer(["hello", None])  # type: ignore[list-item]
    assert tokenizer(["hello"]).input_ids.tolist() == expected
