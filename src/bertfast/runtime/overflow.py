"""Texts longer than the model: cut at max_length, or read in windows and pooled.

    text of 9 pieces, max_length 6, stride 1:   [CLS] 1 2 3 4 [SEP]
                                                [CLS] 4 5 6 7 [SEP]
                                                [CLS] 7 8 9 [SEP]

A row's prediction is the mean of its windows', weighted by their tokens: of the embeddings,
which are brought back to length 1 where the model's have it (mean_embedding); of the logits; of
the probabilities, which so still sum to 1. Pieces that two windows share count in both. A row of
one window has exactly the prediction that it has without all this.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import InputError
from bertfast.runtime.loaded import SEQUENCE_OUTPUT, EncodedWindow, FloatArray, LoadedModel, Values
from bertfast.runtime.progress import Progress
from bertfast.runtime.stop import Stop
from bertfast.runtime.windows import Window

Overflow: TypeAlias = Literal["truncate", "window"]
OVERFLOWS: tuple[Overflow, ...] = ("truncate", "window")

_UNIT_OUTPUT = "mean_embedding"
_SPECIAL = 3  # [CLS] and [SEP]s of a pair


def choose_stride(overflow: str, stride: int | None, *, max_length: int, output: str) -> int | None:
    """Return how many pieces neighbouring windows share, or None where texts are truncated.

    None means a quarter of `max_length`.

    Raises:
        InputError: no such overflow, a stride that leaves no room to advance, or one vector a
            token is predicted.

    >>> choose_stride("window", None, max_length=128, output="logits")
    32
    """
    if overflow not in OVERFLOWS:
        raise InputError(f"overflow is 'truncate' or 'window', got {overflow!r}")
    if overflow == "truncate":
        if stride is not None:
            raise InputError("stride goes with overflow='window'")
        return None
    if output == SEQUENCE_OUTPUT:
        raise InputError(f"{SEQUENCE_OUTPUT} cannot be pooled over windows; truncate")
    room = max_length - _SPECIAL
    chosen = max(0, min(max_length // 4, room - 1)) if stride is None else stride
    is_integer = isinstance(chosen, int) and not isinstance(chosen, bool)
    if not is_integer or not 0 <= chosen < room:
        raise InputError(
            f"stride is an integer from 0 to {room - 1} with max_length={max_length}, "
            f"got {chosen!r}"
        )
    return chosen


class WindowModel(Protocol):
    """What windows of rows go through: `run` takes what `encode` gives."""

    def encode(self, window: Window, *, num_threads: int | None = None) -> Any:
        """Tokenize a window; the result has `first_row`, `ids`, `n_truncated`, `n_repeated`."""

    def run(self, encoded: Any, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window and return the values in row order."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPieces:
    """A tokenized window of rows, long ones in several pieces.

    Attributes:
        pieces: the pieces, one behind the other as if they were rows.
        samples: int64 [pieces]; the row of each, ascending from 0, none left out.
        n_truncated: pairs whose first text was cut.
    """

    pieces: EncodedWindow
    samples: NDArray[np.int64]
    n_truncated: int

    @property
    def first_row(self) -> int:
        """Number of the first row."""
        return self.pieces.first_row

    @property
    def ids(self) -> NDArray[np.int32]:
        """The ids of all pieces."""
        return self.pieces.ids

    @property
    def n_repeated(self) -> int:
        """Pieces that have the ids of an earlier one."""
        return self.pieces.n_repeated


@dataclass(frozen=True, slots=True, eq=False)
class SlidingModel:
    """A model that reads long texts in windows; `encode` and `run` as `LoadedModel`'s.

    Attributes:
        model: runs the pieces.
        stride: pieces that neighbouring windows share.
    """

    model: LoadedModel
    stride: int

    def encode(self, window: Window, *, num_threads: int | None = None) -> EncodedPieces:
        """Tokenize a window. Of pairs the second text slides, beside the first."""
        ids, offsets, samples, cut = self.model.tokenizer.encode_windows(
            window.texts,
            window.pairs,
            max_length=self.model.max_length,
            stride=self.stride,
            num_threads=num_threads,
        )
        distinct = self.model.distinct(ids, offsets)
        pieces = EncodedWindow(window.first_row, ids, offsets, distinct=distinct)
        return EncodedPieces(pieces, samples, int(cut.sum()))

    def run(
        self, encoded: EncodedPieces, progress: Progress, stop: Stop | None = None
    ) -> FloatArray:
        """Predict the pieces and return the rows' pooled values, float32 [rows, width]."""
        values = self.model.run(encoded.pieces, _TokensOnly(progress), stop)
        if isinstance(values, list):  # one vector a token: `choose_stride` refuses
            raise InputError(f"{SEQUENCE_OUTPUT} cannot be pooled over windows; truncate")
        weights = np.diff(encoded.pieces.offsets)
        is_unit = self.model.output == _UNIT_OUTPUT
        pooled = pool_pieces(values, encoded.samples, weights, to_unit_length=is_unit)
        progress.advance(len(pooled), 0)
        return pooled


def pool_pieces(
    values: FloatArray,
    samples: NDArray[np.int64],
    weights: NDArray[np.int64],
    *,
    to_unit_length: bool,
) -> FloatArray:
    """Return each row's weighted mean over its pieces.

    Args:
        values: float32 [pieces, width].
        samples: int64 [pieces]; the row of each piece, ascending, none left out.
        weights: int64 [pieces], positive.
        to_unit_length: divide the means of several pieces by their L2 norms.

    Returns:
        float32 [rows, width].

    >>> pool_pieces(np.float32([[1], [4], [5]]), np.array([0, 0, 1]), np.array([2, 1, 7]),
    ...             to_unit_length=False).tolist()
    [[2.0], [5.0]]
    """
    if not len(samples):
        return values
    starts = np.flatnonzero(np.diff(samples, prepend=-1))
    # In float64 a row of one piece comes back exactly: (weight * value) / weight.
    sums = np.add.reduceat(values.astype(np.float64) * weights[:, None], starts)
    means = sums / np.add.reduceat(weights, starts)[:, None]
    if to_unit_length:
        several = np.diff(starts, append=len(samples)) > 1
        norms = np.linalg.norm(means[several], axis=1, keepdims=True)
        means[several] /= np.maximum(norms, 1e-12)
    return means.astype(np.float32)


class _TokensOnly:
    """Passes tokens on, and leaves the rows to be counted when they are pooled."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def set_total(self, n_rows: int) -> None:
        """Leave the total alone."""

    def advance(self, n_rows: int, n_tokens: int) -> None:
        """Count the tokens of some pieces."""
        self._progress.advance(0, n_tokens)
