"""special_tokens_in_text: is "[MASK]" in a text the token, as Hugging Face says, or text?"""

import pickle
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer, reference
from bertfast.vocab import SPECIAL_TOKENS
from tests.tokenizer.switches import Switches, build_switched, spans_of
from tests.tokenizer.vocabulary import alphabet_vocab, small_vocab

UNCASED = Switches(True, None, True)

# Special tokens, parts of them, and characters that could hide where one begins or ends.
FRAGMENTS = (
    *SPECIAL_TOKENS,
    *("[", "]", "[[", "[MA", "SK]", "MASK", "[mask]", "[MASK", "MASK]", "[ MASK]", "[ＭASK]"),
    *(
        " ",
        "\t",
        "\n",
        "\u3000",
        "a",
        "b",
        "ab",
        "É",
        "e\u0301",
        "\u0301",
        "Σ",
        "大",
        "!",
        "##",
        "#",
    ),
    *("\u200b", "\u00ad", "\x00", "한", "≠", "\U0001f600", "c" * 201),
)
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=9).map("".join)


@cache
def habit(implementation: str, switches: Switches = UNCASED) -> Tokenizer:
    """Return a tokenizer with special tokens on a vocabulary of all that FRAGMENTS become."""
    text = "".join(FRAGMENTS)
    vocab = alphabet_vocab(text, text.lower(), "e\u0301=ᄒ\u1161\u11abσς", extra=["ab", "##cc"])
    return build_switched(implementation, vocab, switches, special_tokens_in_text=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [MASK] b", ["a", "[MASK]", "b"]),
        ("[MASK]", ["[MASK]"]),
        ("[CLS]a[SEP]b[SEP]", ["[CLS]", "a", "[SEP]", "b", "[SEP]"]),
        ("[PAD][UNK][MASK]", ["[PAD]", "[UNK]", "[MASK]"]),
        # A word ends at a special token, and the next one begins a word.
        ("a[MASK]b", ["a", "[MASK]", "b"]),
        ("ab[MASK]ab", ["ab", "[MASK]", "ab"]),
        # The leftmost counts; a bracket more is a bracket.
        ("[[MASK]]", ["[", "[MASK]", "]"]),
        ("[MASK[MASK]", ["[", "m", "##a", "##s", "##k", "[MASK]"]),
        # Case-sensitive, not stripped, found before normalization.
        ("[mask]", ["[", "m", "##a", "##s", "##k", "]"]),
        ("[ MASK]", ["[", "m", "##a", "##s", "##k", "]"]),
        ("[MA\u0301SK]", ["[", "m", "##a", "##s", "##k", "]"]),
        ("[MA\u200bSK]", ["[", "m", "##a", "##s", "##k", "]"]),
        ("[MASK]\u0301a", ["[MASK]", "a"]),
        # What lies between is a text of its own: sigma's context ends at the token.
        ("aΣ[SEP]a", ["a", "##ς", "[SEP]", "a"]),
        ("a[SEP]Σ", ["a", "[SEP]", "σ"]),
        ("", []),
        (" \u200b ", []),
    ],
)
def test_special_token_stands_for_itself(
    implementation: str, text: str, expected: list[str]
) -> None:
    tokenizer = habit(implementation)
    assert tokenizer.tokenize(text) == expected
    assert tokenizer.tokenize(text.encode()) == expected
    assert tokenizer.encode(text)[1:-1] == tokenizer.convert_tokens_to_ids(expected)


def test_special_tokens_are_text_by_default(implementation: str) -> None:
    tokenizer = build_switched(implementation, small_vocab(), UNCASED)
    assert tokenizer.tokenize("a [MASK]") == ["a", "[", "m", "##a", "##s", "##k", "]"]
    assert not tokenizer.options.special_tokens_in_text


def test_token_that_the_vocabulary_lacks_is_text(implementation: str) -> None:
    vocab = [token for token in small_vocab() if token not in ("[MASK]", "[PAD]")]
    tokenizer = build_switched(implementation, vocab, UNCASED, special_tokens_in_text=True)
    assert tokenizer.tokenize("[MASK][SEP]")[-2:] == ["]", "[SEP]"]
    assert len(tokenizer.tokenize("[PAD]")) > 1


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (" [MASK] a", [(1, 7), (8, 9)]),
        ("大[SEP]ab\u200b[MASK]", [(0, 1), (1, 6), (6, 8), (9, 15)]),
        ("\U0001f600[MASK]\u0301é a", [(0, 1), (1, 7), (8, 9), (10, 11)]),
        ("e\u0301[UNK]" + "c" * 201, [(0, 1), (2, 7), (7, 208)]),
    ],
)
def test_offsets_cover_the_characters_of_the_token(
    implementation: str, text: str, spans: list[tuple[int, int]]
) -> None:
    tokenizer = habit(implementation)
    for given_text in (text, text.encode()):
        found = spans_of(tokenizer, [given_text])[0]
        assert [(start, end) for _, start, end in found] == spans


def test_invalid_bytes_are_ignored_inside_a_token_too(implementation: str) -> None:
    tokenizer = habit(implementation)
    damaged = b"a\xff[MA\xe2\x82SK\xc3]\x80a [MASK\xf0"
    assert tokenizer.tokenize(damaged) == tokenizer.tokenize(damaged.decode("utf-8", "ignore"))
    assert tokenizer.tokenize(damaged)[:3] == ["a", "[MASK]", "a"]
    assert [span[1:] for span in spans_of(tokenizer, [damaged])[0]][:3] == [(0, 1), (1, 7), (7, 8)]


@given(texts=st.lists(TEXTS, max_size=6))
def test_native_equals_the_fallback(texts: list[str]) -> None:
    native, twin = habit("native"), habit("reference")
    assert spans_of(native, texts) == spans_of(twin, texts)
    data = [text.encode() for text in texts]
    assert spans_of(native, data) == spans_of(twin, texts)
    ids, offsets = native.encode_ragged(texts)
    assert np.array_equal(ids, twin.encode_ragged(texts)[0])
    assert np.array_equal(offsets, twin.encode_ragged(texts)[1])


@given(data=st.lists(st.sampled_from([*SPECIAL_TOKENS, "[", "MASK]", "a", "\xff", "\xe2", " "])))
def test_damaged_bytes_are_read_as_their_decoded_text(data: list[str]) -> None:
    damaged = "".join(data).encode("latin-1")
    tokenizer = habit("native")
    text = damaged.decode("utf-8", "ignore")
    assert spans_of(tokenizer, [damaged]) == spans_of(tokenizer, [text])


@given(text=TEXTS)
def test_reference_and_tokenizer_agree(text: str) -> None:
    native = habit("native")
    basic, wordpiece = reference.BasicTokenizer(), reference.WordpieceTokenizer(native.vocab)
    pieces: list[str] = []
    for part in reference.split_at_special_tokens(text, SPECIAL_TOKENS):
        words = [] if part in SPECIAL_TOKENS else basic.tokenize(part)
        pieces += [part] if part in SPECIAL_TOKENS else []
        pieces += [piece for word in words for piece in wordpiece.tokenize(word)]
    assert native.tokenize(text) == pieces


@pytest.mark.parametrize("max_length", [1, 2, 3, 4, 7, 12])
def test_truncated_texts_are_prefixes(implementation: str, max_length: int) -> None:
    tokenizer = habit(implementation)
    random = Random("special tokens")
    texts = ["".join(random.choices(FRAGMENTS, k=12)) for _ in range(150)]
    rows = spans_of(tokenizer, texts)
    cut = tokenizer(texts, max_length=max_length, add_special_tokens=False, return_offsets=True)
    assert cut.offsets is not None
    for row, expected in enumerate(rows):
        n = cut.lengths[row]
        kept = expected[:max_length]
        assert cut.input_ids[row, :n].tolist() == [index for index, _, _ in kept]
        assert cut.offsets[row, :n].tolist() == [[start, end] for _, start, end in kept]
        assert cut.truncated[row] == (len(expected) > max_length)


@pytest.mark.parametrize("wide", ["", "é", "大", "\U0001f600"], ids=["ascii", "latin1", "2", "4"])
@pytest.mark.parametrize("space", [" ", ""], ids=["spaces", "no-space"])
def test_long_texts_are_read_in_parts(wide: str, space: str) -> None:
    # Longer than the 65,536 units in which special tokens are looked for at a time.
    tokenizer = habit("native")
    unit = f"ab{space}[MASK]{wide}a!{space}"
    text = unit * (150_000 // len(unit))
    one = tokenizer.tokenize(unit)
    repeats = len(text) // len(unit)
    assert tokenizer.tokenize(text) == one * repeats
    assert tokenizer.tokenize(text.encode()) == one * repeats
    spans = spans_of(tokenizer, [unit])[0]
    expected = [
        (index, start + at, end + at)
        for at in range(0, len(text), len(unit))
        for index, start, end in spans
    ]
    assert spans_of(tokenizer, [text])[0] == expected
    assert spans_of(tokenizer, [text.encode()])[0] == expected
    for limit in (1, 3, 100):
        cut = tokenizer([text], max_length=limit, add_special_tokens=False)
        assert cut.input_ids[0].tolist() == [index for index, _, _ in expected[:limit]]


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_threads_change_nothing(num_threads: int) -> None:
    random = Random("threads")
    texts = ["".join(random.choices(FRAGMENTS, k=random.randrange(40))) for _ in range(3000)]
    tokenizer = habit("native")
    ids, offsets = tokenizer.encode_ragged(texts, num_threads=num_threads)
    rows = [tokenizer.encode(text) for text in texts]
    assert np.array_equal(ids, np.concatenate([np.array(row) for row in rows]))
    assert np.diff(offsets).tolist() == list(map(len, rows))


def test_pairs_windows_and_files_take_special_tokens(implementation: str, tmp_path: Path) -> None:
    tokenizer = habit(implementation)
    mask, sep = tokenizer.convert_tokens_to_ids(["[MASK]", "[SEP]"])
    pair = tokenizer(["a[MASK]"], ["[SEP]b"])
    assert (pair.input_ids[0] == sep).sum() == 3
    assert pair.segment_ids[0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    windows = tokenizer(["a [MASK] b [MASK] a"], max_length=5, stride=1)
    assert windows.input_ids[:, 2].tolist() == [mask, mask]
    path = tmp_path / "texts.txt"
    path.write_bytes(b"a [MASK]\n\n[MASK][MASK]")
    ids, offsets = tokenizer.encode_files([path], add_special_tokens=False)
    assert np.diff(offsets).tolist() == [2, 0, 2]
    assert ids[1:].tolist() == [mask] * 3


def test_option_survives_pickling_and_shows(implementation: str) -> None:
    tokenizer = habit(implementation)
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.tokenize("[MASK]") == ["[MASK]"]
    assert "special_tokens_in_text=True" in repr(copy)


@pytest.mark.parametrize("switches", [UNCASED, Switches(False, None, True)], ids=str)
def test_hugging_face_gives_the_same(switches: Switches) -> None:
    """Characters in which the two differ for other reasons are left out: U+03A3 and long words."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    ours = habit("native", switches)
    theirs = tokenizers.BertWordPieceTokenizer(ours.vocab, lowercase=switches.do_lower_case)
    fragments = [fragment for fragment in FRAGMENTS if fragment[0] not in "Σc"]
    random = Random("hugging face")
    texts = ["".join(random.choices(fragments, k=random.randrange(10))) for _ in range(20_000)]
    expected = theirs.encode_batch(texts, add_special_tokens=False)
    for text, row, encoding in zip(texts, spans_of(ours, texts), expected, strict=True):
        assert [index for index, _, _ in row] == encoding.ids, text
        if not set(text) & set("\u0301\u200b\u00ad\x00"):  # spans of dropped characters differ
            assert [span[1:] for span in row] == encoding.offsets, text
