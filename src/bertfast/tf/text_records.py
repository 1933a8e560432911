"""Examples as TFRecords of raw text, tokenized in the graph while they are read.

The files are a tenth as large as features, and one file serves every vocabulary and length.
The batches are those of `bertfast.tf.records`, record for record.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from os import PathLike, fspath
from typing import Any

import tensorflow as tf

from bertfast.errors import InputError
from bertfast.glue.examples import Example, InputExample
from bertfast.glue.features import label_ids
from bertfast.packing import check_max_length
from bertfast.runtime.progress import Silence, show_progress
from bertfast.tf.graph_tokenizer import GraphTokenizer
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
from bertfast.tf.records import SHUFFLE_BUFFER  # the order is that of features

_TEXTS = ("text_a", "text_b")
_WRITTEN_AT_ONCE = 2048


def write_texts(
    examples: Sequence[Example],
    label_list: Sequence[str],
    path: str | PathLike[str],
    *,
    progress: bool = True,
) -> None:
    """Write examples to a TFRecord file as they are, in their order.

    Features of a record: `text_a` and `text_b` bytes [1] (UTF-8; no second text is an empty
    one, as to the original), `label_ids` and `is_real_example` int64 [1].

    Args:
        examples: the examples, padding ones too.
        label_list: the labels in the order of their ids.
        path: the file; it appears when it is complete.
        progress: show it on standard error.

    Raises:
        InputError: no example, an unknown label, or a file that cannot be written.
    """
    if not examples:
        raise InputError("there is no example to write")
    numbers = label_ids(label_list, examples)
    shown = show_progress() if progress else nullcontext(Silence())
    with open_records([fspath(path)]) as (writer,), shown as bar:
        bar.set_total(len(examples))
        for start in range(0, len(examples), _WRITTEN_AT_ONCE):
            chosen = slice(start, start + _WRITTEN_AT_ONCE)
            for example, label_id in zip(examples[chosen], numbers[chosen], strict=True):
                writer.write(_serialized(example, label_id))
            bar.advance(len(examples[chosen]), 0)


def _serialized(example: Example, label_id: int) -> bytes:
    is_real = isinstance(example, InputExample)
    texts = (
        (example.text_a, example.text_b or "") if isinstance(example, InputExample) else ("", "")
    )
    features = {
        # A lone surrogate has no UTF-8; the tokenizer in the graph ignores what it gets instead.
        name: _bytes_feature(text.encode("utf-8", "surrogatepass"))
        for name, text in zip(_TEXTS, texts, strict=True)
    }
    features["label_ids"] = int_feature([label_id])
    features["is_real_example"] = int_feature([int(is_real)])
    return serialize(features)


def _bytes_feature(value: bytes) -> Any:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def text_pipeline(
    paths: Paths,
    tokenizer: GraphTokenizer,
    max_seq_length: int,
    batch_size: int,
    *,
    is_training: bool,
    drop_remainder: bool,
    seed: int,
    skip_batches: int = 0,
) -> Dataset:
    """Return a tf.data.Dataset of batches from files of `write_texts`.

    Batches and arguments are those of `bertfast.tf.records.input_pipeline`, and so is the
    order: the same seed gives the same batches.

    Args:
        paths: one file or several.
        tokenizer: tokenizes in the graph.
        max_seq_length: tokens a row, special ones and padding included.
        batch_size: records in a batch.
        is_training: repeat the records without end, in another order each time.
        drop_remainder: leave a last, smaller batch out.
        seed: decides the order in training.
        skip_batches: batches to leave out at the start, to resume.

    Raises:
        InputError: a file cannot be read, is empty or damaged, or holds other features.
    """
    check_max_length(max_seq_length, pair=True, special=True)
    files = path_list(paths)
    check_records(files, dict.fromkeys((*_TEXTS, "label_ids", "is_real_example"), 1))
    spec: dict[str, Any] = {name: tf.io.FixedLenFeature([], tf.string) for name in _TEXTS}
    spec["label_ids"] = spec["is_real_example"] = tf.io.FixedLenFeature([], tf.int64)
    batches = read_batches(
        files,
        spec,
        batch_size,
        shuffle_buffer=SHUFFLE_BUFFER if is_training else None,
        drop_remainder=drop_remainder,
        seed=seed,
        skip_batches=skip_batches,
        n_records=count_records(files),
    )

    def pack(batch: dict[str, Any]) -> dict[str, Any]:
        rows = tokenizer.pack(batch["text_a"], batch["text_b"], max_seq_length=max_seq_length)
        # A padding example has no tokens, not even special ones.
        is_real = batch["is_real_example"][:, None]
        rows = {name: array * is_real for name, array in rows.items()}
        return {**rows, **{name: batch[name] for name in ("label_ids", "is_real_example")}}

    return batches.map(pack, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
