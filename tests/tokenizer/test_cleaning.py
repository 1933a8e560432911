"""Cleaning and whitespace: what is dropped, what becomes a space, what is kept."""

import pytest

from tests.conftest import TokenizerFactory
from tests.tokenizer.conftest import WordChecker
from tests.tokenizer.vocabulary import alphabet_vocab

SPACES = [0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000]
CONTROLS = [*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0)]
FORMATS = [0xAD, 0x600, 0x61C, 0x6DD, 0x180E, 0x200B, 0x200D, 0x200E, 0x202A, 0x2060, 0xFEFF]
FORMATS += [0x110BD, 0x1BCA0, 0x1D173, 0xE0001, 0xE0041, 0xE007F]


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r", "\r\n", "  ", *map(chr, SPACES)])
def test_whitespace_splits_words(check_words: WordChecker, space: str, do_lower_case: bool) -> None:
    check_words(f"{space}a{space}b{space}", ["a", "b"], do_lower_case=do_lower_case)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_line_and_paragraph_separators_split_words(
    check_words: WordChecker, separator: str
) -> None:
    # Not Zs, so cleaning keeps them; str.split takes them as whitespace afterwards.
    check_words(f"a{separator}b{separator}", ["a", "b"])


def test_nul_and_replacement_character_are_dropped(check_words: WordChecker) -> None:
    check_words("a\x00b\ufffdc", ["abc"])


@pytest.mark.parametrize("code_point", CONTROLS, ids="U+{:04X}".format)
def test_control_character_is_dropped_and_does_not_split(
    check_words: WordChecker, code_point: int
) -> None:
    # Among them U+0085 and U+001C..U+001F, at which str.split would split.
    check_words(f"a{chr(code_point)}b", ["ab"])


@pytest.mark.parametrize("code_point", FORMATS, ids="U+{:04X}".format)
def test_format_character_is_dropped_and_does_not_split(
    check_words: WordChecker, code_point: int
) -> None:
    check_words(f"a{chr(code_point)}b", ["ab"])


@pytest.mark.parametrize("char", ["\ue000", "\uf8ff", "\U000f0000", "\U0010fffd"])
def test_private_use_character_is_kept(check_words: WordChecker, char: str) -> None:
    check_words(f"a{char}b", [f"a{char}b"])


@pytest.mark.parametrize("char", ["\u0378", "\ufdd0", "\uffff", "\U000e0fff", "\U0010ffff"])
def test_unassigned_character_is_kept(check_words: WordChecker, char: str) -> None:
    check_words(f"a{char}b", [f"a{char}b"])


@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\x00\ufffd", "\u200b\u2028 \u3000"])
def test_text_without_any_word_gives_no_piece(check_words: WordChecker, text: str) -> None:
    check_words(text, [])


@pytest.mark.parametrize("surrogate", ["\ud800", "\udbff", "\udc00", "\udfff", "\ud83d\ude00"])
def test_lone_surrogate_is_an_ordinary_character_and_makes_its_word_unknown(
    make_tokenizer: TokenizerFactory, surrogate: str
) -> None:
    tokenizer = make_tokenizer(alphabet_vocab("ab!", "\U0001f600"))
    pieces = tokenizer.tokenize(f"a a{surrogate}b!{surrogate} b")
    assert pieces == ["a", "[UNK]", "!", "[UNK]", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"caf\xc3\xa9 b", ["cafe", "b"]),
        (b"a\xffb\x80c", ["abc"]),
        (b"a\xc0\x80b\xc1\xbf", ["ab"]),  # overlong forms
        (b"a\xe0\x80\x80b\xf0\x80\x80\x80", ["ab"]),
        (b"a\xe4\xb8b", ["ab"]),  # a sequence cut short in the middle
        (b"a \xe4\xb8", ["a"]),  # and at the end
        (b"a\xf0\x9f\x98", ["a"]),
        (b"a\xed\xa0\x80b\xed\xbf\xbf", ["ab"]),  # surrogates
        (b"a\xf4\x90\x80\x80b", ["ab"]),  # above U+10FFFF
        (b"a\xf5\x80\x80\x80b\xfe", ["ab"]),
        (b"\xe4\xb8\xad\xe5", ["\u4e2d"]),
        (b"\xce\x91\xce\xff\xce\xa3", ["\u03b1\u03c2"]),  # final sigma across a dropped byte
        (b"a\xc2\xa0b\xe2\x80\xa8c", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\x00b", ["ab"]),
        (b"", []),
    ],
)
def test_bytes_decode_as_utf8_ignoring_errors(
    check_words: WordChecker, text: bytes, expected: list[str]
) -> None:
    check_words(text, expected)
