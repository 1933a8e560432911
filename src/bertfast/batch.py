"""Fills the arrays of a batch from the pieces of its texts and the plan of its rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast import _native
from bertfast.encoding import Encoding
from bertfast.packing import Plan
from bertfast.tensors import Framework, empty_aligned
from bertfast.vocab import PAD_ID

_Longs = NDArray[np.int64]

# The pieces of one text of each row: ids int32 [n], row offsets int64 [rows + 1] and, if wanted,
# where they stand, int32 [n, 2].
Side = tuple[NDArray[np.int32], _Longs, NDArray[np.int32] | None]

# The ids of [CLS] and [SEP], or None to leave them out.
Specials = tuple[int, int] | None


def fill_ragged(
    plan: Plan, ids_a: NDArray[np.int32], ids_b: NDArray[np.int32], specials: Specials
) -> tuple[NDArray[np.int32], _Longs]:
    """Return ids int32 [n], one row behind the other, and row offsets int64 [rows + 1]."""
    offsets = np.zeros(len(plan.lengths) + 1, np.int64)
    np.cumsum(plan.lengths, out=offsets[1:])
    ids = np.empty(int(offsets[-1]), np.int32)
    _native.pack_ragged(ids, offsets, ids_a, ids_b, *_slices(plan), specials)
    return ids, offsets


def padded_width(plan: Plan, max_length: int | None, multiple: int | None) -> int:
    """Return the width of a batch: its longest row or `max_length`, rounded up."""
    longest = int(plan.lengths.max(initial=0))
    width = longest if max_length is None else max_length
    return width if multiple is None else -(-width // multiple) * multiple


def fill_padded(
    plan: Plan,
    shape: tuple[int, int],
    sides: tuple[Side, Side],
    dtype: "np.dtype[Any]",
    specials: Specials,
    framework: Framework | None,
) -> Encoding:
    """Return the matrices of a batch, of `shape` [rows, width]; rows must fit the width.

    Their memory is such that `framework` can share it.
    """
    side_a, side_b = sides
    empty = empty_aligned if framework == "tf" else np.empty
    input_ids, input_mask, segment_ids = (empty(shape, dtype) for _ in range(3))
    rows = _slices(plan)
    _native.pack_padded(
        input_ids, input_mask, segment_ids, side_a[0], side_b[0], *rows, specials, PAD_ID
    )
    offsets = None
    if side_a[2] is not None and side_b[2] is not None:
        offsets = np.zeros((*shape, 2), np.int32)
        _native.pack_offsets(offsets, side_a[2], side_b[2], *rows, specials is not None)
    return Encoding(
        input_ids=input_ids,
        input_mask=input_mask,
        segment_ids=segment_ids,
        lengths=plan.lengths.astype(np.int32),
        truncated=plan.truncated,
        overflow_to_sample=plan.samples,
        offsets=offsets,
    )


def _slices(plan: Plan) -> tuple[_Longs, _Longs, _Longs, _Longs]:
    return plan.a_begin, plan.a_length, plan.b_begin, plan.b_length
