"""A tokenized window, and what a network makes of it."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.runtime.identical import DistinctRows
from bertfast.runtime.progress import Progress
from bertfast.runtime.stop import Stop

FloatArray: TypeAlias = NDArray[np.float32]
# One array [rows, width]; for sequence_output one array [tokens of the row, width] a row.
Values: TypeAlias = FloatArray | list[FloatArray]

SEQUENCE_OUTPUT = "sequence_output"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedWindow:
    """A tokenized window: row i is `ids[offsets[i]:offsets[i + 1]]`.

    Attributes:
        first_row: number of its first row.
        ids: int32 [tokens].
        offsets: int64 [rows + 1].
        n_truncated: rows that were longer than max_length.
        distinct: the rows to compute, None for all of them.
    """

    first_row: int
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_truncated: int = 0
    distinct: DistinctRows | None = None

    @property
    def n_repeated(self) -> int:
        """Rows that have the ids of an earlier one, and are not computed again."""
        if self.distinct is None:
            return 0
        return len(self.distinct.places) - len(self.distinct.rows)


class WindowRunner(Protocol):
    """A network with one output chosen, on one of the engines."""

    @property
    def output(self) -> str:
        """The output that is predicted."""

    @property
    def width(self) -> int:
        """The output's last dimension."""

    @property
    def rows_are_independent(self) -> bool:
        """Whether a row's numbers depend, bit by bit, on nothing but the row."""

    @property
    def survives_fork(self) -> bool:
        """Whether a forked child can go on with it."""

    def run(self, encoded: EncodedWindow, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window and return the values in row order.

        Raises:
            StoppedError: `stop` was set.
            BundleError: the model fails on it, or `stop` was set while it ran.
        """
