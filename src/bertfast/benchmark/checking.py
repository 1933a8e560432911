"""Compares a competitor's ids with the reference's, before anything is timed."""

from collections.abc import Sequence
from dataclasses import dataclass

from bertfast.benchmark.corpora import Corpus, in_calls
from bertfast.benchmark.oracle import MemoizedReference
from bertfast.benchmark.peers import Competitor

_MAX_CHECKED_BYTES = 8_000_000
_MAX_MESSAGE = 160


@dataclass(frozen=True, slots=True)
class Expected:
    """Texts of a corpus and the reference's ids of each.

    Attributes:
        indices: which texts of the corpus these are.
        rows: their ids, without special tokens.
    """

    indices: Sequence[int]
    texts: list[str]
    rows: list[list[int]]


@dataclass(frozen=True, slots=True)
class Check:
    """How a competitor's ids compare.

    Attributes:
        n_different: texts with other ids than the reference's, failures included.
        n_failed: texts that made the library raise.
        first: index in the corpus of the first that differs, or None.
        error: what the library said on the first failure.
    """

    n_different: int
    n_failed: int
    first: int | None
    error: str


def expect(corpus: Corpus, oracle: MemoizedReference) -> Expected:
    """Work out the reference's ids of all texts, or of evenly spaced ones of a large corpus."""
    step = max(1, -(-corpus.n_bytes // _MAX_CHECKED_BYTES))
    indices = range(0, len(corpus.texts), step)
    texts = [corpus.texts[index] for index in indices]
    return Expected(indices, texts, [oracle.ids(text) for text in texts])


def check(competitor: Competitor, expected: Expected) -> Check:
    """Encode the texts and compare every row."""
    rows = [row for batch in in_calls(expected.texts) for row in _rows(competitor, batch)]
    pairs = enumerate(zip(rows, expected.rows, strict=True))
    different = [place for place, (row, expected_row) in pairs if row != expected_row]
    failures = [row for row in rows if isinstance(row, _Failure)]
    return Check(
        n_different=len(different),
        n_failed=len(failures),
        first=expected.indices[different[0]] if different else None,
        error=failures[0].message if failures else "",
    )


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a library raised on one text."""

    message: str


def _rows(competitor: Competitor, texts: list[str]) -> list[list[int] | _Failure]:
    """Encode a list, or each text alone if the library refuses the list."""
    try:
        rows = competitor.rows(competitor.encode_batch(texts))
        if len(rows) != len(texts):
            raise ValueError(f"{len(rows)} rows for {len(texts)} texts")
        return list(rows)
    except BaseException as error:  # noqa: BLE001  (a library may raise anything)
        reraise_interrupts(error)
        if len(texts) == 1:
            return [_Failure(one_line(error))]
        return [row for text in texts for row in _rows(competitor, [text])]


def reraise_interrupts(error: BaseException) -> None:
    """Let what ends the program pass; panics of Rust libraries are BaseException, too."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error


def one_line(error: BaseException) -> str:
    """Return type and message of an error on one line, shortened."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE]}..."
