"""Windows through the native engine: rows in their order, packed without padding."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

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
        threads: batches that are run side by side.
    """

    name: str
    network: Network
    output: str
    sep_id: int
    token_budget: int
    threads: int

    @property
    def width(self) -> int:
        """The output's last dimension."""
        return self.network.width(self.output)

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
        ids = np.ascontiguousarray(encoded.ids, np.int32)
        offsets = np.ascontiguousarray(encoded.offsets, np.int64)
        try:
            values = self.network.run(
                ids,
                ragged_segments(ids, offsets, sep_id=self.sep_id),
                offsets,
                output=self.output,
                token_budget=self.token_budget,
                threads=self.threads,
                advance=advance,
            )
        except InputError as error:
            raise BundleError(f"{self.name}: the model failed on a window: {error}") from error
        if self.output != SEQUENCE_OUTPUT:
            return values
        # Copies: a view of one row would keep all of them in memory.
        return [values[start:end].copy() for start, end in pairwise(offsets)]
