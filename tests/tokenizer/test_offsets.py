"""return_offsets: where each piece stands in its text, in code points."""

import mmap
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Encoding, Tokenizer
from bertfast.errors import InputError
from tests.conftest import TokenizerFactory
from tests.tokenizer.original import piece_spans
from tests.tokenizer.vocabulary import SPECIAL_TOKENS, alphabet_vocab, small_vocab

VOCAB = {token: index for index, token in enumerate(small_vocab())}

# Characters whose handling differs: kept, dropped, spaces, CJK, marks of several classes,
# decompositions, one to two on lowering, punctuation, lone surrogates.
HARD = (
    "aAbΣσİßﬁéÉ大豈한がΑ.,!'-≠;\u0301\u0327\u0345\u093e\u302e\U0001d16d\U0001d165\u1b44\u034f"
    "\U0001d160\U0002f800 \t\n\u00a0\u3000\u2028\x00\ufffd\x1c\x85\u00ad\u200b\ue000\u0378"
    "\ud800\udc00\U0001f600\U00010400"
)


def spans_of(encoding: Encoding, row: int = 0) -> list[tuple[int, int]]:
    """Return the offsets of a row's tokens, special ones included."""
    assert encoding.offsets is not None
    return [(start, end) for start, end in encoding.offsets[row, : encoding.lengths[row]].tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello world", [(0, 5), (6, 11)]),
        ("  unaffable!", [(2, 4), (4, 7), (7, 11), (11, 12)]),
        ("大学", [(0, 1), (1, 2)]),
        ("café", [(0, 4)]),
        ("cafe\u0301", [(0, 4)]),  # the accent at the word's end was dropped
        ("cafe\u0301s", [(0, 4), (5, 6)]),  # between pieces: outside both
        ("nai\u0308ve", [(0, 6)]),  # inside a piece: covered
        ("he\u200bllo", [(0, 6)]),
        ("\u200bhello\u200b", [(1, 6)]),
        ("\ufeffthe", [(1, 4)]),
        ("İstanbul", [(0, 8)]),
        ("xyzzy☃ hello", [(0, 6), (7, 12)]),  # [UNK] covers its word
        ("☃\u0301 a", [(0, 1), (3, 4)]),
        ("\u0301☃\u0301☃\u0301", [(1, 4)]),
        ("😀 👍", [(0, 1), (2, 3)]),  # code points, not UTF-16 units or bytes
        ("a\ud800b hello", [(0, 3), (4, 9)]),
        ("", []),
    ],
)
def test_offsets_written_out(
    tokenizer: Tokenizer, text: str, expected: list[tuple[int, int]]
) -> None:
    encoding = tokenizer([text], return_offsets=True)
    assert spans_of(encoding) == [(0, 0), *expected, (0, 0)]
    assert piece_spans(text, VOCAB, do_lower_case=True) == expected


def test_not_equal_sign_is_covered_by_its_equal_sign(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["a≠b"], return_offsets=True)
    assert spans_of(encoding)[1:-1] == [(0, 1), (1, 2), (2, 3)]


def test_jamo_of_one_syllable_share_its_place(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer(alphabet_vocab("\u1112\u1161\u11ab\u1100"))
    encoding = tokenizer(["한가"], return_offsets=True)
    assert spans_of(encoding)[1:-1] == [(0, 1), (0, 1), (0, 1), (1, 2), (1, 2)]


def test_reordered_marks_keep_their_own_places(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer(alphabet_vocab("a\u302e\U0001d16d"))
    encoding = tokenizer(["a\U0001d16d\u302e"], return_offsets=True)
    assert spans_of(encoding)[1:-1] == [(0, 1), (2, 3), (1, 2)]


def test_piece_of_reordered_marks_covers_all_of_them(make_tokenizer: TokenizerFactory) -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "a", "##\u302e\U0001d16d", "b\u302e\U0001d16d"])
    encoding = tokenizer(["a\U0001d16d\u302e b\U0001d16d\u0301\u302e"], return_offsets=True)
    assert spans_of(encoding)[1:-1] == [(0, 1), (1, 3), (4, 8)]


def test_offsets_array_has_its_type_and_shape(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["hello world", "", "a"], return_offsets=True, pad_to_multiple_of=8)
    assert encoding.offsets is not None
    assert encoding.offsets.dtype == np.int32
    assert encoding.offsets.shape == (3, 8, 2)
    assert encoding["offsets"] is encoding.offsets


def test_special_tokens_and_padding_have_no_place(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["hello world", "a"], ["the", ""], return_offsets=True)
    assert encoding.offsets is not None
    assert encoding.offsets.tolist() == [
        [[0, 0], [0, 5], [6, 11], [0, 0], [0, 3], [0, 0]],
        [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0]],
    ]


def test_offsets_of_pairs_are_each_into_their_own_text(tokenizer: Tokenizer) -> None:
    encoding = tokenizer([" hello"], ["\u200bworld a b"], max_length=6, return_offsets=True)
    assert spans_of(encoding) == [(0, 0), (1, 6), (0, 0), (1, 6), (7, 8), (0, 0)]


def test_offsets_without_special_tokens(tokenizer: Tokenizer) -> None:
    options = {"return_offsets": True, "add_special_tokens": False}
    encoding = tokenizer(["hello a"], ["the"], **options)  # type: ignore[call-overload]
    assert spans_of(encoding) == [(0, 5), (6, 7), (0, 3)]


def test_offsets_of_bytes_count_the_decoded_text(tokenizer: Tokenizer) -> None:
    data = b"\xff" + "大学 café".encode() + b"\xc3"
    encoding = tokenizer([data], return_offsets=True)
    text = data.decode("utf-8", "ignore")
    assert spans_of(encoding)[1:-1] == piece_spans(text, VOCAB, do_lower_case=True)


def test_offsets_change_no_id(tokenizer: Tokenizer) -> None:
    texts = ["Unaffable café 大学!", HARD, "", HARD[::-1]]
    plain = tokenizer(texts, max_length=40)
    placed = tokenizer(texts, max_length=40, return_offsets=True)
    assert np.array_equal(plain.input_ids, placed.input_ids)
    assert np.array_equal(plain.truncated, placed.truncated)


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("unknown", ["", "bβ\u302e大"], ids=["all-known", "some-unknown"])
@given(text=st.text(st.sampled_from(HARD), max_size=24))
def test_offsets_equal_the_oracle(
    make_tokenizer: TokenizerFactory, do_lower_case: bool, unknown: str, text: str
) -> None:
    tokenizer = _hard_tokenizer(make_tokenizer, unknown, do_lower_case=do_lower_case)
    encoding = tokenizer([text], return_offsets=True)
    expected = piece_spans(text, tokenizer.vocab, do_lower_case=do_lower_case)
    assert spans_of(encoding)[1:-1] == expected


_TOKENIZERS: dict[tuple[int, str, bool], Tokenizer] = {}


def _hard_tokenizer(make: TokenizerFactory, unknown: str, *, do_lower_case: bool) -> Tokenizer:
    key = (id(make), unknown, do_lower_case)
    if key not in _TOKENIZERS:
        produced = HARD.lower() + HARD + unicodedata.normalize("NFD", HARD.lower() + HARD) + "ς"
        known = "".join(char for char in produced if char not in unknown)
        _TOKENIZERS[key] = make(alphabet_vocab(known), do_lower_case=do_lower_case)
    return _TOKENIZERS[key]


@pytest.mark.parametrize("text", ["hello " * 2000 + "café", "é" * 150, "unaffable" * 50])
def test_offsets_of_long_texts_equal_the_oracle(tokenizer: Tokenizer, text: str) -> None:
    encoding = tokenizer([text], return_offsets=True)
    assert spans_of(encoding)[1:-1] == piece_spans(text, VOCAB, do_lower_case=True)


def test_offsets_that_no_int32_holds_are_refused_in_any_form(
    make_tokenizer: TokenizerFactory,
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    tokenizer = make_tokenizer(small_vocab())
    if tokenizer.implementation != "native":
        pytest.skip("the reference copies the text")
    size = 2**31
    memory = mmap.mmap(-1, size)  # no page of which is ever touched
    array = pyarrow.LargeStringArray.from_buffers(
        2, pyarrow.py_buffer(np.array([0, 0, size], np.int64)), pyarrow.py_buffer(memory)
    )
    with pytest.raises(InputError, match="row 1: offsets need a text of at most 2147483647"):
        tokenizer(array, return_offsets=True)
