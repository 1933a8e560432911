"""WordPiece: greedy, longest first, 200 code points, one [UNK] for the whole word."""

import pytest

from tests.conftest import TokenizerFactory
from tests.tokenizer.vocabulary import SPECIAL_TOKENS, alphabet_vocab


def test_longest_piece_wins(make_tokenizer: TokenizerFactory) -> None:
    vocab = [*SPECIAL_TOKENS, "a", "ab", "abc", "##c", "##cd", "##d", "##de", "##e"]
    tokenizer = make_tokenizer(vocab)
    assert tokenizer.tokenize("abcde abe a ab abc") == [
        *("abc", "##de"),
        *("ab", "##e"),
        *("a", "ab", "abc"),
    ]


def test_matching_never_goes_back(make_tokenizer: TokenizerFactory) -> None:
    # "ab" + "##cd" would fit, but "abc" is longer and leaves "d" without a piece.
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "ab", "abc", "##cd"])
    assert tokenizer.tokenize("abcd ab") == ["[UNK]", "ab"]


@pytest.mark.parametrize("word", ["xab", "abx", "axb", "ba"])
def test_word_with_an_unmatched_part_is_one_unknown(
    make_tokenizer: TokenizerFactory, word: str
) -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "a", "ab", "##b", "##a"])
    assert tokenizer.tokenize(f"a {word} ab") == ["a", "[UNK]", "ab"]


def test_first_piece_and_later_pieces_are_different_tokens(
    make_tokenizer: TokenizerFactory,
) -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "un", "##able"])
    assert tokenizer.tokenize("unable able unun") == ["un", "##able", "[UNK]", "[UNK]"]


def test_entry_of_hashes_never_matches(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "##", "##a", "#", "###", "a", ""])
    assert tokenizer.tokenize("##a ### aa") == ["#", "#", "a", "#", "#", "#", "a", "##a"]


def test_entry_with_capitals_never_matches_in_uncased_mode(
    make_tokenizer: TokenizerFactory,
) -> None:
    vocab = [*SPECIAL_TOKENS, "Hello", "é", "e"]
    assert make_tokenizer(vocab).tokenize("Hello é") == ["[UNK]", "e"]
    assert make_tokenizer(vocab, do_lower_case=False).tokenize("Hello é") == ["Hello", "é"]


@pytest.mark.parametrize("char", ["a", "я", "ก", "\U00010428"], ids="U+{0}".format)
@pytest.mark.parametrize("do_lower_case", [True, False])
def test_word_of_200_code_points_is_split_and_one_of_201_is_unknown(
    make_tokenizer: TokenizerFactory, char: str, do_lower_case: bool
) -> None:
    tokenizer = make_tokenizer(alphabet_vocab(char, "b"), do_lower_case=do_lower_case)
    assert tokenizer.tokenize(f"{char * 200} b") == [char, *[f"##{char}"] * 199, "b"]
    assert tokenizer.tokenize(f"b {char * 201} b") == ["b", "[UNK]", "b"]
    assert tokenizer.tokenize(char * 5000) == ["[UNK]"]


def test_201_code_points_are_unknown_even_when_the_vocabulary_holds_the_word(
    make_tokenizer: TokenizerFactory,
) -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "a" * 200, "a" * 201])
    assert tokenizer.tokenize("a" * 200) == ["a" * 200]
    assert tokenizer.tokenize("a" * 201) == ["[UNK]"]


@pytest.mark.parametrize(
    ("fits", "too_long"),
    [
        ("é" * 200, "é" * 201),
        ("e\u0301" * 200, "e\u0301" * 201),  # 400 code points before marks are stripped
        ("e\u0301\u0327\u0308" * 200, "e\u0301" * 200 + "e"),
        ("İ" * 200, "İ" * 201),
        ("각" * 66 + "가", "각" * 67),  # 3 jamo each
        ("e\u200b" * 200, "e\u200b" * 201),
    ],
    ids=["precomposed", "combining", "marks", "dotted-i", "hangul", "dropped"],
)
def test_uncased_word_is_measured_after_decomposition_and_stripping(
    make_tokenizer: TokenizerFactory, fits: str, too_long: str
) -> None:
    tokenizer = make_tokenizer(alphabet_vocab("ei\u1100\u1161\u11a8"))
    assert len(tokenizer.tokenize(fits)) == 200
    assert tokenizer.tokenize(too_long) == ["[UNK]"]


def test_cased_word_is_measured_with_its_marks(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer(alphabet_vocab("e\u0301각"), do_lower_case=False)
    assert len(tokenizer.tokenize("e\u0301" * 100)) == 200
    assert tokenizer.tokenize("e\u0301" * 100 + "e") == ["[UNK]"]
    assert len(tokenizer.tokenize("각" * 200)) == 200


def test_punctuation_and_cjk_end_a_word_before_it_is_measured(
    make_tokenizer: TokenizerFactory,
) -> None:
    tokenizer = make_tokenizer(alphabet_vocab("a,大"))
    assert "[UNK]" not in tokenizer.tokenize("a" * 200 + "," + "a" * 200 + "大" + "a" * 200)
    assert tokenizer.tokenize("大" * 300) == ["大"] * 300


def test_unknown_token_may_stand_anywhere_in_the_vocabulary(
    make_tokenizer: TokenizerFactory,
) -> None:
    tokenizer = make_tokenizer(["a", "[SEP]", "[CLS]", "b", "[UNK]"])
    assert tokenizer.encode("a x b", add_special_tokens=False) == [0, 4, 3]
    assert tokenizer.encode("a") == [2, 0, 1]
