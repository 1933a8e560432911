"""Batches shaped for speed: cut to their longest row, and of rows of similar lengths.

A model computes on padding as on tokens. Neither changes what a row's numbers are.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

Dataset: TypeAlias = Any
Batch: TypeAlias = dict[str, Any]

# Opens the stream of batches of a size, without the first so many: (size, skip) -> dataset.
OpenBatches: TypeAlias = Callable[[int, int], Dataset]

_SEQUENCES = ("input_ids", "input_mask", "segment_ids")
# Lengths are rounded up, so that kernels meet few shapes.
_LENGTH_STEP = 8
# Batches whose rows are sorted together. More make lengths more alike and the order less random.
_BUCKETED = 32


def trim(batch: Batch) -> Batch:
    """Cut the columns that are padding in every row; a multiple of 8 stay.

    Padding must come after the tokens, as it does in every record.
    """
    width = tf.shape(batch["input_mask"])[1]
    longest = tf.reduce_max(tf.reduce_sum(batch["input_mask"], axis=1))
    rounded = (longest + _LENGTH_STEP - 1) // _LENGTH_STEP * _LENGTH_STEP
    length = tf.minimum(tf.maximum(rounded, _LENGTH_STEP), width)
    trimmed = {name: batch[name][:, :length] for name in _SEQUENCES}
    return {**batch, **trimmed}


def trimmed(batches: Dataset) -> Dataset:
    """Return the batches, each cut to its longest row."""
    return batches.map(trim, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def bucketed(open_batches: OpenBatches, batch_size: int, skip: int, seed: int) -> Dataset:
    """Return an endless stream of batches of rows of similar lengths, without the first `skip`.

    The rows of 32 batches are sorted by length and dealt out again; the order of the new
    batches is shuffled by the seed and the place in the stream, so that a resumed stream is
    the rest of the uninterrupted one.
    """
    done, rest = divmod(skip, _BUCKETED)
    windows = open_batches(batch_size * _BUCKETED, done).enumerate(done)

    def deal(number: Any, window: Batch) -> Dataset:
        rows = tf.argsort(tf.reduce_sum(window["input_mask"], axis=1), stable=True)
        order = tf.random.experimental.stateless_shuffle(
            tf.range(_BUCKETED), seed=[seed % 2**31, tf.cast(number % 2**31, tf.int32)]
        )
        places = tf.gather(tf.reshape(rows, [_BUCKETED, batch_size]), order)
        dealt = {name: tf.gather(tensor, places) for name, tensor in window.items()}
        return tf.data.Dataset.from_tensor_slices(dealt)

    return windows.flat_map(deal).skip(rest)


def distribute(batches: Dataset, strategy: Any) -> Any:
    """Return the batches for a strategy: each is cut into equal parts, one for each replica.

    The parts are in order: the first replica has the first rows. (A strategy's own way to split
    batches rewrites the dataset's graph, which it must not where batches are dealt.)
    """
    n_replicas = strategy.num_replicas_in_sync

    def cut(batch: Batch) -> Dataset:
        return tf.data.Dataset.from_tensor_slices(
            {name: _cut(tensor, n_replicas) for name, tensor in batch.items()}
        )

    dealt = batches if n_replicas == 1 else batches.flat_map(cut)
    prefetched = dealt.prefetch(tf.data.AUTOTUNE)
    return strategy.distribute_datasets_from_function(lambda _: prefetched)


def _cut(tensor: Any, n_parts: int) -> Any:
    """[rows, ...] to [n_parts, rows / n_parts, ...], the known sizes kept."""
    n_rows, *others = tensor.shape
    cut = tf.reshape(tensor, tf.concat([[n_parts, -1], tf.shape(tensor)[1:]], axis=0))
    return tf.ensure_shape(cut, [n_parts, n_rows and n_rows // n_parts, *others])
