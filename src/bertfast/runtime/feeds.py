"""Pack ragged rows into the three padded arrays that a BERT graph takes."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Feeds: TypeAlias = dict[str, NDArray[np.int32]]


def batch_feeds(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.int64], *, sep_id: int
) -> Feeds:
    """Pack some rows, padded to the longest of them.

    `Tokenizer.encode_ragged` gives ids only. The segment of each token follows from them: a
    text never yields [SEP], since "[" is always a word of its own, so what comes after a row's
    first [SEP] is the second text.

        input_ids    [CLS] a1 a2 [SEP] b1 [SEP]  0      pad
        input_mask     1    1  1   1    1   1    0
        segment_ids    0    0  0   0    1   1    0

    Args:
        ids: int32 [tokens], the ids of all rows.
        offsets: int64 [all rows + 1]; row i is `ids[offsets[i]:offsets[i + 1]]`.
        rows: int64 [batch_size], the rows to pack; at least one.
        sep_id: the id of [SEP].

    Returns:
        input_ids, input_mask and segment_ids, each int32 [batch_size, longest row].

    Example:
        >>> feeds = batch_feeds(
        ...     np.array([2, 8, 3, 2, 8, 3, 9, 3], np.int32), np.array([0, 3, 8]),
        ...     np.array([0, 1]), sep_id=3)
        >>> feeds["input_ids"].tolist()
        [[2, 8, 3, 0, 0], [2, 8, 3, 9, 3]]
        >>> feeds["segment_ids"].tolist()
        [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    positions = np.arange(int(lengths.max()))
    is_token = positions < lengths[:, None]
    # Padded places read the last id of all instead of running past the end.
    places = np.minimum(starts[:, None] + positions, len(ids) - 1)
    input_ids = np.where(is_token, ids[places], np.int32(0))
    is_sep = is_token & (input_ids == sep_id)
    seps_before = np.cumsum(is_sep, axis=1) - is_sep
    return {
        "input_ids": input_ids,
        "input_mask": is_token.astype(np.int32),
        "segment_ids": ((seps_before > 0) & is_token).astype(np.int32),
    }


def ragged_segments(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], *, sep_id: int
) -> NDArray[np.int32]:
    """Return the segment of each token, by the same rule, without padding.

    Args:
        ids: int32 [tokens], the ids of all rows.
        offsets: int64 [rows + 1]; row i is `ids[offsets[i]:offsets[i + 1]]`.
        sep_id: the id of [SEP].

    Returns:
        int32 [tokens], 0 or 1.

    Example:
        >>> ids = np.array([2, 8, 3, 2, 8, 3, 9, 3], np.int32)
        >>> ragged_segments(ids, np.array([0, 3, 8]), sep_id=3).tolist()
        [0, 0, 0, 0, 0, 0, 1, 1]
    """
    is_sep = ids == sep_id
    seps_before = np.cumsum(is_sep) - is_sep
    starts = offsets[:-1]
    # A row without tokens, as the last one, may start behind the last token.
    before_row = seps_before[np.minimum(starts, max(len(ids) - 1, 0))] if len(ids) else starts
    segments: NDArray[np.int32] = seps_before > np.repeat(before_row, np.diff(offsets))
    return segments.astype(np.int32)
