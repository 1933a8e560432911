"""Vocabularies: files, sequences, mappings, and what is refused."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import reference
from bertfast.errors import BertfastError, VocabError
from tests.conftest import TokenizerFactory
from tests.tokenizer.vocabulary import SPECIAL_TOKENS, small_vocab

SPECIAL_LINES = "\n".join(SPECIAL_TOKENS).encode() + b"\n"


def write_vocab(folder: Path, lines: bytes) -> Path:
    path = folder / "vocab.txt"
    path.write_bytes(lines)
    return path


@pytest.mark.parametrize(
    "form", [list, tuple, lambda tokens: OrderedDict((t, i) for i, t in enumerate(tokens))]
)
def test_sequence_mapping_and_file_are_the_same(
    make_tokenizer: TokenizerFactory, tmp_path: Path, form: Any
) -> None:
    tokens = small_vocab()
    path = write_vocab(tmp_path, "\n".join(tokens).encode())
    from_file = make_tokenizer(path)
    tokenizer = make_tokenizer(form(tokens))
    assert tokenizer.vocab == from_file.vocab == reference.load_vocab(path)
    assert tokenizer.encode("Unaffable 大!") == from_file.encode("Unaffable 大!")
    assert make_tokenizer(str(path)).vocab == from_file.vocab


@pytest.mark.parametrize(
    "lines",
    [
        SPECIAL_LINES + b"a\nb",
        SPECIAL_LINES + b"a\nb\n",
        SPECIAL_LINES + b"a\nb\n\n",
        SPECIAL_LINES + b"a\n\nb\n   \nc\n",
        SPECIAL_LINES.replace(b"\n", b"\r\n") + b"a\r\nb\r\n",
        SPECIAL_LINES + b"a\rb\nc\x0bd\ne\xc2\x85f\ng\xe2\x80\xa8h\n",  # lines end at \n alone
        SPECIAL_LINES + b"  a \t\n\xc2\xa0b\xe3\x80\x80\nc d\n\xe2\x80\x8be\n",
        SPECIAL_LINES + b"a\nb\na\nc\n[UNK]\n",
        b"\n" + SPECIAL_LINES + b"a\n",
        b"\xef\xbb\xbfx\n" + SPECIAL_LINES + b"a\n",
        SPECIAL_LINES + b"a\x00b\n",
    ],
)
def test_file_is_read_as_the_original_reads_it(
    make_tokenizer: TokenizerFactory, tmp_path: Path, lines: bytes
) -> None:
    path = write_vocab(tmp_path, lines)
    tokenizer = make_tokenizer(path)
    assert tokenizer.vocab == dict(reference.load_vocab(path))
    for text in ("a b c [UNK] d e f", "ab cd \u200be"):
        expected = reference.FullTokenizer(path)
        ids = expected.convert_tokens_to_ids(expected.tokenize(text))
        assert tokenizer.encode(text, add_special_tokens=False) == ids


def test_last_of_equal_lines_wins(make_tokenizer: TokenizerFactory, tmp_path: Path) -> None:
    path = write_vocab(tmp_path, SPECIAL_LINES + b"a\nb\na\n[SEP]\n")
    tokenizer = make_tokenizer(path)
    assert tokenizer.encode("a b") == [2, 7, 6, 8]
    assert tokenizer.convert_ids_to_tokens([7, 6]) == ["a", "b"]
    assert tokenizer.vocab_size == 9  # ids 3 and 5 are lines too


def test_blank_lines_count(make_tokenizer: TokenizerFactory, tmp_path: Path) -> None:
    path = write_vocab(tmp_path, SPECIAL_LINES + b"\n  \na\n")
    tokenizer = make_tokenizer(path)
    assert tokenizer.vocab[""] == 6
    assert tokenizer.encode("a", add_special_tokens=False) == [7]
    assert tokenizer.encode(" ", add_special_tokens=False) == []


def test_mapping_may_have_gaps(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer({"[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "a": 5, "##b": 70000})
    assert tokenizer.encode("ab a x") == [101, 5, 70000, 5, 100, 102]
    assert tokenizer.vocab_size == 70001


def test_tokens_of_equal_id_are_refused(make_tokenizer: TokenizerFactory) -> None:
    with pytest.raises(VocabError, match="one id to several tokens"):
        make_tokenizer({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 3})


def test_later_changes_of_the_given_vocabulary_have_no_effect(
    make_tokenizer: TokenizerFactory,
) -> None:
    vocab = {token: index for index, token in enumerate(small_vocab())}
    tokenizer = make_tokenizer(vocab)
    expected = tokenizer.encode("hello")
    vocab["hello"] = 1
    del vocab["world"]
    assert tokenizer.encode("hello") == expected
    assert "world" in tokenizer.vocab


@pytest.mark.parametrize("token", ["[UNK]", "[CLS]", "[SEP]"])
def test_vocabulary_without_a_needed_token_is_refused(
    make_tokenizer: TokenizerFactory, tmp_path: Path, token: str
) -> None:
    tokens = [entry for entry in small_vocab() if entry != token]
    path = write_vocab(tmp_path, "\n".join(tokens).encode())
    with pytest.raises(VocabError, match=rf"\[{token[1:-1]}\]"):
        make_tokenizer(tokens)
    with pytest.raises(VocabError, match=rf"vocab.txt.*\[{token[1:-1]}\]"):
        make_tokenizer(path)


def test_pad_and_mask_are_not_needed(make_tokenizer: TokenizerFactory) -> None:
    assert make_tokenizer(["[UNK]", "[CLS]", "[SEP]"]).encode("a") == [1, 0, 2]


def test_missing_file_is_named(make_tokenizer: TokenizerFactory, tmp_path: Path) -> None:
    with pytest.raises(VocabError, match=r"nowhere\.txt"):
        make_tokenizer(tmp_path / "nowhere.txt")
    with pytest.raises(VocabError):
        make_tokenizer(tmp_path)  # a directory


def test_file_that_is_not_utf8_is_refused_with_its_line(
    make_tokenizer: TokenizerFactory, tmp_path: Path
) -> None:
    path = write_vocab(tmp_path, SPECIAL_LINES + b"caf\xe9\n")
    with pytest.raises(VocabError, match=r"vocab\.txt.*6"):
        make_tokenizer(path)


@pytest.mark.parametrize("lines", [b"", b"\n", b" \n"])
def test_empty_file_is_refused(
    make_tokenizer: TokenizerFactory, tmp_path: Path, lines: bytes
) -> None:
    with pytest.raises(VocabError, match=r"vocab\.txt"):
        make_tokenizer(write_vocab(tmp_path, lines))


@pytest.mark.parametrize(
    "vocab",
    [
        *([], {}, 3, None, np.arange(5)),
        [*SPECIAL_TOKENS, 7],
        [*SPECIAL_TOKENS, b"a"],
        {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": -1},
        {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 2**31},
        {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": "3"},
        {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3.0},
        {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, 3: 3},
    ],
    ids=repr,
)
def test_what_is_no_vocabulary_is_refused_in_one_line(
    make_tokenizer: TokenizerFactory, vocab: Any
) -> None:
    with pytest.raises(VocabError) as caught:
        make_tokenizer(vocab)
    assert isinstance(caught.value, BertfastError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_odd_entries_do_no_harm(make_tokenizer: TokenizerFactory) -> None:
    odd = ["", "##", " ", "a b", "\x00", "a" * 10_000, "##" + "b" * 10_000, "#"]
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "a", "##b", *odd, "\ud800", "##\udfff"])
    assert tokenizer.tokenize("ab a b # \x00") == ["a", "##b", "a", "[UNK]", "#"]
    assert tokenizer.tokenize("a" * 10_000) == ["[UNK]"]


def test_lone_surrogate_entry_matches_its_character(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "a", "\ud800", "##\ud800", "##\udc00"])
    expected = reference.WordpieceTokenizer(tokenizer.vocab).tokenize("\ud800 a\ud800\udc00")
    assert tokenizer.tokenize("\ud800 a\ud800\udc00") == expected
