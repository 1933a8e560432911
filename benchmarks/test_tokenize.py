"""The tokenizer's cases under pytest-benchmark, to compare one working tree with another.

Usage:
    pytest benchmarks/ --benchmark-autosave
    pytest benchmarks/ --benchmark-compare --benchmark-group-by=func [-k ragged]

Over the corpora that `bertfast benchmark tokenize` generates, on one thread. Peers that are
installed run the same cases; deselect them with `-k bertfast`. Ids are compared with the
reference's before anything is timed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.benchmark.cases import MAX_LENGTH, SENTENCE, STRIDE
from bertfast.benchmark.checking import check, expect
from bertfast.benchmark.corpora import Corpus, generated_corpora, in_calls, write_corpus
from bertfast.benchmark.first_pass import encode_all
from bertfast.benchmark.oracle import MemoizedReference
from bertfast.benchmark.peers import BERTFAST, PEERS, Competitor, Setup, limit_threads, load
from bertfast.benchmark.vocabulary import derive_vocabulary, write_vocabulary
from bertfast.vocab import load_vocab

pytest.importorskip("pytest_benchmark")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the peers

CORPORA = {corpus.name: corpus for corpus in generated_corpora()}
COMPETITORS = [BERTFAST, *(peer for peer in PEERS.values() if peer.is_installed)]


class Benchmark(Protocol):
    """pytest-benchmark's fixture, as far as it is used here."""

    extra_info: dict[str, Any]

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """Time a function."""


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """One lowercased vocabulary for all corpora; one thread."""
    limit_threads(1)
    path = tmp_path_factory.mktemp("benchmark") / "vocab.txt"
    texts = (text for corpus in CORPORA.values() for text in corpus.texts)
    write_vocabulary(derive_vocabulary(texts, do_lower_case=True), path)
    return Setup(path, do_lower_case=True, num_threads=1)


@pytest.fixture(scope="module")
def tokenizer(setup: Setup) -> Tokenizer:
    """The tokenizer under test, its ids compared with the reference's on all corpora."""
    oracle = MemoizedReference(load_vocab(setup.vocab_path), do_lower_case=True)
    competitor = load(BERTFAST.adapter, setup)
    for corpus in CORPORA.values():
        assert check(competitor, expect(corpus, oracle)).n_different == 0, corpus.name
    return Tokenizer(setup.vocab_path)


@pytest.fixture(scope="module", params=COMPETITORS, ids=[peer.name for peer in COMPETITORS])
def competitor(request: pytest.FixtureRequest, setup: Setup, tokenizer: Tokenizer) -> Competitor:
    """Every tokenizer that is installed."""
    return load(request.param.adapter, setup)


@pytest.fixture(params=list(CORPORA))
def corpus(request: pytest.FixtureRequest) -> Corpus:
    """Every generated corpus."""
    return CORPORA[request.param]


def run(benchmark: Benchmark, task: Callable[[], object], corpus: Corpus) -> None:
    """Time a pass over a corpus, whose size is kept with the result."""
    benchmark.extra_info["n_bytes"] = corpus.n_bytes
    benchmark(task)


def test_ragged(benchmark: Benchmark, competitor: Competitor, corpus: Corpus) -> None:
    """Ids without special tokens, 1,000 texts a call."""
    calls = in_calls(corpus.texts)
    run(benchmark, partial(encode_all, competitor.encode_batch, calls), corpus)


def test_one_sentence(benchmark: Benchmark, competitor: Competitor) -> None:
    """One sentence of 20 words a call."""
    benchmark(competitor.encode_one, SENTENCE)


def test_padded_int64(benchmark: Benchmark, competitor: Competitor) -> None:
    """Three matrices of int64, at most 128 wide."""
    encode = competitor.encode_padded
    if encode is None:
        pytest.skip("makes no matrices")
    calls = in_calls(CORPORA["english"].texts)

    def pad_all() -> None:
        for texts in calls:
            encode(texts, MAX_LENGTH)

    run(benchmark, pad_all, CORPORA["english"])


OPTIONS: dict[str, dict[str, Any]] = {
    "int32": {"dtype": np.int32},
    "int64": {"dtype": np.int64},
    "offsets": {"return_offsets": True},
    "stride": {"stride": STRIDE},
}


@pytest.mark.parametrize("options", list(OPTIONS.values()), ids=list(OPTIONS))
def test_bertfast_call(benchmark: Benchmark, tokenizer: Tokenizer, options: dict[str, Any]) -> None:
    """`tok(...)` with its options, at most 128 wide."""
    encode = partial(tokenizer, max_length=MAX_LENGTH, num_threads=1, **options)
    corpus = CORPORA["english"]
    run(benchmark, partial(encode_all, encode, in_calls(corpus.texts)), corpus)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_bertfast_threads(benchmark: Benchmark, tokenizer: Tokenizer, num_threads: int) -> None:
    """All corpora in one call."""
    texts = [text for corpus in CORPORA.values() for text in corpus.texts]
    encode = partial(tokenizer.encode_ragged, texts, num_threads=num_threads)
    run(benchmark, encode, Corpus.of("all", texts))


def test_bertfast_file(
    benchmark: Benchmark, tokenizer: Tokenizer, corpus: Corpus, tmp_path: Path
) -> None:
    """A file by line."""
    path = tmp_path / "corpus.txt"
    write_corpus(corpus, path)
    run(benchmark, partial(tokenizer.encode_files, [path], num_threads=1), corpus)


@pytest.mark.parametrize("type_name", ["string", "large_string", "string_view"])
def test_bertfast_arrow(
    benchmark: Benchmark, tokenizer: Tokenizer, corpus: Corpus, type_name: str
) -> None:
    """An Arrow array."""
    pyarrow = pytest.importorskip("pyarrow")
    array = pyarrow.array(corpus.texts, getattr(pyarrow, type_name)())
    run(benchmark, partial(tokenizer.encode_ragged, array, num_threads=1), corpus)
