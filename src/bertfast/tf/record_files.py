"""TFRecord files: written whole or not at all, read in an order that a seed decides.

    files ──► records, shuffled anew in each epoch ──► skip ──► batches ──► tensors
              (a function of seed and epoch alone)             (decoded here, never before)

A stream that skips batches is therefore the rest of the one that does not.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.errors import InputError
from bertfast.files import check_outputs, is_remote

Dataset: TypeAlias = Any
Paths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]
RecordWriter: TypeAlias = Any
FeatureSpec: TypeAlias = Mapping[str, Any]

_MAX_INT64 = 2**63 - 1
# Files that are read in turn, record by record, in each epoch.
_INTERLEAVED_FILES = 4
# Files that are opened for a look before reading starts; there may be thousands.
_CHECKED_FILES = 16
# Counting records one at a time takes ten times as long.
_COUNTED_AT_ONCE = 1024
_RECORD_OVERHEAD = 16  # length and two checksums
# "{{function_node ...}} the reason [Op:IteratorGetNext] name: "
_AROUND_A_REASON = re.compile(r"\{\{[^}]*\}\}|\[Op:.*", re.DOTALL)


@contextmanager
def open_records(paths: Sequence[str]) -> Iterator[list[RecordWriter]]:
    """Open TFRecord files for writing; they appear under their names when the block ends well.

    Each is written beside its place, flushed to the disk and renamed. A block that fails leaves
    nothing behind and older files as they were.

    Raises:
        InputError: a file cannot be written (no space, no permission).
    """
    check_outputs(paths)
    parts = [_part_name(path) for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(tf.io.TFRecordWriter(part)) for part in parts]
        for part, path in zip(parts, paths, strict=True):
            _publish(part, path)
    except BaseException as error:
        for part in parts:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.remove(part)
        if isinstance(error, tf.errors.OpError):
            raise InputError(f"cannot write {', '.join(paths)}: {_reason(error)}") from error
        raise


def _part_name(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.getpid()}.part")  # noqa: PTH118  # Path breaks gs://


def _publish(part: str, path: str) -> None:
    if not is_remote(path):
        _flush_to_disk(part)
    tf.io.gfile.rename(part, path, overwrite=True)
    if not is_remote(path):
        _flush_to_disk(str(Path(path).resolve().parent))


def _flush_to_disk(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Any) -> str:
    return _AROUND_A_REASON.sub("", str(error.message)).strip()


def path_list(paths: Paths) -> list[str]:
    """Return one path or several as a list."""
    return [fspath(paths)] if isinstance(paths, str | PathLike) else [fspath(p) for p in paths]


def int_feature(values: Sequence[int]) -> Any:
    """Return a feature of integers."""
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def float_feature(values: Sequence[float]) -> Any:
    """Return a feature of 32-bit floats."""
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def serialize(features: Mapping[str, Any]) -> bytes:
    """Return a tf.train.Example as bytes, the same for the same features."""
    example = tf.train.Example(features=tf.train.Features(feature=features))
    result: bytes = example.SerializeToString(deterministic=True)
    return result


def count_records(paths: Sequence[str]) -> int:
    """Return the number of records in files, all of which are read.

    Raises:
        InputError: a file cannot be read, or is damaged.
    """
    return sum(_count(path) for path in paths)


def _count(path: str) -> int:
    batches = tf.data.TFRecordDataset(path).batch(_COUNTED_AT_ONCE)
    with _readable([path]):
        counts = batches.reduce(tf.zeros(2, tf.int64), _add_records_and_bytes).numpy().tolist()
        size = tf.io.gfile.stat(path).length
    n_records, n_bytes = counts
    if n_records * _RECORD_OVERHEAD + n_bytes != size:
        # TensorFlow takes the rest of a record that is cut within its first bytes for the end.
        raise InputError(f"{path}: damaged: its last record is cut off")
    return int(n_records)


def _add_records_and_bytes(counts: Any, batch: Any) -> Any:
    n_bytes = tf.reduce_sum(tf.strings.length(batch))
    return counts + tf.cast(tf.stack([tf.size(batch), n_bytes]), tf.int64)


@contextmanager
def _readable(paths: Sequence[str]) -> Iterator[None]:
    """Turn TensorFlow's errors of reading into ours, which name the files."""
    try:
        yield
    except tf.errors.DataLossError as error:
        raise InputError(
            f"{', '.join(paths)}: damaged or not TFRecords: {_reason(error)}"
        ) from None
    except tf.errors.OpError as error:
        raise InputError(f"cannot read {', '.join(paths)}: {_reason(error)}") from None


def check_records(paths: Sequence[str], lengths: Mapping[str, int]) -> None:
    """Check that the first record of each file has features of these lengths.

    Args:
        paths: the files; of many, the first are looked at.
        lengths: how many values each feature has.

    Raises:
        InputError: a file cannot be read, has no record, or holds other features.
    """
    if not paths:
        raise InputError("no file to read is given")
    for path in paths[:_CHECKED_FILES]:
        with _readable([path]):
            first = list(tf.data.TFRecordDataset(path).take(1).as_numpy_iterator())
        if not first:
            raise InputError(f"{path} has no record")
        _check_example(path, first[0], lengths)


def _check_example(path: str, record: bytes, lengths: Mapping[str, int]) -> None:
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's class depends on its implementation
        raise InputError(f"{path}: its records are not tf.train.Examples") from error
    for name, length in lengths.items():
        feature = features.get(name)
        if feature is None:
            found = ", ".join(sorted(features)) or "no feature"
            raise InputError(f"{path}: records have no feature {name!r}; they have {found}")
        lists = (feature.int64_list, feature.float_list, feature.bytes_list)
        values = next((each.value for each in lists if each.value), ())
        if len(values) != length:
            raise InputError(
                f"{path}: {name!r} has {len(values)} values a record, but {length} are expected; "
                f"was the file written with other lengths?"
            )


def read_batches(
    paths: Sequence[str],
    spec: FeatureSpec,
    batch_size: int,
    *,
    shuffle_buffer: int | None,
    drop_remainder: bool,
    seed: int,
    skip_batches: int,
    n_records: int | None = None,
) -> Dataset:
    """Return batches of parsed records: endless and shuffled, or once and in order.

    Args:
        paths: TFRecord files.
        spec: what `tf.io.parse_example` wants to know of the features.
        batch_size: records in a batch.
        shuffle_buffer: how many records are shuffled at a time; None for one pass in order.
        drop_remainder: leave a last batch out that is smaller, so that shapes are fixed.
        seed: decides the order; TensorFlow's global seed does not.
        skip_batches: batches to leave out at the start.
        n_records: how many the files hold, if that is known.

    Raises:
        InputError: a number is out of range, or a file that has to be counted is damaged.
    """
    if batch_size < 1 or skip_batches < 0:
        raise InputError(
            f"batch_size is at least 1 and skip_batches at least 0, "
            f"got {batch_size} and {skip_batches}"
        )
    skipped = batch_size * skip_batches
    if shuffle_buffer is None:
        records = tf.data.TFRecordDataset(list(paths))
    else:
        first_epoch = 0
        if skipped:  # whole epochs are not read at all
            n_records = count_records(paths) if n_records is None else n_records
            first_epoch, skipped = divmod(skipped, n_records)
        records = _shuffled_epochs(paths, seed, shuffle_buffer, first_epoch)
    batches = records.skip(skipped).batch(batch_size, drop_remainder=drop_remainder)
    parsed = batches.map(_parser(spec), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return parsed.with_options(_reading_options()).prefetch(tf.data.AUTOTUNE)


def _shuffled_epochs(paths: Sequence[str], seed: int, buffer: int, first_epoch: int) -> Dataset:
    files = tf.constant(list(paths))
    # Not 0, which tf.data takes for "choose one".
    graph_seed = 1 + seed % (2**31 - 2)

    def read_epoch(epoch: Any) -> Dataset:
        tf.random.set_seed(graph_seed)  # of this function's graph, not of the process
        order = tf.random.experimental.stateless_shuffle(files, seed=[graph_seed, epoch])
        records = tf.data.Dataset.from_tensor_slices(order).interleave(
            tf.data.TFRecordDataset,
            cycle_length=min(_INTERLEAVED_FILES, len(paths)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        return records.shuffle(buffer, seed=epoch, reshuffle_each_iteration=False)

    return tf.data.Dataset.range(first_epoch, _MAX_INT64).flat_map(read_epoch)


def _parser(spec: FeatureSpec) -> Callable[[Any], dict[str, Any]]:
    """Return the function from serialized examples to tensors; TPUs have no int64."""

    def parse(serialized: Any) -> dict[str, Any]:
        tensors = tf.io.parse_example(serialized, spec)
        return {
            name: tf.cast(tensor, tf.int32) if tensor.dtype == tf.int64 else tensor
            for name, tensor in tensors.items()
        }

    return parse


def _reading_options() -> Any:
    options = tf.data.Options()
    options.deterministic = True
    # Whether the files outnumber the workers must not matter.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options
