"""Native = reference over random strings, small alphabets and real corpora."""

from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from random import Random

import pytest

from bertfast import reference
from tests.conftest import build_tokenizer
from tests.parity.code_points import representatives
from tests.parity.conftest import Finish, whole_unicode
from tests.parity.oracle import Comparison, MemoizedReference, Twins, make_twins, revealing_vocab
from tests.parity.strings import GENERATORS, random_strings
from tests.tokenizer.original import piece_spans
from tests.tokenizer.vocabulary import SPECIAL_TOKENS

MODES = pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])
GENERATOR = pytest.mark.parametrize("generator", GENERATORS)

CORPORA = ("en", "zh", "ja", "ko", "ru", "hi", "udhr")
VOCABS = {
    "bert-base-uncased": True,
    "bert-base-cased": False,
    "bert-base-multilingual-cased": False,
    "bert-base-chinese": True,
}
# Spaces, CJK, a letter, final sigma, a stripped mark, a kept one, punctuation after NFD,
# ignorable punctuation, a dropped character, a lone surrogate.
HARD_ALPHABET = " 大aΣ\u0301\u302e\U0001d16d≠.\u200b\ud800"


@MODES
@GENERATOR
def test_random_strings(generator: str, do_lower_case: bool, finish: Finish) -> None:
    texts = list(random_strings(generator, 1500))
    vocab = revealing_vocab({char for text in texts for char in text})
    comparison = Comparison()
    comparison.add(make_twins(vocab, do_lower_case=do_lower_case), texts)
    finish("random strings, quick", comparison)


@pytest.mark.exhaustive
@MODES
@GENERATOR
def test_many_random_strings(generator: str, do_lower_case: bool, finish: Finish) -> None:
    comparison = Comparison()
    comparison.add(whole_unicode(do_lower_case), random_strings(generator, 170_000))
    finish("random strings of 7 generators", comparison)


@MODES
@GENERATOR
def test_offsets_of_random_strings(generator: str, do_lower_case: bool, finish: Finish) -> None:
    finish("offsets of random strings, quick", _compare_offsets(generator, 300, do_lower_case))


@pytest.mark.exhaustive
@MODES
@GENERATOR
def test_offsets_of_many_random_strings(
    generator: str, do_lower_case: bool, finish: Finish
) -> None:
    finish("offsets of random strings", _compare_offsets(generator, 15_000, do_lower_case))


def _compare_offsets(generator: str, count: int, do_lower_case: bool) -> Comparison:
    texts = list(random_strings(generator, count))
    characters = sorted({char for text in texts for char in text})
    known = characters[: -len(characters) // 10]  # so that some words are unknown
    tokens = [*revealing_vocab(known), *_longer_pieces(texts, do_lower_case)]
    tokenizer = build_tokenizer("native", list(dict.fromkeys(tokens)), do_lower_case=do_lower_case)
    vocab = tokenizer.vocab
    encoding = tokenizer(texts, return_offsets=True, add_special_tokens=False)
    assert encoding.offsets is not None
    comparison = Comparison(cases=len(texts))
    for row, text in enumerate(texts):
        spans = [tuple(span) for span in encoding.offsets[row, : encoding.lengths[row]].tolist()]
        expected = piece_spans(text, vocab, do_lower_case=do_lower_case)
        if spans != expected:
            comparison.fail(f"{text!a}: native {spans}, oracle {expected}")
    return comparison


def _longer_pieces(texts: list[str], do_lower_case: bool) -> list[str]:
    """Return pieces of 2 and 3 characters of every third word."""
    basic = reference.BasicTokenizer(do_lower_case)
    words = [word for text in texts for word in basic.tokenize(text)][::3]
    return [piece for word in words for piece in (word[:2], f"##{word[2:5]}", f"##{word[1:3]}")]


@MODES
@GENERATOR
def test_truncated_texts_are_prefixes(generator: str, do_lower_case: bool, finish: Finish) -> None:
    # Encoding stops early then, also inside a chunk that is read twice for its context.
    texts = list(random_strings(generator, 200))
    vocab = revealing_vocab({char for text in texts for char in text})
    twins = make_twins(vocab, do_lower_case=do_lower_case)
    rows = [twins.oracle.ids(text) for text in texts]
    comparison = Comparison()
    for length in (1, 2, 3, 4, 5, 7, 10, 20, 199, 200, 201):
        encoding = twins.native(texts, max_length=length, add_special_tokens=False)
        comparison.cases += len(texts)
        for row, ids in enumerate(rows):
            found = encoding.input_ids[row, : encoding.lengths[row]].tolist()
            if found != ids[:length] or encoding.truncated[row] != (len(ids) > length):
                comparison.fail(f"{texts[row]!a} truncated to {length}: {found}")
    finish("random strings truncated to 11 lengths", comparison)


@MODES
def test_every_string_over_a_hard_alphabet(do_lower_case: bool, finish: Finish) -> None:
    twins = make_twins(revealing_vocab(HARD_ALPHABET), do_lower_case=do_lower_case)
    comparison = Comparison()
    for length in range(5):
        comparison.add(twins, map("".join, product(HARD_ALPHABET, repeat=length)))
    finish("every string ≤ 4 over a hard alphabet", comparison)


@pytest.mark.exhaustive
@MODES
@pytest.mark.parametrize("first", HARD_ALPHABET)
def test_every_longer_string_over_a_hard_alphabet(
    do_lower_case: bool, first: str, finish: Finish
) -> None:
    twins = make_twins(revealing_vocab(HARD_ALPHABET), do_lower_case=do_lower_case)
    comparison = Comparison()
    comparison.add(twins, (first + "".join(rest) for rest in product(HARD_ALPHABET, repeat=4)))
    finish("every string of 5 over a hard alphabet", comparison)


def _compare_piece_matching(n_vocabs: int, seed: str) -> Comparison:
    """Compare greedy matching: all words ≤ 8 over "ab", random vocabularies of pieces ≤ 4."""
    random = Random(seed)
    words = ["".join(word) for n in range(1, 9) for word in product("ab", repeat=n)]
    pieces = ["".join(piece) for n in range(1, 5) for piece in product("ab", repeat=n)]
    comparison = Comparison()
    for _ in range(n_vocabs):
        tokens = random.sample([*pieces, *(f"##{p}" for p in pieces)], random.randrange(1, 30))
        comparison.add(make_twins([*SPECIAL_TOKENS, *tokens], do_lower_case=True), words)
    return comparison


def test_greedy_matching_over_small_vocabularies(finish: Finish) -> None:
    comparison = _compare_piece_matching(60, "quick")
    finish("words ≤ 8 over 2 letters, random vocabularies, quick", comparison)


@pytest.mark.exhaustive
def test_greedy_matching_over_many_small_vocabularies(finish: Finish) -> None:
    comparison = _compare_piece_matching(3000, "many")
    finish("words ≤ 8 over 2 letters, random vocabularies", comparison)


@cache
def _shared_twins(path: Path, do_lower_case: bool) -> Twins:
    vocab = reference.load_vocab(path)
    return Twins(
        build_tokenizer("native", path, do_lower_case=do_lower_case),
        MemoizedReference(vocab, do_lower_case=do_lower_case),
        {index: token for token, index in vocab.items()},
    )


def _compare_corpus(path: Path, twins: Twins, step: int) -> Comparison:
    # Lines as a file gives them, each one with its line end.
    with path.open(encoding="utf-8", newline="\n") as lines:
        chosen = list(lines)[::step]
    comparison = Comparison()
    comparison.add(twins, chosen)
    comparison.add(twins, [line.encode() for line in chosen])
    return comparison


@pytest.mark.shared
@pytest.mark.parametrize("name", VOCABS)
def test_sampled_lines_of_corpora(
    shared_data: Path, shared_vocab: Callable[[str], Path], name: str, finish: Finish
) -> None:
    twins = _shared_twins(shared_vocab(name), VOCABS[name])
    for corpus in CORPORA:
        comparison = _compare_corpus(shared_data / "corpora" / f"{corpus}.txt", twins, 40)
        finish("lines of the corpora, quick", comparison)


@pytest.mark.exhaustive
@pytest.mark.shared
@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("name", VOCABS)
def test_whole_corpora(
    shared_data: Path,
    shared_vocab: Callable[[str], Path],
    name: str,
    corpus: str,
    finish: Finish,
) -> None:
    twins = _shared_twins(shared_vocab(name), VOCABS[name])
    comparison = _compare_corpus(shared_data / "corpora" / f"{corpus}.txt", twins, 1)
    finish(f"corpora, every line, {name}", comparison)


@pytest.mark.shared
@pytest.mark.parametrize("name", VOCABS)
@GENERATOR
def test_random_strings_with_real_vocabularies(
    shared_vocab: Callable[[str], Path], name: str, generator: str, finish: Finish
) -> None:
    comparison = Comparison()
    twins = _shared_twins(shared_vocab(name), VOCABS[name])
    comparison.add(twins, random_strings(generator, 500))
    finish("random strings, Google's vocabularies", comparison)


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_memoized_reference_equals_the_reference(do_lower_case: bool) -> None:
    characters = representatives()
    vocab = {token: i for i, token in enumerate(revealing_vocab(characters))}
    memoized = MemoizedReference(vocab, do_lower_case=do_lower_case)
    basic = reference.BasicTokenizer(do_lower_case)
    wordpiece = reference.WordpieceTokenizer(vocab)
    for generator in GENERATORS:
        for text in random_strings(generator, 300):
            words = basic.tokenize(text)
            pieces = [piece for word in words for piece in wordpiece.tokenize(word)]
            expected = [vocab[piece] for piece in pieces]
            assert memoized.ids(text) == expected
            assert memoized.ids(text) == expected  # now from the cache
