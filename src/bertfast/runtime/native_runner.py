"""Windows through the native engine: rows in their order, packed without padding."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bertfast.engine import Network
from bertfast.errors import BundleError, InputError
from bertfast.runtime.encoded import SEQUENCE_OUTPUT, EncodedWindow, Values
from bertfast.runtime.feeds import ragged_segments
from bertfast.runtime.progress import Progress
from bertfast.runtime.stop import Stop


@dataclass(frozen=True, slots=True, eq=False)
class NativeRunner:
    """A network of the native engine and one output of it.

    Attributes:
        name: the model directory, for messages.
        network: the packed weights.
        output: what is predicted.
        sep_id: the id of [SEP].
        token_budget: tokens of a batch at most.
        threads: CPU threads in all.
        workers: batches that are run side by side at most; None leaves it to the engine.
    """

    name: str
    network: Network
    output: str
    sep_id: int
    token_budget: int
    threads: int
    workers: int | None

    @property
    def width(self) -> int:
        """The output's last dimension."""
        return self.network.width(self.output)

    @property
    def rows_are_independent(self) -> bool:
        """The engine promises it (csrc/include/bertfast/engine/model.h)."""
        return True

    @property
    def survives_fork(self) -> bool:
        """Its threads live as long as a call, and a child shares its memory."""
        return True

    def run(self, encoded: EncodedWindow, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window and return the values in row order; `stop` is seen between batches."""

        def advance(n_rows: int, n_tokens: int) -> None:
            progress.advance(n_rows, n_tokens)
            if stop is not None:
                stop.check()

        if stop is not None:
            stop.check()
        ids, offsets = encoded.ids, encoded.offsets
        if encoded.distinct is not None:
            ids, offsets = encoded.distinct.take(ids, offsets)
        values = self._run(
            np.ascontiguousarray(ids, np.int32), np.ascontiguousarray(offsets, np.int64), advance
        )
        if encoded.distinct is None:
            return values
        progress.advance(encoded.n_repeated, len(encoded.ids) - len(ids))
        places = encoded.distinct.places
        if isinstance(values, list):
            return [values[place].copy() for place in places]
        return values[places]

    def _run(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        advance: Callable[[int, int], None],
    ) -> Values:
        try:
            values = self.network.run(
                ids,
                ragged_segments(ids, offsets, sep_id=self.sep_id),
                offsets,
                output=self.output,
                token_budget=self.token_budget,
                threads=self.threads,
                workers=self.workers,
                advance=advance,
            )
        except InputError as error:
            raise BundleError(f"{self.name}: the model failed on a window: {error}") from error
        if self.output != SEQUENCE_OUTPUT:
            return values
        # Copies: a view of one row would keep all of them in memory.
        return [values[start:end].copy() for start, end in pairwise(offsets)]
