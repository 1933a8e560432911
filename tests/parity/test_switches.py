"""Native = reference under every combination of strip_accents and tokenize_chinese_chars.

The original's two combinations are checked everywhere else; here are the others.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import product

import pytest

from bertfast import reference
from tests.parity.code_points import (
    CONTEXT_CHARACTERS,
    N_CODE_POINTS,
    PAIR_CONTEXTS,
    in_contexts,
    notable,
    representatives,
)
from tests.parity.conftest import Finish
from tests.parity.oracle import (
    MAX_CACHED_CHUNKS,
    Comparison,
    MemoizedReference,
    Twins,
    _CleanedCharacters,
    revealing_vocab,
)
from tests.parity.strings import GENERATORS, random_strings
from tests.tokenizer.switches import COMBINATIONS, Switches, build_switched, spans_of

ORIGINAL = (Switches(True, True, True), Switches(False, False, True))
OTHERS = [switches for switches in COMBINATIONS if switches not in ORIGINAL]
SWITCHES = pytest.mark.parametrize("switches", OTHERS, ids=str)
GENERATOR = pytest.mark.parametrize("generator", GENERATORS)

PLANE = 0x10000


class SwitchedReference(MemoizedReference):
    """`MemoizedReference` with the switches of `reference.BasicTokenizer`."""

    def __init__(self, vocab: dict[str, int], switches: Switches) -> None:
        super().__init__(vocab, do_lower_case=switches.do_lower_case)
        self._basic = reference.BasicTokenizer(
            switches.do_lower_case,
            strip_accents=switches.strip_accents,
            tokenize_chinese_chars=switches.tokenize_chinese_chars,
        )
        if not switches.tokenize_chinese_chars:
            self._cleaned = CleanedLetters()

    def _remember(self, chunk: str) -> list[int]:
        if len(self._chunks) >= MAX_CACHED_CHUNKS:
            self._chunks.clear()
        words = reference.split_on_punctuation(self._basic.normalize(chunk))
        pieces = [piece for word in words for piece in self._wordpiece.tokenize(word)]
        ids = self._chunks[chunk] = [self._vocab[piece] for piece in pieces]
        return ids


class CleanedLetters(_CleanedCharacters):
    """The same without CJK isolation."""

    def __missing__(self, code_point: int) -> str:
        cleaned = reference.clean_text(chr(code_point))
        self[code_point] = cleaned
        return cleaned


def make_switched_twins(characters: Iterable[str], switches: Switches) -> Twins:
    """Build both implementations on a vocabulary of everything that `characters` can become."""
    given = set(characters)
    given |= {part for char in given for part in unicodedata.normalize("NFD", char)}
    tokens = revealing_vocab(given)
    vocab = {token: index for index, token in enumerate(tokens)}
    return Twins(
        build_switched("native", vocab, switches),
        SwitchedReference(vocab, switches),
        dict(enumerate(tokens)),
    )


@SWITCHES
def test_notable_code_points_in_contexts(switches: Switches, finish: Finish) -> None:
    code_points = notable()
    twins = make_switched_twins([*map(chr, code_points), *CONTEXT_CHARACTERS], switches)
    comparison = Comparison()
    comparison.add(twins, in_contexts(code_points[::3]))
    finish("switches: notable code points × 8 contexts, quick", comparison)


@lru_cache(maxsize=1)  # half a gigabyte each; tests come one combination after the other
def _whole_unicode(switches: Switches) -> Twins:
    return make_switched_twins(map(chr, range(N_CODE_POINTS)), switches)


@pytest.mark.exhaustive
@pytest.mark.parametrize("plane", range(N_CODE_POINTS // PLANE))
@SWITCHES
def test_every_code_point_in_contexts(switches: Switches, plane: int, finish: Finish) -> None:
    comparison = Comparison()
    code_points = range(plane * PLANE, (plane + 1) * PLANE)
    comparison.add(_whole_unicode(switches), in_contexts(code_points))
    finish("switches: every code point × 8 contexts", comparison)


def _compare_pairs(switches: Switches, step: int) -> Comparison:
    characters = representatives()
    twins = make_switched_twins([*characters, *"xαΣ"], switches)
    chosen = list(product(characters, repeat=2))[::step]
    comparison = Comparison()
    comparison.add(twins, (context.format(*pair) for pair in chosen for context in PAIR_CONTEXTS))
    return comparison


@SWITCHES
def test_some_pairs_of_representatives(switches: Switches, finish: Finish) -> None:
    finish("switches: pairs of representatives × 3 contexts, quick", _compare_pairs(switches, 23))


@pytest.mark.exhaustive
@SWITCHES
def test_all_pairs_of_representatives(switches: Switches, finish: Finish) -> None:
    finish("switches: all pairs of representatives × 3 contexts", _compare_pairs(switches, 1))


@GENERATOR
@SWITCHES
def test_random_strings(generator: str, switches: Switches, finish: Finish) -> None:
    texts = list(random_strings(generator, 300))
    twins = make_switched_twins({char for text in texts for char in text}, switches)
    comparison = Comparison()
    comparison.add(twins, texts)
    finish("switches: random strings, quick", comparison)


@pytest.mark.exhaustive
@GENERATOR
@SWITCHES
def test_many_random_strings(generator: str, switches: Switches, finish: Finish) -> None:
    comparison = Comparison()
    comparison.add(_whole_unicode(switches), random_strings(generator, 60_000))
    finish("switches: random strings", comparison)


def _compare_offsets(generator: str, switches: Switches, count: int) -> Comparison:
    texts = list(random_strings(generator, count))
    characters = sorted({char for text in texts for char in text})
    known = characters[: -len(characters) // 10]  # so that some words are unknown
    vocab = make_switched_twins(known, switches).native.vocab
    rows = [
        spans_of(build_switched(implementation, vocab, switches), texts)
        for implementation in ("native", "reference")
    ]
    comparison = Comparison(cases=len(texts))
    for text, native, expected in zip(texts, *rows, strict=True):
        if native != expected:
            comparison.fail(f"{text!a}: native {native}, reference {expected}")
    return comparison


@GENERATOR
@SWITCHES
def test_offsets_of_random_strings(generator: str, switches: Switches, finish: Finish) -> None:
    comparison = _compare_offsets(generator, switches, 60)
    finish("switches: offsets of random strings, quick", comparison)


@pytest.mark.exhaustive
@GENERATOR
@SWITCHES
def test_offsets_of_many_random_strings(generator: str, switches: Switches, finish: Finish) -> None:
    comparison = _compare_offsets(generator, switches, 3000)
    finish("switches: offsets of random strings", comparison)


@SWITCHES
def test_memoized_reference_equals_the_reference(switches: Switches) -> None:
    characters = representatives()
    twins = make_switched_twins(characters, switches)
    vocab = twins.native.vocab
    basic = reference.BasicTokenizer(
        switches.do_lower_case,
        strip_accents=switches.strip_accents,
        tokenize_chinese_chars=switches.tokenize_chinese_chars,
    )
    wordpiece = reference.WordpieceTokenizer(vocab)
    for generator in ("hard", "sigma", "marks", "scripts"):
        for text in random_strings(generator, 100):
            words = basic.tokenize(text)
            pieces = [piece for word in words for piece in wordpiece.tokenize(word)]
            assert twins.oracle.ids(text) == [vocab[piece] for piece in pieces]
