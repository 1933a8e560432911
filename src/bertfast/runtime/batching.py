"""Group rows of similar length into batches: most of the speed of batch prediction.

Padding every batch to the longest of 32 unsorted texts wastes three quarters of the work.
Sorted by length, with a fixed number of tokens a batch, nearly none is wasted, and a small
budget keeps a batch's activations in the CPU's cache.
"""

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import InputError

# Batches of 256 to 1024 tokens fit in cache and are equally fast; larger ones are slower.
DEFAULT_TOKEN_BUDGET = 512


def plan_batches(
    lengths: NDArray[np.integer], *, token_budget: int = DEFAULT_TOKEN_BUDGET
) -> list[NDArray[np.int64]]:
    """Split rows into batches that hold at most `token_budget` tokens, padding included.

    Rows are taken from the longest to the shortest; rows of equal length keep their order. A
    row longer than the budget is a batch of its own. The plan depends on nothing else, so a
    repeated job runs the same batches.

    Args:
        lengths: integers [rows], tokens in each row.
        token_budget: rows x longest row of a batch stays within it.

    Returns:
        The row numbers of each batch, int64 [rows of the batch].

    Example:
        >>> [rows.tolist() for rows in plan_batches(np.array([2, 9, 3, 2]), token_budget=6)]
        [[1], [2, 0], [3]]
    """
    check_token_budget(token_budget)
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    batches: list[NDArray[np.int64]] = []
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        end = start + max(1, token_budget // longest)
        batches.append(order[start:end])
        start = end
    return batches


def check_token_budget(token_budget: int) -> None:
    """Raise InputError unless `token_budget` is a positive integer."""
    if isinstance(token_budget, bool) or not isinstance(token_budget, int) or token_budget < 1:
        raise InputError(f"token_budget is a positive integer, got {token_budget!r}")
