"""One text at a time: tokenize, encode, decode and the conversions."""

import ctypes
import sys

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.errors import UnknownTokenError
from tests.tokenizer.vocabulary import small_vocab

VOCAB = {token: index for index, token in enumerate(small_vocab())}
CLS, SEP, UNK = VOCAB["[CLS]"], VOCAB["[SEP]"], VOCAB["[UNK]"]


def ids_of(*tokens: str) -> list[int]:
    return [VOCAB[token] for token in tokens]


def test_tokenize_gives_pieces_without_special_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokenize("Unaffable, 試す Café!") == [
        *("un", "##aff", "##able", ",", "試", "す", "cafe", "!"),
    ]


def test_tokenize_cased(cased_tokenizer: Tokenizer) -> None:
    assert cased_tokenizer.tokenize("Hello Café cafe 한국 HELLO") == [
        *("Hello", "Café", "cafe", "한국", "[UNK]"),
    ]


def test_encode_adds_special_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("Hello world") == [CLS, *ids_of("hello", "world"), SEP]
    assert tokenizer.encode("Hello world", add_special_tokens=False) == ids_of("hello", "world")


def test_encode_returns_a_list_of_python_integers(tokenizer: Tokenizer) -> None:
    for ids in (tokenizer.encode("hello xyzzy☃"), tokenizer.encode("hello", "world")):
        assert type(ids) is list
        assert {type(index) for index in ids} == {int}


def test_encode_pair_puts_a_separator_after_each_text(tokenizer: Tokenizer) -> None:
    expected = [CLS, *ids_of("hello"), SEP, *ids_of("the", "world"), SEP]
    assert tokenizer.encode("hello", "the world") == expected
    assert tokenizer.encode("hello", "the world", add_special_tokens=False) == ids_of(
        *("hello", "the", "world")
    )


@pytest.mark.parametrize("empty", ["", " \u200b", b""])
def test_encode_pair_without_second_pieces_has_one_separator(
    tokenizer: Tokenizer, empty: str | bytes
) -> None:
    assert tokenizer.encode("hello", empty) == [CLS, *ids_of("hello"), SEP]


def test_encode_empty_text_gives_the_special_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("") == [CLS, SEP]
    assert tokenizer.encode("", add_special_tokens=False) == []
    assert tokenizer.encode("", "hello") == [CLS, SEP, *ids_of("hello"), SEP]


def test_encode_max_length_keeps_the_special_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("the hello world", max_length=4) == [
        CLS,
        *ids_of("the", "hello"),
        SEP,
    ]
    assert tokenizer.encode("the hello world", max_length=2) == [CLS, SEP]
    assert tokenizer.encode("the hello", max_length=1, add_special_tokens=False) == ids_of("the")


def test_encode_max_length_may_cut_a_word(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("unaffable", max_length=4) == [CLS, *ids_of("un", "##aff"), SEP]


def test_encode_bytes_equals_encode_of_the_decoded_text(tokenizer: Tokenizer) -> None:
    data = "Café 大学 😀".encode() + b"\xff\xc3"
    assert tokenizer.encode(data) == tokenizer.encode(data.decode("utf-8", "ignore"))
    assert tokenizer.tokenize(data) == ["cafe", "大", "学", "😀"]


def test_subclasses_of_str_and_bytes_are_texts(tokenizer: Tokenizer) -> None:
    class Text(str):
        __slots__ = ()

    expected = tokenizer.encode("Hello world")
    assert tokenizer.encode(Text("Hello world")) == expected
    assert tokenizer.encode(np.str_("Hello world")) == expected
    assert tokenizer.encode(np.bytes_(b"Hello world")) == expected


@pytest.mark.parametrize(
    "text",
    ["hello", "café", "试大", "😀 hello", "a\ud800 hello", "ü" * 300, "хello", "𝐚" * 70],
)
def test_every_width_of_python_string_is_read(tokenizer: Tokenizer, text: str) -> None:
    # CPython stores 1, 2 or 4 bytes a character, by the highest one in the string.
    words = [tokenizer.tokenize(word) for word in text.split()]
    assert tokenizer.tokenize(text) == [piece for word in words for piece in word]


def test_decode_joins_pieces(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("Unaffable, hello!")
    assert tokenizer.decode(ids) == "[CLS] unaffable , hello ! [SEP]"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "unaffable , hello !"
    assert tokenizer.decode(np.array(ids, np.int64)) == tokenizer.decode(ids)
    assert tokenizer.decode([]) == ""


def test_decode_a_piece_without_a_word_keeps_its_mark(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(ids_of("##ing", "work", "##ing")) == "##ing working"


def test_conversions_are_each_others_inverse(tokenizer: Tokenizer) -> None:
    tokens = small_vocab()
    assert tokenizer.convert_tokens_to_ids(tokens) == list(range(len(tokens)))
    assert tokenizer.convert_ids_to_tokens(range(len(tokens))) == tokens
    assert tokenizer.convert_ids_to_tokens(np.array([UNK, CLS])) == ["[UNK]", "[CLS]"]


def test_unknown_token_or_id_is_named_in_the_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(UnknownTokenError, match="xyzzy"):
        tokenizer.convert_tokens_to_ids(["hello", "xyzzy"])
    with pytest.raises(UnknownTokenError, match="99999"):
        tokenizer.convert_ids_to_tokens([1, 99999])
    with pytest.raises(KeyError, match="-1"):
        tokenizer.decode([-1])


def test_vocabulary_is_shown(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab == VOCAB
    assert tokenizer.vocab_size == len(VOCAB)


def test_changing_the_shown_vocabulary_changes_nothing(tokenizer: Tokenizer) -> None:
    before = tokenizer.encode("hello")
    try:
        tokenizer.vocab["hello"] = 0
        tokenizer.vocab.clear()
    except TypeError:
        pass  # a read-only view is as good
    assert tokenizer.vocab == VOCAB
    assert tokenizer.encode("hello") == before


def test_implementation_is_the_one_asked_for(tokenizer: Tokenizer, implementation: str) -> None:
    assert tokenizer.implementation == implementation


def test_native_core_is_what_users_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BERTFAST_IMPLEMENTATION", raising=False)
    assert Tokenizer(small_vocab()).implementation == "native"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there is no such str any more")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_str_that_an_old_extension_has_made(tokenizer: Tokenizer) -> None:
    make = ctypes.pythonapi.PyUnicode_FromStringAndSize
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t]
    units = ctypes.pythonapi.PyUnicode_AsUnicode
    units.restype, units.argtypes = ctypes.c_void_p, [ctypes.py_object]

    def legacy() -> str:
        text: str = make(None, 5)
        ctypes.memmove(units(text), ctypes.create_unicode_buffer("hello"), 20)
        return text

    assert tokenizer.encode(legacy()) == tokenizer.encode("hello")
    assert tokenizer.encode_ragged([legacy()])[0].tolist() == tokenizer.encode("hello")
