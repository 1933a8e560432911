"""Uncased mode: `str.lower` (with final sigma), then NFD, then nonspacing marks dropped."""

import itertools
import sys
import unicodedata

import pytest

from tests.tokenizer.conftest import WordChecker

FINAL_SIGMA = [
    ("Σ", ["σ"]),
    ("ΑΣ", ["ας"]),
    ("ΣΑ", ["σα"]),
    ("ΑΣΑ", ["ασα"]),
    ("ΑΣΣ", ["ασς"]),
    ("ΣΣ", ["σς"]),
    ("ΛΟΓΟΣ ΟΔΟΣ", ["λογος", "οδος"]),
    ("aΣ", ["aς"]),
    ("ªΣ", ["ªς"]),  # Lo, yet cased
    ("ǅΣ", ["ǆς"]),  # titlecase
    ("𐐀Σ", ["𐐨ς"]),  # cased beyond the BMP
    ("大Σ", ["大", "σ"]),
    ("אΣ", ["אσ"]),  # a letter without case
    ("1Σ", ["1σ"]),
    ("ΑΣ1", ["ας1"]),
    ("ΑΣ1Α", ["ας1α"]),
    # Split at whitespace and CJK first: the context ends there.
    ("Α Σ", ["α", "σ"]),
    ("Α大Σ", ["α", "大", "σ"]),
    ("ΑΣ大Α", ["ας", "大", "α"]),
    ("ΑΣ\u2028Α", ["ας", "α"]),
    # Case-ignorable characters are looked through, on both sides.
    ("Α.Σ", ["α", ".", "ς"]),
    ("ΑΣ.", ["ας", "."]),
    ("ΑΣ.Α", ["ασ", ".", "α"]),
    ("ΑΣ:Α", ["ασ", ":", "α"]),
    ("ΑΣ'Α", ["ασ", "'", "α"]),
    ("ΑΣ’Α", ["ασ", "’", "α"]),
    ("ΑΣ..'^`Α", ["ασ", ".", ".", "'", "^", "`", "α"]),
    ("ʰΣ", ["ʰσ"]),  # cased and ignorable: ignored
    ("ΑʰΣ", ["αʰς"]),
    ("Α\u0301Σ", ["ας"]),
    ("\u0301Σ", ["σ"]),
    ("\u0345Σ", ["σ"]),
    ("ΑΣ\u0301", ["ας"]),
    ("ΑΣ\u0301Α", ["ασα"]),
    ("Α\u093eΣ", ["α\u093eσ"]),  # Mc is not ignorable
    # Other characters stop the look-around.
    ("Α-Σ", ["α", "-", "σ"]),
    ("ΑΣ-Α", ["ας", "-", "α"]),
    ("ΑΣ,Α", ["ας", ",", "α"]),
    ("ΑΣ=Α", ["ας", "=", "α"]),
    # Characters that cleaning drops are gone before lowering.
    ("Α\u200bΣ", ["ας"]),
    ("ΑΣ\u200bΑ", ["ασα"]),
    ("ΑΣ\x00\ufffd\x1cΑ", ["ασα"]),
    ("ς", ["ς"]),
    ("αςα", ["αςα"]),
    ("ΑΣ" + "\u0301" * 1000 + "Α", ["ασα"]),
    ("ΑΣ" + "." * 300, ["ας", *"." * 300]),
]


@pytest.mark.parametrize(("text", "expected"), FINAL_SIGMA)
def test_final_sigma_follows_its_context(
    check_words: WordChecker, text: str, expected: list[str]
) -> None:
    check_words(text, expected)


def test_sigma_is_untouched_in_cased_mode(check_words: WordChecker) -> None:
    check_words("ΑΣ ΣΑΣ ς", ["ΑΣ", "ΣΑΣ", "ς"], do_lower_case=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HeLLo", ["hello"]),
        ("Ünïted", ["united"]),
        ("İstanbul", ["istanbul"]),  # lower() gives i + U+0307, and U+0307 is Mn
        ("ıI", ["ıi"]),
        ("straße STRAẞE", ["straße", "straße"]),  # no folding to ss
        ("ﬁn", ["ﬁn"]),  # no compatibility decomposition
        ("ＡＢ", ["ａｂ"]),
        ("½²™", ["½²™"]),
        ("\u212b \u212a \u2126", ["a", "k", "ω"]),  # Angstrom, Kelvin, Ohm
        ("ŉ ǰ", ["ŉ", "j"]),
        ("ᾳ ΐ ᾼ", ["α", "ι", "α"]),
        ("ё й Ї", ["е", "и", "і"]),
        ("שָׁלוֹם", ["שלום"]),
        ("مَرْحَبًا آ", ["مرحبا", "ا"]),
        ("が プ", ["か", "フ"]),
        ("क़", ["क"]),  # U+0958 = U+0915 + nukta
        ("नमस्ते", ["नमसत"]),  # the virama and e-sign are Mn
        ("का", ["का"]),  # the aa-sign is Mc and stays
        ("1\u20e3", ["1\u20e3"]),  # Me stays
        ("𐐀 𝐀", ["𐐨", "𝐀"]),  # mathematical letters have no lower case
        ("\u1e9b\u0323", ["ſ"]),
    ],
)
def test_text_is_lowered_decomposed_and_stripped(
    check_words: WordChecker, text: str, expected: list[str]
) -> None:
    check_words(text, expected)


@pytest.mark.parametrize(
    "text", ["É", "é", "İstanbul", "ẞ", "が", "한국", "क़", "नमस्ते", "\u212b", "a\u0323\u0307"]
)
def test_cased_mode_keeps_the_text_as_it_is(check_words: WordChecker, text: str) -> None:
    check_words(text, [text], do_lower_case=False)


def test_cased_mode_does_not_reorder_marks(check_words: WordChecker) -> None:
    check_words("a\u0307\u0323", ["a\u0307\u0323"], do_lower_case=False)


@pytest.mark.parametrize(
    ("syllable", "jamo"),
    [
        ("가", "\u1100\u1161"),
        ("각", "\u1100\u1161\u11a8"),
        ("갛", "\u1100\u1161\u11c2"),
        ("개", "\u1100\u1162"),
        ("한", "\u1112\u1161\u11ab"),
        ("힣", "\u1112\u1175\u11c2"),
    ],
)
def test_hangul_syllable_decomposes_to_jamo(
    check_words: WordChecker, syllable: str, jamo: str
) -> None:
    check_words(f"{syllable}{syllable}", [jamo + jamo])


def test_code_points_round_the_hangul_block_stay(check_words: WordChecker) -> None:
    check_words("\uabff\ud7a4", ["\uabff\ud7a4"])


@pytest.mark.parametrize(
    ("text", "expected"), [("\u0301", []), ("a \u0301\u0327 b", ["a", "b"]), ("\u0344", [])]
)
def test_word_of_marks_alone_vanishes(
    check_words: WordChecker, text: str, expected: list[str]
) -> None:
    check_words(text, expected)


def _spacing_marks() -> list[str]:
    every = map(chr, range(sys.maxunicode + 1))
    return [c for c in every if unicodedata.combining(c) and unicodedata.category(c) != "Mn"]


def test_there_are_marks_that_are_reordered_and_kept() -> None:
    marks = _spacing_marks()
    assert {"\u302e", "\U0001d165", "\U0001d16d", "\u1b44"} <= set(marks)
    assert len(marks) >= 20  # 25 in Unicode 14


def test_kept_marks_take_canonical_order(check_words: WordChecker) -> None:
    # Not Mn, so they stay; their combining classes differ, so NFD sorts them.
    for first, second in itertools.product(_spacing_marks(), repeat=2):
        ordered = sorted([first, second], key=unicodedata.combining)
        check_words(f"a{first}{second}", ["a" + "".join(ordered)])
        check_words(f"a{first}{second}", [f"a{first}{second}"], do_lower_case=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Combining classes: U+1D16D 226, U+302E 224, U+1D165 216, U+1B44 9.
        ("a\U0001d16d\u302eb", ["a\u302e\U0001d16db"]),
        ("a\u302e\U0001d16db", ["a\u302e\U0001d16db"]),
        ("a\U0001d16d\u302e\U0001d165\u1b44", ["a\u1b44\U0001d165\u302e\U0001d16d"]),
        ("\U0001d16d\u302e", ["\u302e\U0001d16d"]),  # without a base
        # Stripped marks still take part in the ordering, and a starter still ends it.
        ("a\U0001d16d\u0301\u302e", ["a\u302e\U0001d16d"]),
        ("a\U0001d16d\u034f\u302e", ["a\U0001d16d\u302e"]),
        ("á\U0001d16d\u302e", ["a\u302e\U0001d16d"]),
        # Dropped characters do not stand between marks; a space does.
        ("a\U0001d16d\u200b\u302e", ["a\u302e\U0001d16d"]),
        ("a\U0001d16d \u302e", ["a\U0001d16d", "\u302e"]),
        # Musical notes decompose to a note, a stem and flags, which are such marks.
        ("\U0001d160", ["\U0001d158\U0001d165\U0001d16e"]),
        ("\U0001d15f\U0001d16d\u302e", ["\U0001d158\U0001d165\u302e\U0001d16d"]),
    ],
)
def test_canonical_order_is_stable_and_ends_at_starters(
    check_words: WordChecker, text: str, expected: list[str]
) -> None:
    check_words(text, expected)
