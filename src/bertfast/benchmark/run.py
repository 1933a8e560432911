"""One run of the benchmark: load, check every id, then measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bertfast.benchmark.cases import measure_cases
from bertfast.benchmark.checking import Check, Expected, check, expect, one_line, reraise_interrupts
from bertfast.benchmark.corpora import (
    TEXTS_PER_CALL,
    Corpus,
    generated_corpora,
    in_calls,
    read_corpora,
    write_corpus,
)
from bertfast.benchmark.first_pass import Request, encode_all, measure_in_turn
from bertfast.benchmark.machine import describe_machine, describe_versions, kernel_name
from bertfast.benchmark.measurement import Sample, interleave
from bertfast.benchmark.oracle import MemoizedReference
from bertfast.benchmark.peers import (
    ALL,
    BERTFAST,
    Competitor,
    Peer,
    Setup,
    choose_peers,
    limit_threads,
    load,
)
from bertfast.benchmark.results import (
    CaseResult,
    CompetitorResult,
    CorpusResult,
    Missing,
    Rates,
    Report,
)
from bertfast.benchmark.vocabulary import derive_vocabulary, write_vocabulary
from bertfast.tokenizer import Tokenizer
from bertfast.vocab import load_vocab

_SHOWN_CHARACTERS = 60

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is compared.

    Attributes:
        vocab: vocabulary file; None derives one from the corpora.
        corpora: as in `read_corpus`; none generates four.
        peers: as in `choose_peers`.
        n_rounds: warm rounds; half as many fresh processes measure each first pass.
    """

    vocab: Path | None = None
    do_lower_case: bool = True
    corpora: Sequence[str] = ()
    peers: str = ALL
    num_threads: int = 1
    n_rounds: int = 5


class WrongIdsError(Exception):
    """bertfast's ids differ from the reference's; the message names the first text."""


def compare_tokenizers(options: Options, on_step: OnStep = lambda step: None) -> Report:
    """Compare ids, then times. Sets environment variables that limit the peers' threads.

    Raises:
        WrongIdsError: bertfast is wrong somewhere; nothing was timed.
        BertfastError: an option, a file or the vocabulary cannot be used.
    """
    peers, absent = choose_peers(options.peers)
    limit_threads(options.num_threads)
    on_step("reading the corpora")
    corpora = read_corpora(options.corpora) if options.corpora else generated_corpora()
    missing = [Missing(peer.name, f"not installed; {peer.install}") for peer in absent]
    with TemporaryDirectory() as name:
        vocab_path = options.vocab or _derive_vocabulary(corpora, options, Path(name))
        setup = Setup(vocab_path, options.do_lower_case, options.num_threads)
        on_step("loading the tokenizers")
        loaded, broken = _load_all(peers, setup)
        run = _Run(loaded, setup, options.n_rounds, Path(name), on_step)
        checks = run.check_all(corpora)
        results = [run.measure(corpus, checks[corpus.name]) for corpus in corpora]
        cases = run.measure_cases(corpora[0])
        return Report(
            machine=describe_machine(),
            versions=describe_versions(loaded),
            settings=_settings(options, vocab_path),
            corpora=results,
            cases=cases,
            missing=[*missing, *broken],
        )


def _derive_vocabulary(corpora: Sequence[Corpus], options: Options, folder: Path) -> Path:
    texts = (text for corpus in corpora for text in corpus.texts)
    path = folder / "vocab.txt"
    write_vocabulary(derive_vocabulary(texts, do_lower_case=options.do_lower_case), path)
    return path


def _load_all(peers: Sequence[Peer], setup: Setup) -> tuple[dict[Peer, Competitor], list[Missing]]:
    """Load bertfast, which must work, and the peers, of which some may not."""
    loaded = {BERTFAST: load(BERTFAST.adapter, setup)}
    broken: list[Missing] = []
    for peer in peers:
        try:
            loaded[peer] = load(peer.adapter, setup)
        except BaseException as error:  # noqa: BLE001  (a library may raise anything)
            reraise_interrupts(error)
            reason = f"{peer.version} cannot load this vocabulary: {one_line(error)}"
            broken.append(Missing(peer.name, reason))
    return loaded, broken


def _settings(options: Options, vocab_path: Path) -> dict[str, str | int | bool]:
    tokenizer = Tokenizer(vocab_path, do_lower_case=options.do_lower_case)
    given = options.vocab.name if options.vocab else "derived from the corpora"
    return {
        "vocabulary": given,
        "vocabulary_size": tokenizer.vocab_size,
        "do_lower_case": options.do_lower_case,
        "implementation": tokenizer.implementation,
        "kernel": kernel_name(),
        "threads": options.num_threads,
        "texts_per_call": TEXTS_PER_CALL,
        "rounds": options.n_rounds,
    }


class _Run:
    """The tokenizers that take part, and how they are measured."""

    def __init__(
        self,
        loaded: Mapping[Peer, Competitor],
        setup: Setup,
        n_rounds: int,
        folder: Path,
        on_step: OnStep,
    ) -> None:
        self._loaded = loaded
        self._setup = setup
        self._n_rounds = n_rounds
        self._folder = folder
        self._on_step = on_step

    def check_all(self, corpora: Sequence[Corpus]) -> dict[str, "_Checks"]:
        """Compare every tokenizer's ids on every corpus, by the corpus's name."""
        setup = self._setup
        oracle = MemoizedReference(load_vocab(setup.vocab_path), do_lower_case=setup.do_lower_case)
        checks: dict[str, _Checks] = {}
        for corpus in corpora:
            self._on_step(f"{corpus.name}: the reference")
            checks[corpus.name] = self._check(corpus, expect(corpus, oracle))
        return checks

    def _check(self, corpus: Corpus, expected: Expected) -> "_Checks":
        by_peer: dict[Peer, Check] = {}
        for peer, competitor in self._loaded.items():
            self._on_step(f"{corpus.name}: ids of {peer.name}")
            by_peer[peer] = check(competitor, expected)
            if peer == BERTFAST:
                _demand_equal(by_peer[peer], corpus)
                # Once more: now the chunks come from its cache.
                _demand_equal(check(competitor, expected), corpus)
        return _Checks(len(expected.texts), sum(map(len, expected.rows)), by_peer)

    def measure(self, corpus: Corpus, checks: "_Checks") -> CorpusResult:
        """Time warm and first passes of everyone who can encode the corpus."""
        able = [peer for peer in self._loaded if not checks.by_peer[peer].n_failed]
        self._on_step(f"{corpus.name}: warm passes")
        calls = in_calls(corpus.texts)
        tasks = {
            peer.name: partial(encode_all, self._loaded[peer].encode_batch, calls) for peer in able
        }
        warm = interleave(tasks, self._n_rounds)
        self._on_step(f"{corpus.name}: first passes in fresh processes")
        n_processes = -(-self._n_rounds // 2)
        first_pass = measure_in_turn(self._requests(corpus, able), n_processes)
        return CorpusResult(
            name=corpus.name,
            n_texts=len(corpus.texts),
            n_bytes=corpus.n_bytes,
            n_checked=checks.n_texts,
            n_ids_checked=checks.n_ids,
            competitors=[
                _competitor_result(
                    peer,
                    checks.by_peer[peer],
                    _rates(corpus, warm.get(peer.name, [])),
                    _rates(corpus, first_pass.get(peer.name, [])),
                )
                for peer in self._loaded
            ],
        )

    def _requests(self, corpus: Corpus, peers: Sequence[Peer]) -> dict[str, Request]:
        path = self._write(corpus)
        setup = self._setup
        return {
            peer.name: Request(
                adapter=peer.adapter,
                vocab_path=str(setup.vocab_path),
                do_lower_case=setup.do_lower_case,
                num_threads=setup.num_threads,
                corpus_path=str(path),
            )
            for peer in peers
        }

    def _write(self, corpus: Corpus) -> Path:
        path = self._folder / "corpus.txt"
        write_corpus(corpus, path)
        return path

    def measure_cases(self, corpus: Corpus) -> list[CaseResult]:
        """Time the cases beside the main table."""
        self._on_step(f"other cases, over {corpus.name}")
        setup = self._setup
        tokenizer = Tokenizer(setup.vocab_path, do_lower_case=setup.do_lower_case)
        competitors = {peer.name: competitor for peer, competitor in self._loaded.items()}
        path = self._write(corpus)
        return measure_cases(tokenizer, competitors, corpus, path, self._n_rounds)


@dataclass(frozen=True, slots=True)
class _Checks:
    """How the ids of everyone compare on one corpus."""

    n_texts: int
    n_ids: int
    by_peer: Mapping[Peer, Check]


def _demand_equal(result: Check, corpus: Corpus) -> None:
    if result.first is None:
        return
    text = corpus.texts[result.first]
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    reason = f" ({result.error})" if result.error else ""
    raise WrongIdsError(
        f"bertfast differs from the reference on {result.n_different} texts of {corpus.name}"
        f"{reason}; the first is text {result.first}: {shown!a}"
    )


def _rates(corpus: Corpus, samples: Sequence[Sample]) -> Rates | None:
    return Rates.of(corpus.n_bytes, samples) if samples else None


def _competitor_result(
    peer: Peer, result: Check, warm: Rates | None, first_pass: Rates | None
) -> CompetitorResult:
    note = ""
    if result.n_failed:
        note = f"not timed: fails on {result.n_failed} texts: {result.error}"
    elif first_pass is None:
        note = "failed in a fresh process"
    return CompetitorResult(peer.name, result.n_different, result.n_failed, warm, first_pass, note)
