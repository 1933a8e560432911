"""The tokenizer in the graph = reference, on everything that the native core is compared on.

`make test` runs the quick part, `make parity-graph` all of it. Skipped without TF-Text.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from random import Random

import pytest

from bertfast.vocab import load_vocab
from tests.parity.code_points import CONTEXT_CHARACTERS, CONTEXTS, N_CODE_POINTS, notable
from tests.parity.conftest import Finish
from tests.parity.graph import (
    GraphTwin,
    assigned_vocab,
    class_in,
    compare,
    compare_in_contexts,
    in_contexts,
    numbered,
)
from tests.parity.oracle import Comparison, MemoizedReference, revealing_vocab
from tests.parity.strings import GENERATORS, random_strings
from tests.parity.test_bytes import HARD_BYTES, random_bytes
from tests.tokenizer.vocabulary import SPECIAL_TOKENS

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)

PLANE = 0x10000
GOOGLE = {
    "bert-base-uncased": True,
    "bert-base-cased": False,
    "bert-base-chinese": True,
    "bert-base-multilingual-cased": False,
}
ASSIGNED = {"assigned, uncased": True, "assigned, cased": False}
ALL = {**GOOGLE, **ASSIGNED}
MODES = pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])

TwinFactory = Callable[[str], GraphTwin]


@pytest.fixture
def make_twin(request: pytest.FixtureRequest) -> TwinFactory:
    """Build twins by the name of their vocabulary; Google's need the shared data."""

    def make(name: str) -> GraphTwin:
        if name in ASSIGNED:
            return _twin_of_assigned(ASSIGNED[name])
        path: Path = request.getfixturevalue("shared_vocab")(name)
        return _twin_of_file(path, GOOGLE[name])

    return make


@cache
def _twin_of_file(path: Path, do_lower_case: bool) -> GraphTwin:
    return GraphTwin(load_vocab(path), do_lower_case=do_lower_case)


@cache
def _twin_of_assigned(do_lower_case: bool) -> GraphTwin:
    return GraphTwin(numbered(assigned_vocab()), do_lower_case=do_lower_case)


def _encodable(texts: Iterable[str]) -> Iterator[bytes]:
    return (text.encode("utf-8", "ignore") for text in texts)


@MODES
def test_graph_notable_code_points_in_contexts(do_lower_case: bool, finish: Finish) -> None:
    code_points = notable()[:: 1 if do_lower_case else 3]
    characters = [chr(code) for code in code_points if not 0xD800 <= code < 0xE000]
    vocab = numbered(revealing_vocab([*characters, *CONTEXT_CHARACTERS]))
    twin = GraphTwin(vocab, do_lower_case=do_lower_case)
    finish("graph: notable code points × 8 contexts", compare(twin, in_contexts(code_points)))


@MODES
def test_reference_does_not_tell_characters_of_a_class_apart(do_lower_case: bool) -> None:
    tokens = [*SPECIAL_TOKENS, *CONTEXT_CHARACTERS, *(f"##{char}" for char in CONTEXT_CHARACTERS)]
    oracle = MemoizedReference(numbered(tokens), do_lower_case=do_lower_case)
    known = set("".join(tokens))
    rows: dict[tuple[object, ...], list[list[int]]] = {}
    characters = [chr(code) for code in notable()[::3] if not 0xD800 <= code < 0xE000]
    for char in characters:
        found = [oracle.ids(context.format(char)) for context in CONTEXTS]
        assert rows.setdefault(class_in(known, char), found) == found, ascii(char)
    assert len(rows) < len(characters) / 2


@MODES
def test_graph_some_random_strings(do_lower_case: bool, finish: Finish) -> None:
    texts = [text for generator in GENERATORS for text in random_strings(generator, 300)]
    twin = GraphTwin(numbered(revealing_vocab("".join(texts))), do_lower_case=do_lower_case)
    finish("graph: some random strings", compare(twin, _encodable(texts)))


@pytest.mark.shared
@pytest.mark.parametrize("name", GOOGLE)
def test_graph_some_random_strings_of_real_vocabularies(
    name: str, make_twin: TwinFactory, finish: Finish
) -> None:
    texts = [text for generator in GENERATORS for text in random_strings(generator, 300)]
    comparison = compare(make_twin(name), _encodable(texts))
    finish("graph: some random strings, Google's vocabularies", comparison)


@MODES
def test_graph_bytes(do_lower_case: bool, finish: Finish) -> None:
    random = Random("bertfast parity graph bytes")
    strings = [bytes(word) for n in (1, 2, 3) for word in product(HARD_BYTES, repeat=n)]
    strings += [random_bytes(random) for _ in range(2000)]
    characters = {char for data in strings for char in data.decode("utf-8", "ignore")}
    twin = GraphTwin(numbered(revealing_vocab(characters)), do_lower_case=do_lower_case)
    finish("graph: strings of 1–3 hard bytes, random bytes", compare(twin, strings))


# Each is awkward for TF-Text: what it refuses, splits, reserves, or what the law never matches.
AWKWARD = {
    "special tokens only": [],
    "control characters": ["\x00", "##\x00", "a\x00", "\x01", "\x02", "##\x02", "\x11", "##\x11"],
    "fillers of ours": ["\x01", "\x021", "\x020", "a", "##a", "\x01a", "##\x01"],
    "suffix marks": ["#", "##", "###", "####", "##a", "###a", "a", "##a#", "##b", "b"],
    "punctuation inside": ["don't", "a.b", "##.", "...", ".", "a", "##b", "b", "t", "don", "'"],
    "spaces inside": ["", " ", "a b", "##a b", " a", "a ", "a", "##a", "b", "\u3000", "\u2028"],
    "duplicates": ["a", "b", "a", "##a", "##a", "b", "ab", "[UNK]"],
    "unused": ["[unused0]", "[unused1]", "[", "]", "unused", "##0", "##1", "0", "1", "[UNK]x"],
    "no suffixes": ["a", "b", "ab", "ba", "aba"],
    "suffixes only": ["##a", "##b", "##ab"],
    "marks of several classes": ["a", "\u302e", "##\u302e", "##\U0001d16d", "##\U0001d165", "σ"],
    "marks of one class": ["a", "##\U0001d16d", "##a", "\U0001d165", "##\U0001d165"],
    "stripped marks": ["a", "\u0301", "##\u0301", "é", "##é", "e", "##e", "a\u0301"],
    "symbols": ["€", "##€", "°", "a°", "##°b", "😀", "##😀", "a", "##a", "+", "^", "`", "a€b"],
    "private use": ["€", "\ue000", "##\ue000", "\ue001", "##€", "a", "##a", "\U000f0000"],
    "ideographs": ["大", "##大", "大学", "学", "\uf900", "豈", "##豈", "a大", "a", "\U0002b740"],
    "folded elsewhere": ["ß", "##ß", "ss", "ﬁ", "fi", "，", ",", "ａ", "a", "ſ", "s", "Ⅷ", "ⅷ"],
    "sigmas": ["σ", "ς", "##σ", "##ς", "α", "##α", "Σ", "##Σ", "ας", "##ας"],
    "final sigma only": ["ς", "##ς", "α", "##α"],
    "capitals": ["A", "##A", "a", "##a", "É", "é", "Σ", "İ", "i̇", "i", "##\u0307", "Σα"],
    "long entries": ["a" * 200, "a" * 201, "##" + "a" * 199, "a", "##a", "é" * 100, "ab" * 100],
    "surrogates": ["\ud800", "##\udfff", "a\ud800", "a", "##a"],
    "hangul": ["ᄒ", "##ᅡ", "##ᆫ", "한", "##한", "하", "ᄒ\u1161", "##ᄒ"],
}


@MODES
@pytest.mark.parametrize("name", AWKWARD)
def test_graph_awkward_vocabulary(name: str, do_lower_case: bool, finish: Finish) -> None:
    tokens = [*SPECIAL_TOKENS, *AWKWARD[name]]
    twin = GraphTwin(numbered(tokens), do_lower_case=do_lower_case)
    finish("graph: awkward vocabularies", compare(twin, _texts_around(AWKWARD[name], 400)))


def _texts_around(tokens: list[str], count: int) -> Iterator[bytes]:
    """Yield tokens, their bodies and characters, upper and lower, joined with each other."""
    random = Random(f"bertfast parity graph {tokens}")
    parts = {form for token in tokens for form in (token, token.removeprefix("##"))}
    parts |= {case for part in parts for case in (part.upper(), part.lower())}
    parts |= {char for part in parts for char in part}
    glue = ["", " ", "##", ".", "\u0301", "大", "x", "\u200b", "[UNK]", "\x01", "Σ", "a" * 150]
    choices = [part for part in sorted(parts) if len(part) < 300]
    for _ in range(count):
        size = random.randrange(8)
        words = random.choices([*choices, *glue], k=size)
        yield "".join(words).encode("utf-8", "ignore")


@MODES
def test_graph_ids_with_holes(do_lower_case: bool, finish: Finish) -> None:
    tokens = [*SPECIAL_TOKENS, "a", "##b", "c", ".", "大"]
    vocab = {token: 7 + index * 1000003 for index, token in enumerate(tokens)}
    twin = GraphTwin(vocab, do_lower_case=do_lower_case)
    finish("graph: awkward vocabularies", compare(twin, _texts_around(tokens, 400)))


@pytest.mark.shared
@pytest.mark.exhaustive
@pytest.mark.parametrize("plane", range(N_CODE_POINTS // PLANE))
@pytest.mark.parametrize("name", ALL)
def test_graph_every_code_point_in_contexts(
    name: str, plane: int, make_twin: TwinFactory, finish: Finish
) -> None:
    code_points = range(plane * PLANE, (plane + 1) * PLANE)
    comparison = compare_in_contexts(make_twin(name), code_points)
    finish(f"graph: every code point × 8 contexts, {name}", comparison)


@pytest.mark.shared
@pytest.mark.exhaustive
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", ALL)
def test_graph_many_random_strings(
    name: str, generator: str, make_twin: TwinFactory, finish: Finish
) -> None:
    texts = _encodable(random_strings(generator, 16_000))
    finish(f"graph: random strings, {name}", compare(make_twin(name), texts))


@pytest.mark.shared
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ALL)
def test_graph_many_byte_strings(name: str, make_twin: TwinFactory, finish: Finish) -> None:
    random = Random(f"bertfast parity graph bytes {name}")
    every = (bytes(word) for n in (1, 2) for word in product(range(256), repeat=n))
    comparison = compare(make_twin(name), every)
    _add(comparison, compare(make_twin(name), (random_bytes(random) for _ in range(60_000))))
    finish(f"graph: 1–2 bytes and random bytes, {name}", comparison)


@pytest.mark.shared
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", GOOGLE)
@pytest.mark.parametrize("corpus", ["en", "zh", "ja", "ko", "ru", "hi", "udhr"])
def test_graph_corpora(
    name: str, corpus: str, make_twin: TwinFactory, shared_data: Path, finish: Finish
) -> None:
    lines = (shared_data / "corpora" / f"{corpus}.txt").read_bytes().split(b"\n")
    finish(f"graph: corpora, every line, {name}", compare(make_twin(name), lines))


def _add(total: Comparison, other: Comparison) -> None:
    total.cases += other.cases
    total.n_differences += other.n_differences
    total.shown += other.shown
