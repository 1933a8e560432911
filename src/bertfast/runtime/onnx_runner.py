"""Windows through ONNX Runtime: rows sorted by length, in padded batches."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import BundleError
from bertfast.runtime.batching import plan_batches
from bertfast.runtime.encoded import SEQUENCE_OUTPUT, EncodedWindow, FloatArray, Values
from bertfast.runtime.feeds import batch_feeds
from bertfast.runtime.progress import Progress
from bertfast.runtime.session import Session, first_line
from bertfast.runtime.stop import Stop


@dataclass(frozen=True, slots=True, eq=False)
class OnnxRunner:
    """A session and one output of it.

    Attributes:
        name: the model directory, for messages.
        session: the open session.
        output: the graph output that is predicted.
        width: its last dimension.
        sep_id: the id of [SEP].
        token_budget: tokens of a batch at most, padding included.
        workers: batches that are run side by side, in one session, so that they share weights.
    """

    name: str
    session: Session
    output: str
    width: int
    sep_id: int
    token_budget: int
    workers: int = 1

    @property
    def rows_are_independent(self) -> bool:
        """Padding and, in int8, the rows beside it may change a row's last bits."""
        return False

    @property
    def survives_fork(self) -> bool:
        """A child has no copy of the session's threads."""
        return False

    def run(self, encoded: EncodedWindow, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window, batch by batch, and return the values in row order."""
        lengths = np.diff(encoded.offsets)
        batches = plan_batches(lengths, token_budget=self.token_budget)
        if self.output == SEQUENCE_OUTPUT:
            ragged: list[FloatArray] = [np.empty((0, self.width), np.float32)] * len(lengths)
            for rows, padded in self._run_batches(encoded, batches, stop):
                for row, vectors in zip(rows, padded, strict=True):
                    ragged[row] = vectors[: lengths[row]].astype(np.float32)
                progress.advance(len(rows), int(lengths[rows].sum()))
            return ragged
        values = np.empty((len(lengths), self.width), np.float32)
        for rows, vectors in self._run_batches(encoded, batches, stop):
            values[rows] = vectors
            progress.advance(len(rows), int(lengths[rows].sum()))
        return values

    def _run_batches(
        self, encoded: EncodedWindow, batches: list[NDArray[np.int64]], stop: Stop | None
    ) -> Iterator[tuple[NDArray[np.int64], FloatArray]]:
        """Yield the rows and the values of each batch, in order; the longest come first."""
        n_workers = min(self.workers, len(batches))
        if n_workers < 2:
            for rows in batches:
                yield rows, self._run_batch(encoded, rows, stop)
            return
        if stop is not None:
            _ = stop.run_options  # made once, here, before several threads ask for it
        waiting: deque[tuple[NDArray[np.int64], Future[FloatArray]]] = deque()
        pool = ThreadPoolExecutor(n_workers, thread_name_prefix="bertfast-run")
        try:
            for rows in batches:
                if len(waiting) == 2 * n_workers:  # what is done takes memory until it is taken
                    done, future = waiting.popleft()
                    yield done, future.result()
                waiting.append((rows, pool.submit(self._run_batch, encoded, rows, stop)))
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _run_batch(
        self, encoded: EncodedWindow, rows: NDArray[np.int64], stop: Stop | None
    ) -> FloatArray:
        if stop is not None:
            stop.check()
        feeds = batch_feeds(encoded.ids, encoded.offsets, rows, sep_id=self.sep_id)
        run_options = () if stop is None else (stop.run_options,)
        try:
            return self.session.run([self.output], feeds, *run_options)[0]
        except Exception as error:  # onnxruntime's own errors have no base class but Exception
            raise BundleError(
                f"{self.name}: the model failed on a batch of {list(feeds['input_ids'].shape)} "
                f"tokens: {first_line(error)}"
            ) from error


def output_width(session: Session, output: str, model_path: str) -> int:
    """Return the last dimension of an output.

    Raises:
        BundleError: the model lacks the output, or its last dimension is not fixed.
    """
    shapes: dict[str, Sequence[object]] = {out.name: out.shape for out in session.get_outputs()}
    if output not in shapes:
        raise BundleError(f"{model_path} has outputs {', '.join(shapes)}, but not {output!r}")
    width = shapes[output][-1] if shapes[output] else None
    if not isinstance(width, int):
        raise BundleError(f"{model_path}: output {output!r} has no fixed last dimension")
    return width
