"""`[CLS] a [SEP] b [SEP]` and padding, in the graph: twin of `bertfast.packing`.

la = 5, lb = 4, max_seq_length = 9  ->  M = 6 places for pieces, na = 3, nb = 3
[CLS] a1 a2 a3 [SEP] b1 b2 b3 [SEP]
  0    0  0  0   0    1  1  1   1      segment_ids
"""

from typing import Any, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = Any
Ragged: TypeAlias = Any


def truncated_lengths(la: Tensor, lb: Tensor, max_seq_length: int) -> tuple[Tensor, Tensor]:
    """Return how many pieces of each text stay: int32 [n] each.

    The closed form of popping from the longer side, from b on a tie.
    Source: google-research/bert run_classifier.py, _truncate_seq_pair.
    """
    room = max_seq_length - 3
    na_pair = tf.minimum(la, tf.maximum((room + 1) // 2, room - lb))
    na = tf.where(lb > 0, na_pair, tf.minimum(la, max_seq_length - 2))
    return na, tf.where(lb > 0, tf.minimum(lb, room - na), 0)


def pack_rows(
    a: Ragged,
    b: Ragged | None,
    max_seq_length: int,
    *,
    cls_id: int,
    sep_id: int,
    to_longest: bool,
) -> dict[str, Tensor]:
    """Lay out rows of pieces.

    Args:
        a: ragged int32 [n, pieces].
        b: the second texts, as many rows; a row without pieces gets no second [SEP].
        max_seq_length: tokens a row at most, and the width unless `to_longest`.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        to_longest: make the width that of the longest row.

    Returns:
        input_ids, input_mask and segment_ids, int32 [n, width]; 0 where there is no token.
    """
    la = tf.cast(a.row_lengths(), tf.int32)
    lb = tf.zeros_like(la) if b is None else tf.cast(b.row_lengths(), tf.int32)
    na, nb = truncated_lengths(la, lb, max_seq_length)
    total = na + nb + 2 + tf.cast(nb > 0, tf.int32)
    longest = tf.reduce_max(tf.concat([total, [2]], 0))
    position = tf.range(longest if to_longest else max_seq_length)[None, :]  # [1, width]
    na, nb, total = na[:, None], nb[:, None], total[:, None]  # [n, 1]
    in_row = position < total
    b_begins = na + 2
    ids = tf.where(position == 0, cls_id, sep_id)
    ids = _place(ids, a, position - 1, (position >= 1) & (position <= na))
    if b is not None:
        in_b = (position >= b_begins) & (position < b_begins + nb)
        ids = _place(ids, b, position - b_begins, in_b)
    return {
        "input_ids": tf.where(in_row, ids, 0),
        "input_mask": tf.cast(in_row, tf.int32),
        "segment_ids": tf.cast(in_row & (position >= b_begins), tf.int32),
    }


def _place(ids: Tensor, rows: Ragged, column: Tensor, chosen: Tensor) -> Tensor:
    """Return `ids` [n, width] with pieces `column` [n, width] of `rows` where `chosen`."""
    starts = tf.cast(rows.row_starts(), tf.int32)[:, None]
    # One more value, so that there is something to gather in a batch without pieces.
    values = tf.concat([rows.values, [0]], 0)
    return tf.where(chosen, tf.gather(values, tf.where(chosen, starts + column, 0)), ids)
