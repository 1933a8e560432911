"""Punctuation: ASCII symbols and every P* category are words of their own."""

import pytest

from tests.tokenizer.conftest import WordChecker

ASCII_SYMBOLS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
UNICODE_PUNCTUATION = {
    "Pc": "‿＿",
    "Pd": "‐—－",
    "Ps": "„（⟨",
    "Pe": "）⟩」",
    "Pi": "«“",
    "Pf": "»”",
    "Po": "¡§¶·¿…‰، 。，！？／\u0f0b\U00010100".replace(" ", ""),
}
SYMBOLS = "€£°×÷¨©→∑♥😀＋＄｜～˜´¬¦\u20bf\U0001f3fd"


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("char", ASCII_SYMBOLS)
def test_ascii_symbol_splits(check_words: WordChecker, char: str, do_lower_case: bool) -> None:
    expected = [char, "a", char, char, "b"]
    check_words(f"{char}a{char}{char}b", expected, do_lower_case=do_lower_case)


@pytest.mark.parametrize("char", [char for chars in UNICODE_PUNCTUATION.values() for char in chars])
def test_unicode_punctuation_splits(check_words: WordChecker, char: str) -> None:
    check_words(f"a{char}b", ["a", char, "b"])
    check_words(f"a{char}b", ["a", char, "b"], do_lower_case=False)


@pytest.mark.parametrize("char", SYMBOLS)
def test_symbol_outside_ascii_stays_in_its_word(check_words: WordChecker, char: str) -> None:
    check_words(f"a{char}b", [f"a{char}b"])


@pytest.mark.parametrize(
    ("char", "decomposed"),
    [("≠", "="), ("≮", "<"), ("≯", ">"), ("\u1fef", "`"), ("\u037e", ";"), ("\u0387", "\u00b7")],
)
def test_punctuation_is_tested_after_decomposition(
    check_words: WordChecker, char: str, decomposed: str
) -> None:
    check_words(f"a{char}b", ["a", decomposed, "b"])


def test_not_equal_sign_stays_in_its_word_in_cased_mode(check_words: WordChecker) -> None:
    check_words("a≠b", ["a≠b"], do_lower_case=False)


def test_full_width_punctuation_keeps_its_width(check_words: WordChecker) -> None:
    check_words("Ａ，ｂ！", ["ａ", "，", "ｂ", "！"])


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("token", ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]"])
def test_special_token_in_the_text_is_ordinary_text(
    check_words: WordChecker, token: str, do_lower_case: bool
) -> None:
    inner = token[1:-1].lower() if do_lower_case else token[1:-1]
    check_words(f"a {token}", ["a", "[", inner, "]"], do_lower_case=do_lower_case)
