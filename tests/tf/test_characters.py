"""The graph's character arrays against the reference and `str.lower`, over all of Unicode."""

import unicodedata

import numpy as np
import pytest

from bertfast import reference
from bertfast.tf.characters import (
    CAPITAL_SIGMA,
    FINAL_SIGMA,
    N_CODE_POINTS,
    read_characters,
    read_sigma_context,
)

EVERY = [chr(code_point) for code_point in range(N_CODE_POINTS)]


@pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])
def test_cleaning_and_splitting_equal_the_reference(do_lower_case: bool) -> None:
    characters = read_characters(do_lower_case=do_lower_case)
    cleaned = [reference.clean_text(char) for char in EVERY]
    assert characters.dropped.tolist() == [not text for text in cleaned]
    assert characters.space.tolist() == [text.isspace() for text in cleaned]
    assert characters.cjk.tolist() == [reference.is_cjk(ord(char)) for char in EVERY]
    assert characters.punctuation.tolist() == [reference.is_punctuation(char) for char in EVERY]


def test_uncased_characters_become_what_the_reference_makes_of_them() -> None:
    characters = read_characters(do_lower_case=True)
    normalizer = reference.BasicTokenizer(do_lower_case=True)
    for code_point, char in enumerate(EVERY):
        lowered = unicodedata.normalize("NFD", char.lower())
        assert characters.decomposed.of(code_point) == [ord(part) for part in lowered]
        if not characters.dropped[code_point]:
            plain = normalizer.normalize(char)
            assert characters.plain.of(code_point) == [ord(part) for part in plain]


def test_cased_characters_stay() -> None:
    characters = read_characters(do_lower_case=False)
    assert np.array_equal(characters.decomposed.parts, np.arange(N_CODE_POINTS))
    assert np.array_equal(characters.plain.parts, np.flatnonzero(~characters.dropped))


def test_dropped_characters_become_nothing() -> None:
    characters = read_characters(do_lower_case=True)
    assert characters.plain.of(0x200B) == []
    assert characters.plain.of(0) == []


def test_sigma_context_is_that_of_str_lower() -> None:
    cased, ignorable = read_sigma_context()
    sigma, final = chr(CAPITAL_SIGMA), chr(FINAL_SIGMA)
    after_letter = np.array([f"a{char}{sigma}".lower()[-1] == final for char in EVERY])
    alone = np.array([f"{char}{sigma}".lower()[-1] == final for char in EVERY])
    assert np.array_equal(cased, after_letter & alone)
    assert np.array_equal(ignorable, after_letter & ~alone)
    assert not (alone & ~after_letter).any()
