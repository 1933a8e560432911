"""TFRecords of examples: what is in them, in which order they are read, what is refused."""

import itertools
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

from bertfast.errors import InputError  # noqa: E402
from bertfast.glue import InputExample, PaddingInputExample  # noqa: E402
from bertfast.glue.examples import Example  # noqa: E402
from bertfast.glue.features import convert_examples  # noqa: E402
from bertfast.tf import record_files, records  # noqa: E402
from bertfast.tf.records import input_pipeline, write_examples  # noqa: E402
from tests.glue.vocabulary import WORDS, small_tokenizer  # noqa: E402

Batches = list[dict[str, Any]]

LABELS = ["no", "yes"]
LENGTH = 8
NAMES = ["input_ids", "input_mask", "segment_ids", "label_ids", "is_real_example"]


def make_examples(n: int) -> list[InputExample]:
    """Return examples that no two of which have the same tokens."""
    return [
        InputExample(
            f"train-{i}",
            f"{WORDS[i % 6]} {WORDS[i // 6 % 6]}",
            WORDS[i // 36] if i % 2 else None,
            LABELS[i % 2],
        )
        for i in range(n)
    ]


def write(path: Path, n: int) -> Path:
    write_examples(make_examples(n), LABELS, LENGTH, small_tokenizer(), path, progress=False)
    return path


def read(paths: Any, n_batches: int = -1, **changes: Any) -> Batches:
    options: dict[str, Any] = {"is_training": False, "drop_remainder": False, "seed": 1} | changes
    batch_size = options.pop("batch_size", 4)
    pipeline = input_pipeline(paths, options.pop("length", LENGTH), batch_size, **options)
    return [
        {name: tensor.numpy() for name, tensor in batch.items()}
        for batch in pipeline.take(n_batches)
    ]


def rows(batches: Batches) -> list[bytes]:
    return [row.tobytes() for batch in batches for row in batch["input_ids"]]


def record_lengths(path: Path) -> list[int]:
    return [len(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]


def equal(one: Batches, other: Batches) -> bool:
    return len(one) == len(other) and all(
        a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
        for a, b in zip(one, other, strict=True)
    )


def test_records_hold_the_features_under_the_originals_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_WRITTEN_AT_ONCE", 3)
    examples: list[Example] = [*make_examples(10), PaddingInputExample()]
    path = tmp_path / "train.tf_record"
    write_examples(examples, LABELS, LENGTH, small_tokenizer(), path, progress=False)
    expected = convert_examples(examples, LABELS, LENGTH, small_tokenizer())
    spec = {
        "input_ids": tf.io.FixedLenFeature([LENGTH], tf.int64),
        "input_mask": tf.io.FixedLenFeature([LENGTH], tf.int64),
        "segment_ids": tf.io.FixedLenFeature([LENGTH], tf.int64),
        "label_ids": tf.io.FixedLenFeature([], tf.int64),
        "is_real_example": tf.io.FixedLenFeature([], tf.int64),
    }
    found = list(tf.data.TFRecordDataset(str(path)))
    assert len(found) == 11
    for row, record in enumerate(found):
        assert sorted(tf.train.Example.FromString(record.numpy()).features.feature) == sorted(NAMES)
        parsed = tf.io.parse_single_example(record, spec)
        for name in NAMES:
            assert np.array_equal(parsed[name].numpy(), getattr(expected, name)[row])
    real = [int(tf.io.parse_single_example(record, spec)["is_real_example"]) for record in found]
    assert real == [1] * 10 + [0]


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", 9), write(tmp_path / "b", 9)
    assert one.read_bytes() == other.read_bytes()


def test_evaluation_reads_all_once_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "dev.tf_record", 10)
    batches = read(path)
    assert [len(batch["label_ids"]) for batch in batches] == [4, 4, 2]
    expected = convert_examples(make_examples(10), LABELS, LENGTH, small_tokenizer())
    for name in NAMES:
        found = np.concatenate([batch[name] for batch in batches])
        assert found.dtype == np.int32
        assert np.array_equal(found, getattr(expected, name))
    assert equal(read(path, skip_batches=1), batches[1:])
    assert equal(read([path, path], batch_size=10), read(path, batch_size=10) * 2)


def test_dropping_the_remainder_fixes_the_shapes(tmp_path: Path) -> None:
    path = write(tmp_path / "dev.tf_record", 10)
    assert [len(batch["label_ids"]) for batch in read(path, drop_remainder=True)] == [4, 4]
    pipeline = input_pipeline(path, LENGTH, 4, is_training=True, drop_remainder=True, seed=1)
    assert pipeline.element_spec["input_ids"].shape == (4, LENGTH)
    assert pipeline.element_spec["label_ids"].shape == (4,)


def test_training_reads_each_record_once_an_epoch_in_another_order(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tf_record", 70)
    stream = rows(read(path, 40, is_training=True, batch_size=7))  # 4 epochs
    in_order = rows(read(path))
    epochs = [stream[start : start + 70] for start in range(0, 280, 70)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(in_order)
        assert epoch != in_order
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_training_order_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tf_record", 30)
    first = read(path, 20, is_training=True)
    tf.random.set_seed(99)
    try:
        assert equal(read(path, 20, is_training=True), first)
    finally:
        tf.random.set_seed(None)
    for seed in (0, 2, -1, 2**40):
        other = read(path, 20, is_training=True, seed=seed)
        assert not equal(other, first)
        assert equal(other, read(path, 20, is_training=True, seed=seed))


def test_reading_leaves_tensorflows_global_seed_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tf_record", 8)
    tf.random.set_seed(5)
    expected = tf.random.uniform([3]).numpy()
    tf.random.set_seed(5)
    read(path, 4, is_training=True)
    assert np.array_equal(tf.random.uniform([3]).numpy(), expected)
    tf.random.set_seed(None)


@pytest.mark.parametrize("skip_batches", [0, 1, 4, 5, 6, 11, 23])
@pytest.mark.parametrize("n_files", [1, 3])
def test_a_stream_that_skips_is_the_rest_of_the_one_that_does_not(
    tmp_path: Path, skip_batches: int, n_files: int
) -> None:
    paths = [write(tmp_path / f"{number}", 7 + number) for number in range(n_files)]
    whole = read(paths, 30, is_training=True, batch_size=3)
    rest = read(paths, 30 - skip_batches, is_training=True, batch_size=3, skip_batches=skip_batches)
    assert equal(rest, whole[skip_batches:])


def test_small_shuffle_buffers_are_resumed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SHUFFLE_BUFFER", 5)
    path = write(tmp_path / "train.tf_record", 20)
    whole = read(path, 15, is_training=True)
    assert equal(read(path, 8, is_training=True, skip_batches=7), whole[7:])


def test_skipped_records_are_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "train.tf_record"
    good = [record.numpy() for record in tf.data.TFRecordDataset(str(write(path, 8)))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in (good[0], *[b"not an example"] * 3, *good[4:]):
            writer.write(record)
    assert rows(read(path, skip_batches=1)) == rows(read(write(tmp_path / "good", 8)))[4:]
    with pytest.raises(tf.errors.InvalidArgumentError):
        read(path)


def test_records_without_is_real_example_are_real(tmp_path: Path) -> None:
    path = tmp_path / "old.tf_record"
    ints = {name: record_files.int_feature([0] * LENGTH) for name in NAMES[:3]}
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record_files.serialize({**ints, "label_ids": record_files.int_feature([1])}))
    (batch,) = read(path)
    assert batch["is_real_example"].tolist() == [1]


def test_files_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tf_record", 5)
    with pytest.raises(InputError, match=r"train\.tf_record: 'input_ids' has 8 values a record, "):
        read(path, length=16)
    for name, data, message in (
        ("empty", b"", "empty has no record"),
        ("text", b"sentence\tlabel\na text\t1\n", "text: damaged or not TFRecords"),
        ("short", path.read_bytes()[:50], "short: damaged or not TFRecords"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=message):
            read(tmp_path / name)
        with pytest.raises(InputError, match=message):
            read([path, tmp_path / name])
    with pytest.raises(InputError, match=r"cannot read .*none"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="no file to read is given"):
        read([])


def test_records_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    for record, message in (
        (b"not an example", "its records are not tf.train.Examples"),
        (
            record_files.serialize({"ids": record_files.int_feature([1])}),
            "records have no feature 'input_ids'; they have ids",
        ),
    ):
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(record)
        with pytest.raises(InputError, match=message):
            read(path)


@pytest.mark.parametrize("is_training", [False, True])
def test_damage_in_the_middle_is_found_before_reading_starts(
    tmp_path: Path, is_training: bool
) -> None:
    path = write(tmp_path / "train.tf_record", 50)
    data = path.read_bytes()
    ends = list(itertools.accumulate(16 + length for length in record_lengths(path)))
    flipped = data[:999] + bytes([data[999] ^ 1]) + data[1000:]
    for damaged in (data[:-1], data[: ends[30] + 1], data[: ends[30] + 12], flipped):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"train\.tf_record: damaged") as error:
            read(path, 1, is_training=is_training)
        assert not {"{", "["} & set(str(error.value))


@pytest.mark.parametrize("numbers", [{"batch_size": 0}, {"skip_batches": -1}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, numbers: dict[str, int]) -> None:
    path = write(tmp_path / "train.tf_record", 5)
    with pytest.raises(InputError, match="batch_size is at least 1 and skip_batches at least 0"):
        read(path, **numbers)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_WRITTEN_AT_ONCE", 2)
    path = write(tmp_path / "train.tf_record", 5)
    before = path.read_bytes()
    examples = [*make_examples(5), InputExample("train-5", "cat", None, "maybe")]
    with pytest.raises(InputError, match="example 'train-5' has the unknown label 'maybe'"):
        write_examples(examples, LABELS, LENGTH, small_tokenizer(), path, progress=False)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["train.tf_record"]


SCRIPT = """
import os, resource, signal, sys
from bertfast.errors import InputError
from bertfast.tf import records
from tests.tf.test_records import LABELS, LENGTH, make_examples, small_tokenizer

def write():
    examples = make_examples(216) * 9
    records.write_examples(
        examples, LABELS, LENGTH, small_tokenizer(), sys.argv[1], progress=False
    )
"""
FULL_DISK = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write()
except InputError as error:
    print(error)
"""
KILLED = """
serialized = records._serialized

def killing(features):
    for row, record in enumerate(serialized(features)):
        if row == 1500:
            os.kill(os.getpid(), signal.SIGKILL)
        yield record

records._serialized = killing
write()
"""


def write_in_process(path: Path, script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + script, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tf_record", 5)
    before = path.read_bytes()
    done = write_in_process(path, FULL_DISK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"cannot write {path}: ")
    assert done.stdout.count("\n") == 1
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["train.tf_record"]


def test_a_killed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tf_record", 5)
    before = path.read_bytes()
    done = write_in_process(path, KILLED)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == before


def test_outputs_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "is a folder; name a file to write"),
        (tmp_path / "none" / "a", "does not exist; create it first"),
        ("", "no file to write is given"),
    ):
        with pytest.raises(InputError, match=message):
            write_examples(make_examples(2), LABELS, LENGTH, small_tokenizer(), path)
    with pytest.raises(InputError, match="there is no example to write"):
        write_examples([], LABELS, LENGTH, small_tokenizer(), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_progress_is_shown_or_not(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = make_examples(9), LABELS, LENGTH, small_tokenizer(), tmp_path / "a"
    write_examples(*arguments, progress=False)
    assert capfd.readouterr().err == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertfast.runtime.progress._LINE_INTERVAL_SECONDS", 0.0)
        write_examples(*arguments)
    assert capfd.readouterr().err.startswith("9 rows, ")
