"""Pretraining instances as TFRecords: written under the original's names, read as batches."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from os import PathLike, fspath
from typing import Any

import tensorflow as tf

from bertfast.errors import InputError
from bertfast.glue.pretraining import TrainingInstance
from bertfast.runtime.progress import Silence, show_progress
from bertfast.tf.record_files import (
    Dataset,
    check_records,
    float_feature,
    int_feature,
    open_records,
    read_batches,
    serialize,
)
from bertfast.tokenizer import Tokenizer
from bertfast.vocab import PAD_ID

# Instances are shuffled when they are created; this undoes the order of an epoch.
_SHUFFLE_BUFFER = 10_000
_ADVANCED_AT_ONCE = 1000


def write_instance_to_example_files(
    instances: Sequence[TrainingInstance],
    tokenizer: Tokenizer,
    max_seq_length: int,
    max_predictions_per_seq: int,
    output_files: Sequence[str | PathLike[str]],
    *,
    progress: bool = False,
) -> None:
    """Write instances to TFRecord files in turn; all appear when all are complete.

    Features of a record: `input_ids`, `input_mask` and `segment_ids` int64 [max_seq_length];
    `masked_lm_positions` and `masked_lm_ids` int64 and `masked_lm_weights` float32
    [max_predictions_per_seq], 0 where there are fewer predictions; `next_sentence_labels`
    int64 [1], 1 for a random second sentence.

    Args:
        instances: of `create_training_instances` with the same two lengths.
        tokenizer: the one that they were created with.
        max_seq_length: values of the features of tokens.
        max_predictions_per_seq: values of the features of predictions.
        output_files: the files; tf.io.gfile's remote paths are allowed.
        progress: show it on standard error.

    Source: google-research/bert create_pretraining_data.py, write_instance_to_example_files.

    Raises:
        InputError: an instance is longer than the lengths, there is none, or a file cannot be
            written.
        UnknownTokenError: a token is not in the vocabulary.
    """
    if not instances:
        raise InputError("there is no instance to write")
    shown = show_progress() if progress else nullcontext(Silence())
    with open_records([fspath(path) for path in output_files]) as writers, shown as bar:
        bar.set_total(len(instances))
        for index, instance in enumerate(instances):
            features = _features(instance, tokenizer, max_seq_length, max_predictions_per_seq)
            writers[index % len(writers)].write(serialize(features))
            if (index + 1) % _ADVANCED_AT_ONCE == 0:
                bar.advance(_ADVANCED_AT_ONCE, 0)
        bar.advance(len(instances) % _ADVANCED_AT_ONCE, 0)


def _features(
    instance: TrainingInstance,
    tokenizer: Tokenizer,
    max_seq_length: int,
    max_predictions_per_seq: int,
) -> Mapping[str, Any]:
    length, n_masked = len(instance.tokens), len(instance.masked_lm_labels)
    if length > max_seq_length or n_masked > max_predictions_per_seq:
        raise InputError(
            f"an instance has {length} tokens and {n_masked} predictions, more than "
            f"max_seq_length={max_seq_length} or max_predictions_per_seq={max_predictions_per_seq}"
        )
    ids = tokenizer.convert_tokens_to_ids(instance.tokens)
    masked_ids = tokenizer.convert_tokens_to_ids(instance.masked_lm_labels)
    padding = [PAD_ID] * (max_seq_length - length)
    no_prediction = [0] * (max_predictions_per_seq - n_masked)
    return {
        "input_ids": int_feature(ids + padding),
        "input_mask": int_feature([1] * length + padding),
        "segment_ids": int_feature(instance.segment_ids + padding),
        "masked_lm_positions": int_feature(instance.masked_lm_positions + no_prediction),
        "masked_lm_ids": int_feature(masked_ids + no_prediction),
        "masked_lm_weights": float_feature([1.0] * n_masked + [0.0] * len(no_prediction)),
        "next_sentence_labels": int_feature([int(instance.is_random_next)]),
    }


def pretraining_pipeline(
    paths: Sequence[str | PathLike[str]],
    max_seq_length: int,
    max_predictions_per_seq: int,
    batch_size: int,
    *,
    is_training: bool,
    drop_remainder: bool,
    seed: int,
    skip_batches: int = 0,
) -> Dataset:
    """Return a tf.data.Dataset of batches from TFRecord files of pretraining instances.

    A batch is a dict of tensors with the features' names, int32 (`masked_lm_weights` float32):
    [batch_size, max_seq_length], [batch_size, max_predictions_per_seq], and [batch_size, 1] for
    `next_sentence_labels`.

    Args:
        paths: files of `write_instance_to_example_files` or of the original.
        max_seq_length: the length that they were written with.
        max_predictions_per_seq: the number that they were written with.
        batch_size: records in a batch.
        is_training: repeat the records without end, files and records in another order each
            time; else give them once, in order (the original repeats them here too).
        drop_remainder: leave a last, smaller batch out.
        seed: decides the order in training.
        skip_batches: batches to leave out at the start, to resume: what follows is what an
            uninterrupted run would read.

    Source: google-research/bert run_pretraining.py, input_fn_builder.

    Raises:
        InputError: a file cannot be read, is empty, or was written with other lengths.
    """
    files = [fspath(path) for path in paths]
    lengths = dict.fromkeys(("input_ids", "input_mask", "segment_ids"), max_seq_length)
    predictions = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
    lengths |= dict.fromkeys(predictions, max_predictions_per_seq)
    lengths["next_sentence_labels"] = 1
    check_records(files, lengths)
    floats = {"masked_lm_weights": tf.float32}
    spec = {
        name: tf.io.FixedLenFeature([length], floats.get(name, tf.int64))
        for name, length in lengths.items()
    }
    return read_batches(
        files,
        spec,
        batch_size,
        shuffle_buffer=_SHUFFLE_BUFFER if is_training else None,
        drop_remainder=drop_remainder,
        seed=seed,
        skip_batches=skip_batches,
    )
