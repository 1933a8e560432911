"""Where TF-Text's own BERT tokenizers differ from the original: the table of docs/parity.md.

Each assigned character stands inside a word, "xcx", with a vocabulary that knows every
character the original can give. Ideographs and Hangul syllables, which never differ, are left
out for speed.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import pytest

from tests.parity.graph import GraphTwin, import_tensorflow, numbered
from tests.parity.oracle import MemoizedReference, batches
from tests.tokenizer.vocabulary import SPECIAL_TOKENS

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)

TOKENIZERS = ("BertTokenizer", "FastBertTokenizer")
UNICODE_OF_THE_COUNTS = "14.0.0"

Tokenize = Callable[[list[bytes]], list[list[int]]]


@cache
def characters() -> list[str]:
    every = (chr(code) for code in range(0x110000))
    assigned = (char for char in every if unicodedata.category(char) not in ("Cn", "Co", "Cs"))
    return [char for char in assigned if not _is_ideograph_or_hangul(char)]


def _is_ideograph_or_hangul(char: str) -> bool:
    return unicodedata.name(char, "").startswith(
        ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HANGUL SYLLABLE", "TANGUT", "NUSHU")
    )


@cache
def vocabulary() -> dict[str, int]:
    """Every character but those that the original drops or splits at."""
    known = [char for char in characters() if unicodedata.category(char)[0] not in "CZ"]
    known = [char for char in known if char != "\ufffd"]
    return numbered(dict.fromkeys([*SPECIAL_TOKENS, *known, *(f"##{char}" for char in known)]))


@cache
def make_tokenizer(name: str, do_lower_case: bool) -> Tokenize:
    tf = import_tensorflow()
    import tensorflow_text as tf_text

    tokens = list(vocabulary())
    if name == "FastBertTokenizer":
        fast = tf_text.FastBertTokenizer(
            tokens, token_out_type=tf.int32, lower_case_nfd_strip_accents=do_lower_case
        )
        return lambda texts: fast.tokenize(texts).to_list()
    values = tf.lookup.KeyValueTensorInitializer(
        tokens, tf.range(len(tokens), dtype=tf.int64), value_dtype=tf.int64
    )
    slow = tf_text.BertTokenizer(
        tf.lookup.StaticVocabularyTable(values, 1), lower_case=do_lower_case
    )
    return lambda texts: slow.tokenize(texts).merge_dims(-2, -1).to_list()


@cache
def oracle(do_lower_case: bool) -> MemoizedReference:
    return MemoizedReference(vocabulary(), do_lower_case=do_lower_case)


def differs(name: str, text: str | bytes, do_lower_case: bool) -> bool:
    data = text.encode() if isinstance(text, str) else text
    [ids] = make_tokenizer(name, do_lower_case)([data])
    return ids != oracle(do_lower_case).ids(data)


def cause(char: str) -> str:
    """Return why a character is treated differently."""
    category = unicodedata.category(char)
    if category in ("Cc", "Cf") or char == "\ufffd":
        return "not dropped"
    if category[0] == "Z":
        return "not a space"
    if unicodedata.normalize("NFKC", char) != unicodedata.normalize("NFC", char):
        return "compatibility folding"
    if char.casefold() != char.lower():
        return "case folding"
    return "ignorable removed"


def count_causes(name: str, do_lower_case: bool) -> dict[str, int]:
    counts: Counter[str] = Counter()
    tokenize = make_tokenizer(name, do_lower_case)
    for batch in batches(f"x{char}x" for char in characters()):
        texts = [text for text in batch if isinstance(text, str)]
        for text, ids in zip(texts, tokenize([text.encode() for text in texts]), strict=True):
            if ids != oracle(do_lower_case).ids(text):
                counts[cause(text[1])] += 1
    return dict(counts)


FOLDED = {"case folding": 248, "compatibility folding": 3732, "ignorable removed": 2}
UNCASED: dict[str, dict[str, int]] = {
    "BertTokenizer": FOLDED | {"not dropped": 88, "not a space": 3},
    "FastBertTokenizer": FOLDED | {"not dropped": 88},
}
CASED: dict[str, dict[str, int]] = {
    "BertTokenizer": {"not dropped": 226, "not a space": 18},
    "FastBertTokenizer": {"not dropped": 226},
}


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])
def test_tf_text_differs_on_so_many_characters(name: str, do_lower_case: bool) -> None:
    counts = count_causes(name, do_lower_case)
    if unicodedata.unidata_version == UNICODE_OF_THE_COUNTS:
        assert counts == (UNCASED if do_lower_case else CASED)[name]
    assert sum(counts.values()) > 100


DIFFERENT: list[tuple[str, str | bytes, bool]] = [
    ("case folding", "straße", True),
    ("compatibility folding, ligature", "ﬁn", True),
    ("compatibility folding, full-width punctuation", "a，b", True),
    ("compatibility folding, superscript", "x²", True),
    ("compatibility folding, space and accent", "a¨b", True),
    ("not dropped, zero-width space", "a\u200bb", False),
    ("not dropped, soft hyphen", "a\u00adb", False),
    ("not dropped, control", "a\x07b", True),
    ("not dropped, replacement character", "a\ufffdb", False),
    ("ignorable removed", "a\u115fb", True),
    ("final sigma", "ΛΟΓΟΣ", True),
    ("word over 100 bytes", "a" * 101, True),
    ("word of 51 Cyrillic letters", "я" * 51, False),
    ("invalid UTF-8", b"a\xffb", True),
]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize(
    ("text", "do_lower_case"),
    [(text, lower) for _, text, lower in DIFFERENT],
    ids=[case for case, _, _ in DIFFERENT],
)
def test_tf_text_differs(name: str, text: str | bytes, do_lower_case: bool) -> None:
    assert differs(name, text, do_lower_case)


def test_bert_tokenizer_does_not_split_at_a_line_separator() -> None:
    assert differs("BertTokenizer", "a\u2028b", True)
    assert not differs("FastBertTokenizer", "a\u2028b", True)


@pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])
def test_ours_does_not_differ_there(do_lower_case: bool) -> None:
    twin = GraphTwin(vocabulary(), do_lower_case=do_lower_case)
    texts = [text.encode() if isinstance(text, str) else text for _, text, _ in DIFFERENT]
    texts += [f"x{char}x".encode() for char in characters()]
    ids, offsets = twin.encode(texts)
    for row, text in enumerate(texts):
        assert ids[offsets[row] : offsets[row + 1]].tolist() == oracle(do_lower_case).ids(text)


def test_tf_text_refuses_a_vocabulary_that_has_its_filler() -> None:
    import_tensorflow()
    import tensorflow_text as tf_text

    with pytest.raises(RuntimeError, match="Duplicated key"):
        tf_text.FastBertTokenizer([*SPECIAL_TOKENS, "\x11", "##\x11", "a"])
    GraphTwin(numbered([*SPECIAL_TOKENS, "\x11", "##\x11", "a"]), do_lower_case=True)
