"""Compares embeddings with ours, before anything is timed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.predict.embedder import FloatArray

# A text counts as equal in float32 above this cosine: sums in another order stay far above it,
# another pooling, truncation or tokenization far below.
_EQUAL_COSINE = 0.9999
# Tokenizers disagree on rare characters of real files; a wrong set-up is wrong everywhere.
_EQUAL_SHARE = 0.99
# An int8 that is worse than this on average is broken, not coarse.
_INT8_MEAN = 0.95


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cosines of some embeddings to ours of the same texts.

    Attributes:
        mean: over the texts.
        worst: of all texts.
        n_different: texts below the limit of equality in float32.
        problem: why no time may be shown, or "".
    """

    mean: float
    worst: float
    n_different: int
    problem: str


def compare(given: FloatArray, expected: FloatArray, precision: str) -> Agreement:
    """Compare embeddings row by row.

    Args:
        given: float32 [n, width].
        expected: float32 [n, width], ours in float32.
        precision: "fp32", which must agree on 99 % of the texts, or another, whose mean
            cosine must be 0.95 at least.
    """
    if given.shape != expected.shape:
        shapes = f"{list(given.shape)}, not {list(expected.shape)}"
        return Agreement(0.0, 0.0, len(expected), f"its embeddings are {shapes}")
    cosines = _cosines(given.astype(np.float64), expected.astype(np.float64))
    mean, worst = float(cosines.mean()), float(cosines.min())
    n_different = int((cosines < _EQUAL_COSINE).sum())
    lengths = np.linalg.norm(given, axis=1)
    problem = ""
    if not np.allclose(lengths, 1, atol=1e-3):
        problem = f"its embeddings have lengths up to {float(lengths.max()):.3g}, not 1"
    elif precision == "fp32" and n_different > (1 - _EQUAL_SHARE) * len(expected):
        problem = f"{n_different} of {len(expected)} texts differ: cosine {mean:.4f}, {worst:.4f}"
    elif mean < _INT8_MEAN:
        problem = f"mean cosine {mean:.4f} is below {_INT8_MEAN}"
    return Agreement(mean, worst, n_different, problem)


def _cosines(given: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
    cosines: NDArray[np.float64] = (given * expected).sum(axis=1) / np.maximum(norms, 1e-30)
    # A row that is no number agrees with nothing.
    return np.where(np.isfinite(cosines), cosines, -1.0)
