"""Examples of a classification as TFRecords: written by the native tokenizer, read as batches.

The features have the original's names, so that its files can be read and ours by it.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from os import PathLike, fspath
from typing import Any

import tensorflow as tf

from bertfast.errors import InputError
from bertfast.glue.examples import Example, label_map
from bertfast.glue.features import FeatureBatch, convert_examples
from bertfast.runtime.progress import Silence, show_progress
from bertfast.tf.record_files import (
    Dataset,
    Paths,
    check_records,
    count_records,
    int_feature,
    open_records,
    path_list,
    read_batches,
    serialize,
)
from bertfast.tokenizer import Tokenizer

# Examples that are tokenized at once: enough for every thread, and a few MB of features.
_WRITTEN_AT_ONCE = 2048
# The records of most tasks at once; about 1 kB each at 128 tokens.
SHUFFLE_BUFFER = 50_000


def write_examples(
    examples: Sequence[Example],
    label_list: Sequence[str],
    max_seq_length: int,
    tokenizer: Tokenizer,
    path: str | PathLike[str],
    *,
    progress: bool = True,
) -> None:
    """Convert examples to features and write them to a TFRecord file, in their order.

    The file appears when it is complete: it is written beside its place, flushed and renamed.
    Features of a record: `input_ids`, `input_mask` and `segment_ids` int64 [max_seq_length],
    `label_ids` and `is_real_example` int64 [1].

    Args:
        examples: the examples, padding ones too.
        label_list: the labels in the order of their ids.
        max_seq_length: tokens a record, special ones and padding included.
        tokenizer: tokenizes on all CPUs.
        path: the file; tf.io.gfile's remote paths are allowed.
        progress: show it on standard error: a bar on a terminal, a line now and then elsewhere.

    Source: google-research/bert run_classifier.py, file_based_convert_examples_to_features.

    Raises:
        InputError: no example, an unknown label, no room for the special tokens, or a file
            that cannot be written.
    """
    if not examples:
        raise InputError("there is no example to write")
    label_map(label_list)
    shown = show_progress() if progress else nullcontext(Silence())
    with open_records([fspath(path)]) as (writer,), shown as bar:
        bar.set_total(len(examples))
        for start in range(0, len(examples), _WRITTEN_AT_ONCE):
            batch = examples[start : start + _WRITTEN_AT_ONCE]
            features = convert_examples(batch, label_list, max_seq_length, tokenizer)
            for record in _serialized(features):
                writer.write(record)
            bar.advance(len(batch), int(features.input_mask.sum()))


def _serialized(features: FeatureBatch) -> Iterator[bytes]:
    rows = zip(
        features.input_ids.tolist(),
        features.input_mask.tolist(),
        features.segment_ids.tolist(),
        features.label_ids.tolist(),
        features.is_real_example.tolist(),
        strict=True,
    )
    for input_ids, input_mask, segment_ids, label_id, is_real_example in rows:
        yield serialize(
            {
                "input_ids": int_feature(input_ids),
                "input_mask": int_feature(input_mask),
                "segment_ids": int_feature(segment_ids),
                "label_ids": int_feature([label_id]),
                "is_real_example": int_feature([int(is_real_example)]),
            }
        )


def input_pipeline(
    paths: Paths,
    max_seq_length: int,
    batch_size: int,
    *,
    is_training: bool,
    drop_remainder: bool,
    seed: int,
    skip_batches: int = 0,
) -> Dataset:
    """Return a tf.data.Dataset of batches from TFRecord files of examples.

    A batch is a dict of int32 tensors: `input_ids`, `input_mask`, `segment_ids`
    [batch_size, max_seq_length], `label_ids` and `is_real_example` [batch_size].

    Args:
        paths: one file or several, of `write_examples` or of the original.
        max_seq_length: the length that they were written with.
        batch_size: records in a batch.
        is_training: repeat the records without end, in another order each time (batches run
            across the end of an epoch); else give them once, in order.
        drop_remainder: leave a last, smaller batch out. TPUs need it; to lose no example then,
            write `pad_examples` of them.
        seed: decides the order in training.
        skip_batches: batches to leave out at the start, to resume: what follows is what an
            uninterrupted run would read. Skipped records are not decoded, whole epochs not read.

    Source: google-research/bert run_classifier.py, file_based_input_fn_builder, which shuffles
    100 records at a time.

    Raises:
        InputError: a file cannot be read, is empty or damaged, or was written with another length.
    """
    files = path_list(paths)
    lengths = dict.fromkeys(("input_ids", "input_mask", "segment_ids"), max_seq_length)
    check_records(files, {**lengths, "label_ids": 1})
    spec: dict[str, Any] = {
        name: tf.io.FixedLenFeature([length], tf.int64) for name, length in lengths.items()
    }
    spec["label_ids"] = tf.io.FixedLenFeature([], tf.int64)
    # The original's first releases did not write it.
    spec["is_real_example"] = tf.io.FixedLenFeature([], tf.int64, default_value=1)
    return read_batches(
        files,
        spec,
        batch_size,
        shuffle_buffer=SHUFFLE_BUFFER if is_training else None,
        drop_remainder=drop_remainder,
        seed=seed,
        skip_batches=skip_batches,
        n_records=count_records(files),  # which reads them: damage is found before training
    )
