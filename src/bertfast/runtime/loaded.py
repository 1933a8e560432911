"""A model in memory: tokenizer and session, and one window of rows through both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import BundleError
from bertfast.runtime.batching import plan_batches
from bertfast.runtime.feeds import batch_feeds
from bertfast.runtime.progress import Progress
from bertfast.runtime.session import Session, first_line, open_session
from bertfast.runtime.stop import Stop
from bertfast.runtime.windows import Window
from bertfast.tokenizer import Tokenizer

if TYPE_CHECKING:
    from bertfast.bundle import Bundle

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
    """

    first_row: int
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_truncated: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """What a Predictor opens on first use. Safe to share between threads, not across a fork.

    Attributes:
        name: the model directory, for messages.
        output: the graph output that is predicted.
        width: its last dimension.
        sep_id: the id of [SEP].
    """

    name: str
    tokenizer: Tokenizer
    session: Session
    output: str
    width: int
    sep_id: int
    max_length: int
    token_budget: int

    @classmethod
    def open(
        cls,
        bundle: "Bundle",
        *,
        device: str,
        threads: int | None,
        output: str,
        max_length: int,
        token_budget: int,
    ) -> "LoadedModel":
        """Load the tokenizer and open the session.

        Raises:
            BundleError: the model cannot be loaded or lacks the output.
            DeviceError: the device cannot be used.
        """
        tokenizer = Tokenizer(bundle.vocab_path, do_lower_case=bundle.manifest.do_lower_case)
        session = open_session(
            bundle.model_path,
            device=device,
            threads=threads,
            max_width=bundle.manifest.config.max_position_embeddings,
        )
        return cls(
            name=str(bundle.path),
            tokenizer=tokenizer,
            session=session,
            output=output,
            width=_output_width(session, output, str(bundle.model_path)),
            sep_id=tokenizer.convert_tokens_to_ids(["[SEP]"])[0],
            max_length=max_length,
            token_budget=token_budget,
        )

    def encode(self, window: Window, *, num_threads: int | None = None) -> EncodedWindow:
        """Tokenize a window."""
        ids, offsets, truncated = self.tokenizer.encode_ragged(
            window.texts,
            window.pairs,
            max_length=self.max_length,
            num_threads=num_threads,
            return_truncated=True,
        )
        return EncodedWindow(window.first_row, ids, offsets, int(truncated.sum()))

    def run(self, encoded: EncodedWindow, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window, batch by batch, and return the values in row order.

        Raises:
            StoppedError: `stop` was set.
            BundleError: the model failed, or `stop` was set while it ran.
        """
        lengths = np.diff(encoded.offsets)
        batches = plan_batches(lengths, token_budget=self.token_budget)
        if self.output == SEQUENCE_OUTPUT:
            ragged: list[FloatArray] = [np.empty((0, self.width), np.float32)] * len(lengths)
            for rows in batches:
                for row, vectors in zip(rows, self._run_batch(encoded, rows, stop), strict=True):
                    ragged[row] = vectors[: lengths[row]].astype(np.float32)
                progress.advance(len(rows), int(lengths[rows].sum()))
            return ragged
        values = np.empty((len(lengths), self.width), np.float32)
        for rows in batches:
            values[rows] = self._run_batch(encoded, rows, stop)
            progress.advance(len(rows), int(lengths[rows].sum()))
        return values

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


def _output_width(session: Session, output: str, model_path: str) -> int:
    shapes: dict[str, Sequence[object]] = {out.name: out.shape for out in session.get_outputs()}
    if output not in shapes:
        raise BundleError(f"{model_path} has outputs {', '.join(shapes)}, but not {output!r}")
    width = shapes[output][-1] if shapes[output] else None
    if not isinstance(width, int):
        raise BundleError(f"{model_path}: output {output!r} has no fixed last dimension")
    return width
