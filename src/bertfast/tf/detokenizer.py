"""Ids back to text in the graph: twin of `bertfast.Tokenizer.decode`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bertfast.tf.constants import constant

_PREFIX = "##"


class Detokenizer:
    """Joins tokens with spaces, and "##" pieces to the piece before them."""

    def __init__(self, vocab: Mapping[str, int]) -> None:
        """Build the tables of a checked vocabulary {token: id}."""
        tokens = sorted(vocab, key=vocab.__getitem__)
        # What a token adds to the text at a row's beginning, and behind another one.
        self._first = constant([_encode(token) for token in tokens])
        self._behind = constant(
            [
                _encode(token.removeprefix(_PREFIX) if token.startswith(_PREFIX) else f" {token}")
                for token in tokens
            ]
        )
        self._ids = constant(np.sort(np.fromiter(vocab.values(), np.int64)))

    def __call__(self, ids: Any) -> Any:
        """Map a ragged tensor of ids [n, pieces] to string [n]."""
        values = tf.cast(ids.values, tf.int64)
        index = tf.minimum(tf.searchsorted(self._ids, values), tf.size(self._ids) - 1)
        check = tf.debugging.assert_equal(
            tf.gather(self._ids, index), values, "an id is not in the vocabulary"
        )
        with tf.control_dependencies([] if check is None else [check]):
            starts = tf.gather(ids.row_starts(), ids.value_rowids())
        is_first = tf.equal(tf.range(tf.size(values, tf.int64)), tf.cast(starts, tf.int64))
        parts = tf.where(is_first, tf.gather(self._first, index), tf.gather(self._behind, index))
        return tf.strings.reduce_join(ids.with_values(parts), axis=-1)


def _encode(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
