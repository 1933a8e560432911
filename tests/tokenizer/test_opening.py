"""A model's tokenizer, which fills its cache only when that pays, gives what any other does."""

import random

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.errors import VocabError
from bertfast.tokenizer import open_tokenizer
from tests.tokenizer.vocabulary import small_vocab

# Where its cache begins to pay is at 128 KB.
TOTALS = [0, 1_000, 200_000]


def make_texts(n_bytes: int) -> list[str]:
    """Return texts of about `n_bytes` together, with all that depends on neighbours."""
    draw = random.Random(n_bytes)
    words = [*small_vocab(), "ΣΑΣ", "é", "한국", "中文", "\u0301", "\u200b", "a" * 201, "x\u2028y"]
    texts = ["", " ", "ΟΔΟΣ ΟΔΟΣ"]
    while sum(map(len, texts)) < n_bytes:
        texts.append(" ".join(draw.choices(words, k=draw.randrange(40))))
    return texts


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("n_bytes", TOTALS)
def test_before_and_after_its_cache_the_ids_are_the_same(n_bytes: int, do_lower_case: bool) -> None:
    usual = Tokenizer(small_vocab(), do_lower_case=do_lower_case)
    opened = open_tokenizer(small_vocab(), do_lower_case=do_lower_case)
    texts = make_texts(n_bytes)
    for max_length in (None, 12, None):
        expected = usual.encode_ragged(texts, max_length=max_length)
        given = opened.encode_ragged(texts, max_length=max_length)
        for one, other in zip(expected, given, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_bytes", TOTALS)
def test_before_and_after_its_cache_the_offsets_are_the_same(n_bytes: int) -> None:
    usual, opened = Tokenizer(small_vocab()), open_tokenizer(small_vocab(), do_lower_case=True)
    texts = make_texts(n_bytes)
    expected, given = (tok(texts, return_offsets=True, max_length=64) for tok in (usual, opened))
    np.testing.assert_array_equal(given.input_ids, expected.input_ids)
    np.testing.assert_array_equal(given["offsets"], expected["offsets"])


def test_short_texts_one_by_one_cross_the_border_unnoticed() -> None:
    usual, opened = Tokenizer(small_vocab()), open_tokenizer(small_vocab(), do_lower_case=True)
    for text in make_texts(300_000):
        assert opened.encode(text) == usual.encode(text)


def test_its_options_are_the_original_ones() -> None:
    for do_lower_case in (True, False):
        usual = Tokenizer(small_vocab(), do_lower_case=do_lower_case)
        opened = open_tokenizer(small_vocab(), do_lower_case=do_lower_case)
        assert opened.options == usual.options
        assert opened.vocab == usual.vocab
        assert opened.decode(opened.encode("unaffable")) == usual.decode(usual.encode("unaffable"))


def test_bad_vocabulary_is_refused() -> None:
    with pytest.raises(VocabError, match=r"has no \[CLS\]"):
        open_tokenizer(["[UNK]", "[SEP]"], do_lower_case=True)
