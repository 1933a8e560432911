"""Canonical order in the graph: combining marks sorted by their class, as NFD does.

Accents (Mn) are stripped afterwards, so order matters only for the few marks that stay and
have a class. Two of different classes in one vocabulary are needed for it to show; no
vocabulary of Google's has them, and then none of this is in the graph.
"""

from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bertfast.tf.characters import N_CODE_POINTS, Bools, Characters
from bertfast.tf.constants import constant, constant_model
from bertfast.tf.normalizer_model import build_normalizer_model

Tensor: TypeAlias = Any

_CLASSES = 256
_SURROGATES = slice(0xD800, 0xE000)


def order_matters(characters: Characters, known: Bools) -> bool:
    """Tell whether two `known` marks that stay have different classes."""
    stays = np.zeros(N_CODE_POINTS, np.bool_)
    stays[characters.plain.parts] = True
    return len(np.unique(characters.combining[stays & known & (characters.combining > 0)])) > 1


def moving_characters(characters: Characters) -> Bools:
    """Return which code points become something with a mark that stays and has a class."""
    plain = characters.plain
    source = np.repeat(np.arange(N_CODE_POINTS), np.diff(plain.starts))
    result = np.zeros(N_CODE_POINTS, np.bool_)
    result[source[characters.combining[plain.parts] > 0]] = True
    return result


class CanonicalOrder:
    """Lowers, decomposes and sorts the marks of strings."""

    def __init__(self, characters: Characters) -> None:
        """Build the tables of uncased mode's `characters`."""
        classes = characters.combining
        self._normalizer = tf_text.FastBertNormalizer(
            model_buffer=constant_model(build_normalizer_model(*_decompositions(characters)))
        )
        self._code_points = constant(np.flatnonzero(classes).astype(np.int32))
        self._classes = constant(classes[classes > 0].astype(np.int64))

    def __call__(self, text: Tensor) -> Tensor:
        """Map strings [n] to their lowered and decomposed form in canonical order.

        Our character table gives for decomposed text what it gives for the text.
        """
        decomposed = tf.strings.unicode_decode(self._normalizer.normalize(text), "UTF-8")
        values = decomposed.values
        index = tf.searchsorted(self._code_points, values)
        index = tf.minimum(index, tf.size(self._code_points) - 1)
        is_mark = tf.equal(tf.gather(self._code_points, index), values)
        classes = tf.where(is_mark, tf.gather(self._classes, index), tf.constant(0, tf.int64))
        # A run begins at each starter and at each row; stable sorting keeps equals in place.
        begins = tf.cast((classes == 0) | _row_begins(decomposed), tf.int64)
        order = tf.argsort(tf.cumsum(begins) * _CLASSES + classes, stable=True)
        return tf.strings.unicode_encode(decomposed.with_values(tf.gather(values, order)), "UTF-8")


def _row_begins(ragged: Any) -> Tensor:
    """Return bool [values]: where a row of `ragged` begins."""
    starts = tf.boolean_mask(ragged.row_starts(), ragged.row_lengths() > 0)
    shape = tf.shape(ragged.values, out_type=tf.int64)
    return tf.scatter_nd(starts[:, None], tf.ones_like(starts), shape) > 0


def _decompositions(characters: Characters) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return the table of cleaning, CJK isolation, lowering and decomposition, marks kept."""
    index = {"": 1, " ": 2}
    values = np.zeros(N_CODE_POINTS, np.int32)
    expansions = characters.decomposed
    starts = expansions.starts[:-1]
    same = (np.diff(expansions.starts) == 1) & (
        expansions.parts[starts] == np.arange(N_CODE_POINTS)
    )
    same &= ~characters.cjk
    same[_SURROGATES] = True
    for code_point in np.flatnonzero(~same).tolist():
        string = "".join(map(chr, expansions.of(code_point)))
        string = f" {string} " if characters.cjk[code_point] else string
        values[code_point] = index.setdefault(string, len(index) + 1)
    values[characters.space] = 2
    values[characters.dropped] = 1
    return values, ["", *index]
