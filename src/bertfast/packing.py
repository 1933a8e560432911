"""Lay out pieces as `[CLS] a [SEP] b [SEP]`: truncation and windows, planned for a batch.

    la = 5, lb = 4, max_length = 9  ->  M = 6 places for pieces, na = 3, nb = 3
    [CLS] a1 a2 a3 [SEP] b1 b2 b3 [SEP]
      0    0  0  0   0    1  1  1   1      segment_ids

The plan is numpy on whole batches; the native core fills the arrays from it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import InputError

Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What each output row holds: slices of the pieces of its two texts.

    Attributes:
        samples: int64 [rows]; the text each row comes from.
        a_begin, a_length, b_begin, b_length: int64 [rows]; slices of the ragged ids.
        lengths: int64 [rows]; tokens in the row, special ones included.
        truncated: bool [rows]; pieces of the text are missing from the row.
    """

    samples: Int64Array
    a_begin: Int64Array
    a_length: Int64Array
    b_begin: Int64Array
    b_length: Int64Array
    lengths: Int64Array
    truncated: NDArray[np.bool_]


# No row has more tokens: their ids alone would be 4 TiB.
_LONGEST = 2**40


def check_max_length(max_length: int | None, *, pair: bool, special: bool) -> int | None:
    """Return `max_length` as an int that numpy can reckon with; any larger one means the same.

    Raises:
        InputError: it has no room for the special tokens of a row.
    """
    if max_length is None:
        return None
    least = (3 if pair else 2) if special else 1
    if isinstance(max_length, bool) or not isinstance(max_length, int | np.integer):
        raise InputError(f"max_length is an integer or None, got {max_length!r}")
    if max_length < least:
        what = "a pair of texts" if pair else "a text"
        raise InputError(f"max_length={max_length} is too small for {what}: at least {least}")
    return min(int(max_length), _LONGEST)


def plan_rows(
    a_offsets: Int64Array, b_offsets: Int64Array | None, max_length: int | None, *, special: bool
) -> Plan:
    """Plan one row a text, truncated by the original's rule.

    `a_offsets` and `b_offsets` are row offsets int64 [n + 1] into the ragged pieces. Texts may
    have been encoded only up to `max_length + 1` pieces: the closed form is the same.
    Source: google-research/bert run_classifier.py, convert_single_example, whose
    `_truncate_seq_pair` pops from the longer side, from b on a tie.
    """
    la = a_offsets[1:] - a_offsets[:-1]
    if b_offsets is None:
        b_begin = nb = lb = np.zeros_like(la)
        na = la if max_length is None else np.minimum(la, max_length - (2 if special else 0))
    else:
        b_begin = b_offsets[:-1]
        lb = b_offsets[1:] - b_begin
        na, nb = _truncated_lengths(la, lb, max_length, special=special)
    return Plan(
        samples=np.arange(len(la)),
        a_begin=a_offsets[:-1],
        a_length=na,
        b_begin=b_begin,
        b_length=nb,
        lengths=_row_lengths(na, nb, special=special),
        truncated=(na < la) | (nb < lb),
    )


def _truncated_lengths(
    la: Int64Array, lb: Int64Array, max_length: int | None, *, special: bool
) -> tuple[Int64Array, Int64Array]:
    if max_length is None:
        return la, lb
    has_b = lb > 0
    room_a = max_length - (2 if special else 0)
    room = max_length - (3 if special else 0)
    na_pair = np.minimum(la, np.maximum((room + 1) // 2, room - lb))
    na = np.where(has_b, na_pair, np.minimum(la, room_a))
    nb = np.where(has_b, np.minimum(lb, room - na), 0)
    return na, nb


def _row_lengths(na: Int64Array, nb: Int64Array, *, special: bool) -> Int64Array:
    return na + nb + 2 + (nb > 0) if special else na + nb


def plan_windows(
    a_offsets: Int64Array,
    b_offsets: Int64Array | None,
    max_length: int,
    stride: int,
    *,
    special: bool,
    cut_first: bool = False,
) -> Plan:
    """Plan as many rows a text as its pieces need; neighbours share `stride` pieces.

    Windows slide over the text, or, for pairs, over the second text with the first kept whole
    in every window (question and document). With `cut_first` a first text that leaves little
    room is cut: the second has half of the room at least, and more than `stride`.

    Raises:
        InputError: a window would hold `stride` pieces or fewer, so that it could not advance.
    """
    shared = min(stride, max_length)  # which no window exceeds; stride may be any integer
    la = np.diff(a_offsets)
    lb = np.zeros_like(la) if b_offsets is None else np.diff(b_offsets)
    has_b = lb > 0
    if cut_first:
        pieces = max_length - (3 if special else 0)
        fair = _truncated_lengths(la, lb, max_length, special=special)[0]
        must_slide = has_b & (fair + lb > pieces)
        most = np.where(must_slide, max(pieces - shared - 1, 0), pieces)
        la = np.where(has_b, np.minimum(fair, most), la)
    slide = np.where(has_b, lb, la)  # the pieces that the windows slide over
    room = np.where(has_b, max_length - la - (3 if special else 0), max_length - 2 * special)
    stuck = np.flatnonzero((slide > room) & (room <= shared))
    if len(stuck):
        row = int(stuck[0])
        raise InputError(
            f"row {row}: max_length={max_length} leaves {max(int(room[row]), 0)} pieces a window, "
            f"which must be more than stride={stride}"
        )
    step = np.maximum(room - shared, 1)
    windows = np.where(slide > room, 1 + -(-(slide - room) // step), 1)
    samples = np.repeat(np.arange(len(la)), windows)
    nth = np.arange(len(samples)) - np.repeat(np.cumsum(windows) - windows, windows)
    begin = nth * step[samples]
    length = np.minimum(slide[samples] - begin, np.maximum(room, 0)[samples])
    pair = has_b[samples]
    a_begin = a_offsets[:-1][samples] + np.where(pair, 0, begin)
    na = np.where(pair, la[samples], length)
    nb = np.where(pair, length, 0)
    b_begin = begin if b_offsets is None else b_offsets[:-1][samples] + begin
    return Plan(
        samples=samples,
        a_begin=a_begin,
        a_length=na,
        b_begin=np.where(pair, b_begin, 0),
        b_length=nb,
        lengths=_row_lengths(na, nb, special=special),
        truncated=(windows > 1)[samples],
    )
