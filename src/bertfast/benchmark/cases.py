"""The cases beside the main table: latency, padding, offsets, Arrow, files, two threads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bertfast.benchmark.corpora import Corpus, in_calls
from bertfast.benchmark.first_pass import encode_all
from bertfast.benchmark.machine import usable_cpus
from bertfast.benchmark.measurement import Sample, Spread, Task, interleave
from bertfast.benchmark.peers import BERTFAST, Competitor
from bertfast.benchmark.results import CaseResult
from bertfast.errors import InputError
from bertfast.tokenizer import Tokenizer

SENTENCE = (
    "After the concert, twenty of us walked home through the quiet streets, "
    "still humming the last song of the evening."
)
MAX_LENGTH = 128
STRIDE = 32

_ARROW_TYPES = ("string", "large_string", "string_view")
_LARGE_CALL_BYTES = 2_000_000
_SMALL_CALL_TEXTS = 8


@dataclass(frozen=True, slots=True)
class Case:
    """Something to time; `n_bytes` is None for a latency."""

    name: str
    competitor: str
    task: Task
    n_bytes: int | None
    baseline: str = ""
    by_wall: bool = False


def measure_cases(
    tokenizer: Tokenizer,
    competitors: Mapping[str, Competitor],
    corpus: Corpus,
    corpus_path: Path,
    n_rounds: int,
) -> list[CaseResult]:
    """Time every case on one thread (but for those about threads), over one corpus.

    Args:
        tokenizer: the one of bertfast that the other options are tried on.
        competitors: by name, bertfast among them.
        corpus: texts to encode.
        corpus_path: a file of the same texts.
        n_rounds: how many rounds.
    """
    latencies = [
        Case("encode, 20 words", name, partial(competitor.encode_one, SENTENCE), None, "", True)
        for name, competitor in competitors.items()
    ]
    arrow, refused = _arrow_cases(tokenizer, corpus)
    return [
        *_measure(latencies, 4 * n_rounds),
        *_measure(
            [
                *_throughput_cases(tokenizer, competitors, corpus),
                *arrow,
                _file_case(tokenizer, corpus, corpus_path),
            ],
            n_rounds,
        ),
        *refused,
        *_measure_threads(tokenizer, corpus, n_rounds),
    ]


def _throughput_cases(
    tokenizer: Tokenizer, competitors: Mapping[str, Competitor], corpus: Corpus
) -> Iterator[Case]:
    calls = in_calls(corpus.texts)
    ragged = partial(tokenizer.encode_ragged, num_threads=1)
    padded = partial(tokenizer, num_threads=1, max_length=MAX_LENGTH)
    encoders: dict[str, tuple[Callable[[list[str]], object], str]] = {
        "ragged": (partial(ragged, add_special_tokens=False), ""),
        "ragged, max_length 128": (partial(ragged, max_length=MAX_LENGTH), "ragged"),
        "padded int32": (partial(padded, dtype=np.int32), "ragged, max_length 128"),
        "padded int64": (partial(padded, dtype=np.int64), "ragged, max_length 128"),
        "padded, with offsets": (partial(padded, return_offsets=True), "padded int32"),
        "padded, stride 32": (partial(padded, stride=STRIDE), "padded int32"),
    }
    for name, (encode, baseline) in encoders.items():
        task = partial(encode_all, encode, calls)
        yield Case(name, BERTFAST.name, task, corpus.n_bytes, baseline)
    for peer, competitor in competitors.items():
        if peer != BERTFAST.name and competitor.encode_padded is not None:
            task = partial(_pad_all, competitor.encode_padded, calls)
            yield Case("padded int64", peer, task, corpus.n_bytes)


def _pad_all(encode_padded: Callable[[list[str], int], object], calls: list[list[str]]) -> None:
    for texts in calls:
        encode_padded(texts, MAX_LENGTH)


def _arrow_cases(tokenizer: Tokenizer, corpus: Corpus) -> tuple[list[Case], list[CaseResult]]:
    """Return a case for each Arrow type, and a note instead where it cannot be encoded."""
    cases: list[Case] = []
    refused: list[CaseResult] = []
    for name in _ARROW_TYPES:
        try:
            encode = partial(tokenizer.encode_ragged, add_special_tokens=False, num_threads=1)
            calls = _arrow_calls(corpus, name)
            encode(calls[0])
            task = partial(encode_all, encode, calls)
            cases.append(Case(f"Arrow {name}", BERTFAST.name, task, corpus.n_bytes, "ragged"))
        except (InputError, _NotPossibleError) as error:
            note = CaseResult(f"Arrow {name}", BERTFAST.name, "MB/s", note=str(error))
            refused.append(note)
    return cases, refused


class _NotPossibleError(Exception):
    """A case cannot be tried on this machine; the message says why."""


def _arrow_calls(corpus: Corpus, type_name: str) -> list[Any]:
    if find_spec("pyarrow") is None:
        raise _NotPossibleError("pyarrow is not installed; run pip install pyarrow")
    pyarrow = import_module("pyarrow")
    if not hasattr(pyarrow, type_name):
        raise _NotPossibleError(f"pyarrow {pyarrow.__version__} has no {type_name}")
    arrow_type = getattr(pyarrow, type_name)()
    return [pyarrow.array(texts, arrow_type) for texts in in_calls(corpus.texts)]


def _file_case(tokenizer: Tokenizer, corpus: Corpus, path: Path) -> Case:
    task = partial(tokenizer.encode_files, [path], add_special_tokens=False, num_threads=1)
    return Case("file, by line", BERTFAST.name, task, corpus.n_bytes, "ragged")


def _measure_threads(tokenizer: Tokenizer, corpus: Corpus, n_rounds: int) -> list[CaseResult]:
    """Compare two threads with one: on one call of 2 MB, and on one of 8 texts."""
    copies = -(-_LARGE_CALL_BYTES // max(corpus.n_bytes, 1))
    large = corpus.texts * copies
    small = [text for text in corpus.texts if text][:_SMALL_CALL_TEXTS]
    sizes = {"2 MB a call": Corpus.of("", large), "8 texts a call": Corpus.of("", small)}
    cases: list[Case] = []
    for name, texts in sizes.items():
        for num_threads in (1, 2):
            task = partial(
                tokenizer.encode_ragged,
                texts.texts,
                add_special_tokens=False,
                num_threads=num_threads,
            )
            title = f"{name}, {num_threads} thread" + "s" * (num_threads - 1)
            baseline = f"{name}, 1 thread" if num_threads > 1 else ""
            cases.append(Case(title, BERTFAST.name, task, texts.n_bytes, baseline, True))
    if usable_cpus() > 1:
        return _measure(cases, n_rounds)
    return [CaseResult(case.name, case.competitor, "MB/s", note="one CPU") for case in cases]


def _measure(cases: Sequence[Case], n_rounds: int) -> list[CaseResult]:
    samples = interleave({_key(case): case.task for case in cases}, n_rounds)
    values = {_key(case): _values(case, samples[_key(case)]) for case in cases}
    return [_result(case, values) for case in cases]


def _key(case: Case) -> str:
    return f"{case.competitor} {case.name}"


def _values(case: Case, samples: Sequence[Sample]) -> list[float]:
    seconds = [sample.wall_seconds if case.by_wall else sample.cpu_seconds for sample in samples]
    if case.n_bytes is None:
        return [1e9 * value for value in seconds]
    return [case.n_bytes / 1e6 / max(value, 1e-9) for value in seconds]


def _result(case: Case, values: Mapping[str, Sequence[float]]) -> CaseResult:
    own = values[_key(case)]
    ratio = None
    if case.baseline:
        base = values[f"{case.competitor} {case.baseline}"]
        ratio = Spread.of(own).median / max(Spread.of(base).median, 1e-9)
    unit = "ns" if case.n_bytes is None else "MB/s"
    return CaseResult(
        case.name, case.competitor, unit, Spread.of(own), min(own), case.baseline, ratio
    )
