"""CJK ideographs stand alone; the blocks' first and last code points are exact."""

import pytest

from tests.tokenizer.conftest import WordChecker

INSIDE = [
    *(0x4E00, 0x9FFF, 0x3400, 0x4DBF, 0x20000, 0x2A6DF, 0x2A700, 0x2B73F, 0x2B740, 0x2B81F),
    *(0x2B820, 0x2B91F, 0x2B920, 0x2CEAF, 0xF900, 0xFAFF, 0x2F800, 0x2FA1F),
]
OUTSIDE = [
    *(0x33FF, 0x4DC0, 0x4DFF, 0xA000, 0xF8FF, 0xFB00, 0x1FFFF, 0x2A6E0, 0x2A6FF, 0x2CEB0),
    *(0x2EBE0, 0x2F7FF, 0x2FA20, 0x30000),
    *(0x3042, 0x30AB, 0x31F0, 0xAC00, 0x1100, 0x3007, 0x2E80, 0x2F00, 0x3105),
]


@pytest.mark.parametrize("code_point", INSIDE, ids="U+{:04X}".format)
def test_ideograph_stands_alone(check_words: WordChecker, code_point: int) -> None:
    char = chr(code_point)
    check_words(f"a{char}{char}b", ["a", char, char, "b"], do_lower_case=False)


@pytest.mark.parametrize("code_point", OUTSIDE, ids="U+{:04X}".format)
def test_character_outside_the_blocks_stays_in_its_word(
    check_words: WordChecker, code_point: int
) -> None:
    char = chr(code_point)
    check_words(f"a{char}b", [f"a{char}b"], do_lower_case=False)


@pytest.mark.parametrize(("char", "decomposed"), [("\uf900", "\u8c48"), ("\U0002f800", "\u4e3d")])
def test_compatibility_ideograph_decomposes_only_in_uncased_mode(
    check_words: WordChecker, char: str, decomposed: str
) -> None:
    check_words(f"a{char}b", ["a", decomposed, "b"])
    check_words(f"a{char}b", ["a", char, "b"], do_lower_case=False)


def test_mark_after_an_ideograph_is_a_word_of_its_own(check_words: WordChecker) -> None:
    check_words("大\u0301a", ["大", "\u0301a"], do_lower_case=False)
    check_words("大\u0301a", ["大", "a"])
