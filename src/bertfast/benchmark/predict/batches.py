"""Batches as users of other runtimes make them: in order, or sorted with a token budget."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.predict.embedder import FloatArray
from bertfast.runtime.batching import plan_batches

NAIVE_BATCH = 32

Rows = NDArray[np.int64]
RunRows = Callable[[Rows], FloatArray]


def in_order(lengths: NDArray[np.int64], batch: int) -> list[Rows]:
    """Return consecutive rows, `batch` texts a time.

    >>> [rows.tolist() for rows in in_order(np.array([4, 5, 6]), 2)]
    [[0, 1], [2]]
    """
    rows = np.arange(len(lengths))
    return [rows[start : start + batch] for start in range(0, len(rows), batch)]


def by_tokens(lengths: NDArray[np.int64], batch: int) -> list[Rows]:
    """Return rows sorted by length, at most `batch` tokens a time, padding included."""
    return plan_batches(lengths, token_budget=batch)


def by_length(lengths: NDArray[np.int64], batch: int) -> list[Rows]:
    """Return rows from the longest to the shortest, `batch` texts a time.

    >>> [rows.tolist() for rows in by_length(np.array([4, 6, 5]), 2)]
    [[1, 2], [0]]
    """
    order = np.argsort(-lengths, kind="stable")
    return [order[rows] for rows in in_order(lengths, batch)]


Plan = Callable[[NDArray[np.int64], int], list[Rows]]


def count_places(plan: Plan) -> Callable[[NDArray[np.int64], int], int]:
    """Return a function that counts the places of a plan's batches, padding included.

    >>> count_places(in_order)(np.array([4, 5, 6]), 2)
    16
    """
    return lambda lengths, batch: sum(
        len(rows) * int(lengths[rows].max()) for rows in plan(lengths, batch)
    )


def run_batches(batches: Sequence[Rows], run: RunRows, n_rows: int, width: int) -> FloatArray:
    """Run each batch and put its rows where they belong: float32 [n_rows, width]."""
    result = np.empty((n_rows, width), np.float32)
    for rows in batches:
        result[rows] = run(rows)
    return result


def pad(ids: Sequence[Sequence[int]], rows: Rows, dtype: Any) -> tuple[Any, Any]:
    """Return ids and mask of some texts, [rows, longest of them].

    >>> pad([[7], [8, 9]], np.array([1, 0]), np.int64)[0].tolist()
    [[8, 9], [7, 0]]
    """
    longest = max(len(ids[row]) for row in rows)
    padded = np.zeros((len(rows), longest), dtype)
    mask = np.zeros((len(rows), longest), dtype)
    for place, row in enumerate(rows):
        padded[place, : len(ids[row])] = ids[row]
        mask[place, : len(ids[row])] = 1
    return padded, mask


def pool(vectors: FloatArray, mask: NDArray[Any]) -> FloatArray:
    """Return the mean over the tokens of each row, scaled to length 1.

    Args:
        vectors: float32 [rows, length, width].
        mask: [rows, length], 1 for tokens and 0 for padding.
    """
    sums = np.einsum("rlw,rl->rw", vectors, mask.astype(np.float32))
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: FloatArray = sums / np.maximum(norms, 1e-12)
    return unit
