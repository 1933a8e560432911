"""strip_accents and tokenize_chinese_chars: Hugging Face's switches under Google's law."""

import pickle
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer, reference, tokenization
from tests.tokenizer.switches import (
    COMBINATIONS,
    EVERY_COMBINATION,
    Switches,
    build_switched,
    spans_of,
)
from tests.tokenizer.vocabulary import alphabet_vocab, join_pieces, small_vocab

# Every way through the tokenizer: kept and stripped marks of several classes, decompositions
# with and without case, one to two on lowering, sigmas, CJK that decomposes, punctuation after
# NFD, dropped characters, lone surrogates.
HARD = (
    "aAbΣσİßﬁéÉ大豈한がΑᾈǅ.,!'-≠;\u0301\u0327\u0345\u093e\u302e\U0001d16d\U0001d165\u1b44\u034f"
    "\U0001d160\U0002f800 \t\n\u00a0\u3000\u2028\x00\ufffd\x1c\u00ad\u200b\ue000\u0378\ud800"
    "\U0001f600\U00010400"
)
PRODUCED = HARD + HARD.lower() + "ς"
KNOWN = PRODUCED + unicodedata.normalize("NFD", PRODUCED)

# text, then its words: lowered and stripped, lowered, stripped, neither
CASES = [
    ("Café", "cafe", "café", "Cafe", "Café"),
    ("CAFE\u0301", "cafe", "cafe\u0301", "CAFE", "CAFE\u0301"),
    ("ΛΌΓΟΣ", "λογος", "λόγος", "ΛΟΓΟΣ", "ΛΌΓΟΣ"),  # final sigma with lowering alone
    ("ΑΣ.Α ΑΣ", "ασ . α ας", "ασ . α ας", "ΑΣ . Α ΑΣ", "ΑΣ . Α ΑΣ"),
    ("İstanbul", "istanbul", "i\u0307stanbul", "Istanbul", "İstanbul"),
    ("a≠b", "a = b", "a≠b", "a = b", "a≠b"),  # punctuation once it is decomposed
    ("한", "\u1112\u1161\u11ab", "한", "\u1112\u1161\u11ab", "한"),
    ("Straße ﬁ", "straße ﬁ", "straße ﬁ", "Straße ﬁ", "Straße ﬁ"),
    ("\u0301 A\u0345", "a", "\u0301 a\u0345", "A", "\u0301 A\u0345"),
    # Marks that stripping keeps are put in canonical order, which belongs to NFD.
    ("A\U0001d16d\u302e", "a\u302e\U0001d16d", "a\U0001d16d\u302e", "A\u302e\U0001d16d", None),
    ("\U00010400É", "\U00010428e", "\U00010428é", "\U00010400E", "\U00010400É"),
]


@pytest.mark.parametrize(("text", "both", "lower", "strip", "neither"), CASES)
def test_lowering_and_stripping_are_two_steps(
    implementation: str, text: str, both: str, lower: str, strip: str, neither: str | None
) -> None:
    expected = {(True, True): both, (True, False): lower, (False, True): strip}
    expected[False, False] = text if neither is None else neither
    for (do_lower_case, strip_accents), words in expected.items():
        switches = Switches(do_lower_case, strip_accents, True)
        tokenizer = build_switched(implementation, alphabet_vocab(text, words), switches)
        assert join_pieces(tokenizer.tokenize(text)) == words.split()


@pytest.mark.parametrize(
    ("text", "isolated", "joined"),
    [
        ("大学", "大 学", "大学"),
        ("abc大学xyz", "abc 大 学 xyz", "abc大学xyz"),
        ("Α大Σ", "α 大 σ", "α大σ"),  # an ideograph has no case: the same by either rule
        ("ΑΣ大", "ας 大", "ας大"),
        ("大\u0301学", "大 学", "大学"),
        ("大、学", "大 、 学", "大 、 学"),
        ("\uf900a", "\u8c48 a", "\u8c48a"),  # decomposes to another ideograph
        ("ひら大", "ひら 大", "ひら大"),
    ],
)
def test_ideographs_are_letters_without_their_switch(
    implementation: str, text: str, isolated: str, joined: str
) -> None:
    vocab = alphabet_vocab(text, isolated)
    for tokenize_chinese_chars, words in ((True, isolated), (False, joined)):
        switches = Switches(True, None, tokenize_chinese_chars)
        tokenizer = build_switched(implementation, vocab, switches)
        assert join_pieces(tokenizer.tokenize(text)) == words.split()


@pytest.mark.parametrize("do_lower_case", [True, False])
@given(text=st.text(st.sampled_from(HARD), max_size=24))
def test_accents_follow_lowering_by_default(do_lower_case: bool, text: str) -> None:
    default = _hard_tokenizer("native", Switches(do_lower_case, None, True))
    stated = _hard_tokenizer("native", Switches(do_lower_case, do_lower_case, True))
    assert default.encode(text) == stated.encode(text)
    assert default.options == stated.options
    basic = reference.BasicTokenizer(do_lower_case)
    assert basic.tokenize(text) == reference.BasicTokenizer(
        do_lower_case, strip_accents=do_lower_case
    ).tokenize(text)


@cache
def _hard_tokenizer(implementation: str, switches: Switches, unknown: str = "") -> Tokenizer:
    known = "".join(char for char in KNOWN if char not in unknown)
    return build_switched(implementation, alphabet_vocab(known), switches)


@EVERY_COMBINATION
@given(text=st.text(st.sampled_from(HARD), max_size=24))
def test_native_equals_the_reference(switches: Switches, text: str) -> None:
    native = _hard_tokenizer("native", switches)
    basic = reference.BasicTokenizer(
        switches.do_lower_case,
        strip_accents=switches.strip_accents,
        tokenize_chinese_chars=switches.tokenize_chinese_chars,
    )
    wordpiece = reference.WordpieceTokenizer(native.vocab)
    pieces = [piece for word in basic.tokenize(text) for piece in wordpiece.tokenize(word)]
    assert native.tokenize(text) == pieces
    assert native.tokenize(text.encode("utf-8", "ignore")) == native.tokenize(
        text.encode("utf-8", "ignore").decode()
    )


@EVERY_COMBINATION
@pytest.mark.parametrize("unknown", ["", "bβ\u302e大"], ids=["all-known", "some-unknown"])
@given(texts=st.lists(st.text(st.sampled_from(HARD), max_size=24), max_size=4))
def test_offsets_of_native_and_reference_are_equal(
    switches: Switches, unknown: str, texts: list[str]
) -> None:
    native = _hard_tokenizer("native", switches, unknown)
    twin = _hard_tokenizer("reference", switches, unknown)
    assert spans_of(native, texts) == spans_of(twin, texts)


@pytest.mark.parametrize(
    ("switches", "text", "expected"),
    [
        (Switches(True, False, True), "CAFÉ İb", ["café", "i\u0307b"]),
        (Switches(False, True, True), "CAFÉ Éb", ["CAFE", "Eb"]),
        (Switches(True, True, False), "x大\u0301学 É", ["x大学", "e"]),
    ],
    ids=str,
)
def test_offsets_point_into_the_given_text(
    implementation: str, switches: Switches, text: str, expected: list[str]
) -> None:
    words = [*expected, *(f"##{word}" for word in expected)]
    tokenizer = build_switched(implementation, alphabet_vocab(extra=words), switches)
    assert tokenizer.tokenize(text) == expected
    starts = [0, text.index(" ") + 1]
    spans = [(start, start + len(word)) for start, word in zip(starts, text.split(), strict=True)]
    assert [(start, end) for _, start, end in spans_of(tokenizer, [text])[0]] == spans


@EVERY_COMBINATION
def test_chunks_are_remembered_exactly(implementation: str, switches: Switches) -> None:
    # Twice: from the cache the second time. Also one by one, and cut at every length.
    tokenizer = _hard_tokenizer(implementation, switches)
    texts = [HARD[i:] + HARD[:i] for i in range(0, len(HARD), 5)]
    rows = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    for _ in range(2):
        ids, offsets = tokenizer.encode_ragged(texts, add_special_tokens=False)
        assert [ids[offsets[i] : offsets[i + 1]].tolist() for i in range(len(texts))] == rows
    for limit in range(1, 12):
        cut = tokenizer(texts, max_length=limit, add_special_tokens=False)
        assert [row[:n].tolist() for row, n in zip(cut.input_ids, cut.lengths, strict=True)] == [
            row[:limit] for row in rows
        ]


@pytest.mark.parametrize("switches", [*COMBINATIONS, Switches(True, None, True)], ids=str)
def test_switches_survive_pickling(implementation: str, switches: Switches) -> None:
    tokenizer = build_switched(implementation, alphabet_vocab(KNOWN), switches)
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.options == tokenizer.options
    assert copy.tokenize(HARD) == tokenizer.tokenize(HARD)


def test_repr_shows_what_differs_from_the_original() -> None:
    vocab = small_vocab()
    shown = [
        repr(build_switched("native", vocab, switches)).partition("tokens, ")[2]
        for switches in (
            Switches(True, None, True),
            Switches(False, None, True),
            Switches(True, False, False),
            Switches(False, True, True),
        )
    ]
    assert shown == [
        "do_lower_case=True)",
        "do_lower_case=False)",
        "do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False)",
        "do_lower_case=False, strip_accents=True)",
    ]


@pytest.mark.parametrize("make", [tokenization.FullTokenizer, reference.FullTokenizer])
def test_full_tokenizer_takes_the_switches(make: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "É大", "e", "大", "é", "["]
    path.write_text("\n".join(vocab), encoding="utf-8")
    options = {"strip_accents": False, "tokenize_chinese_chars": False}
    cased = make(path, False, **options)
    assert cased.tokenize("É大 [MASK]") == ["É大", "[", "[UNK]", "[UNK]"]  # type: ignore[attr-defined]
    lowered = make(path, strip_accents=False)
    assert lowered.tokenize("É大") == ["é", "大"]  # type: ignore[attr-defined]
    habit = make(path, special_tokens_in_text=True)
    assert habit.tokenize("É大[MASK]") == ["e", "大", "[MASK]"]  # type: ignore[attr-defined]
