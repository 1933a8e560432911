"""What a benchmark finds, as plain data: the tables, the plot and the JSON are made from it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bertfast.benchmark.measurement import Sample, Spread

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rates:
    """Megabytes (10^6 bytes) of UTF-8 a second, by CPU time and by the clock on the wall."""

    cpu: Spread
    wall: Spread

    @classmethod
    def of(cls, n_bytes: int, samples: Sequence[Sample]) -> "Rates":
        """Turn times of passes over `n_bytes` into rates."""
        return cls(
            cpu=Spread.of([_rate(n_bytes, sample.cpu_seconds) for sample in samples]),
            wall=Spread.of([_rate(n_bytes, sample.wall_seconds) for sample in samples]),
        )

    def fair(self, n_threads: int) -> Spread:
        """Return the rate to compare by: several threads spend CPU time to save time."""
        return self.cpu if n_threads == 1 else self.wall


def _rate(n_bytes: int, seconds: float) -> float:
    return n_bytes / 1e6 / max(seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class CompetitorResult:
    """One tokenizer on one corpus.

    Attributes:
        n_different: checked texts whose ids differ from the reference's.
        n_failed: those among them that made the library raise.
        warm: rate when all texts have been seen, or None if it was not timed.
        first_pass: rate over texts never seen, in fresh processes, or None.
        note: why a rate is missing.
    """

    name: str
    n_different: int
    n_failed: int
    warm: Rates | None
    first_pass: Rates | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CorpusResult:
    """All tokenizers on one corpus; bertfast comes first."""

    name: str
    n_texts: int
    n_bytes: int
    n_checked: int
    n_ids_checked: int
    competitors: list[CompetitorResult]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One figure beside the main table.

    Attributes:
        unit: "ns" or "MB/s".
        value: its spread; of the wall's clock for "ns" and for cases of several threads,
            else of CPU time.
        minimum: the least value.
        baseline: the case that `ratio` relates to, or "".
        ratio: speed relative to the baseline's, by medians.
        note: why there is no value.
    """

    case: str
    competitor: str
    unit: str
    value: Spread | None = None
    minimum: float | None = None
    baseline: str = ""
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A peer that did not take part, why, and what would change that."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run of the benchmark finds."""

    machine: dict[str, str | int]
    versions: dict[str, str]
    settings: dict[str, Any]
    corpora: list[CorpusResult]
    cases: list[CaseResult]
    missing: list[Missing]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}
