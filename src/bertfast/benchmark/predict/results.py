"""What the comparison finds, as plain data: the tables, the plot and the JSON are made from it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bertfast.benchmark.measurement import Sample, Spread
from bertfast.benchmark.results import Missing

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a call with one text, by the clock on the wall."""

    median: float
    p99: float
    n_calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Summarize one or more calls.

        >>> Latency.of([0.001, 0.002, 0.003])
        Latency(median=2.0, p99=2.98, n_calls=3)
        """
        median, p99 = (1e3 * float(value) for value in np.percentile(seconds, [50, 99]))
        return cls(round(median, 6), round(p99, 6), len(seconds))


@dataclass(frozen=True, slots=True)
class Speed:
    """Texts a second, by CPU time and by the clock on the wall."""

    cpu: Spread
    wall: Spread

    @classmethod
    def of(cls, n_texts: int, samples: Sequence[Sample]) -> "Speed":
        """Turn times of passes over `n_texts` into rates."""
        return cls(
            cpu=Spread.of([n_texts / max(sample.cpu_seconds, 1e-9) for sample in samples]),
            wall=Spread.of([n_texts / max(sample.wall_seconds, 1e-9) for sample in samples]),
        )

    def fair(self, n_threads: int) -> Spread:
        """Return the rate to compare by: several threads spend CPU time to save time."""
        return self.cpu if n_threads == 1 else self.wall


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a runtime in a precision. What could not be measured is None.

    Attributes:
        batch: the best size that was tried; 0 is the runtime's own choice.
        unit: what it counts: tokens or texts.
        cosine_mean: to ours in float32, over all texts.
        n_different: texts below the limit of equality in float32.
        tokens_per_second: useful tokens, padding not counted, by the fair clock's median.
        peak_share: arithmetic of useful tokens over the peak of one thread's (or as many
            threads') float32 products.
        padding_waste: share of the computed places that are padding.
        peak_rss_mb: of its process, 10^6 bytes.
        cold_start_seconds: from the start of a fresh process to the first answer.
        note: why figures are missing.
    """

    name: str
    version: str
    precision: str
    batch: int
    unit: str
    cosine_mean: float | None = None
    cosine_worst: float | None = None
    n_different: int | None = None
    speed: Speed | None = None
    tokens_per_second: float | None = None
    peak_share: float | None = None
    padding_waste: float | None = None
    latency: Latency | None = None
    peak_rss_mb: float | None = None
    cold_start_seconds: Spread | None = None
    sweep: dict[int, float] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A figure of bertfast beside the table: its rate over that of a baseline.

    Attributes:
        value: texts a second; by CPU time for streams, by the wall's clock for threads.
        baseline: what `ratio` relates to.
        note: why there is none.
    """

    name: str
    competitor: str
    value: Spread | None = None
    baseline: str = ""
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelResult:
    """Everything about one model.

    Attributes:
        lengths: tokens of a text: least, lower quartile, median, upper quartile, most.
        flops_per_token: of the products of the layers, attention included, on these texts.
        peak_gflops: of numpy's float32 product on one thread.
    """

    name: str
    n_texts: int
    n_tokens: int
    lengths: tuple[int, ...]
    max_length: int
    flops_per_token: float
    peak_gflops: float
    entries: list[Entry]
    cases: list[Case]
    missing: list[Missing]


@dataclass(frozen=True, slots=True)
class PredictReport:
    """Everything that one run finds."""

    machine: dict[str, str | int]
    versions: dict[str, str]
    settings: dict[str, Any]
    models: list[ModelResult]
    missing: list[Missing]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}
