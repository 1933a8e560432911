"""TFRecords of pretraining instances: what is in them, in which order they are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

from bertfast.errors import InputError  # noqa: E402
from bertfast.glue.pretraining import TrainingInstance  # noqa: E402
from bertfast.tf.pretraining_records import (  # noqa: E402
    pretraining_pipeline,
    write_instance_to_example_files,
)
from tests.glue.vocabulary import WORDS, small_tokenizer  # noqa: E402

LENGTH = 8
PREDICTIONS = 3
INT_LENGTHS = {
    "input_ids": LENGTH,
    "input_mask": LENGTH,
    "segment_ids": LENGTH,
    "masked_lm_positions": PREDICTIONS,
    "masked_lm_ids": PREDICTIONS,
    "next_sentence_labels": 1,
}


def make_instance(number: int) -> TrainingInstance:
    """Return an instance whose first word tells its number."""
    word = WORDS[number % len(WORDS)]
    return TrainingInstance(
        ["[CLS]", word, "[MASK]", "[SEP]", "the", "[SEP]"],
        [0, 0, 0, 0, 1, 1],
        [2, 4],
        [WORDS[number // len(WORDS)], "the"],
        number % 2 == 1,
    )


def write(paths: list[Path], n: int) -> list[Path]:
    instances = [make_instance(number) for number in range(n)]
    write_instance_to_example_files(instances, small_tokenizer(), LENGTH, PREDICTIONS, paths)
    return paths


def read(paths: list[Path], n_batches: int = -1, **changes: Any) -> list[dict[str, Any]]:
    options: dict[str, Any] = {"is_training": False, "drop_remainder": False, "seed": 1} | changes
    length, predictions = options.pop("lengths", (LENGTH, PREDICTIONS))
    pipeline = pretraining_pipeline(paths, length, predictions, 4, **options)
    return [
        {name: tensor.numpy() for name, tensor in batch.items()}
        for batch in pipeline.take(n_batches)
    ]


def numbers(batches: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [
        (int(row[1]), int(masked[0]))
        for batch in batches
        for row, masked in zip(batch["input_ids"], batch["masked_lm_ids"], strict=True)
    ]


def test_records_hold_the_features_under_the_originals_names(tmp_path: Path) -> None:
    (path,) = write([tmp_path / "a.tfrecord"], 2)
    spec = {name: tf.io.FixedLenFeature([n], tf.int64) for name, n in INT_LENGTHS.items()}
    spec["masked_lm_weights"] = tf.io.FixedLenFeature([PREDICTIONS], tf.float32)
    first, second = tf.data.TFRecordDataset(str(path))
    features = tf.train.Example.FromString(first.numpy()).features.feature
    assert sorted(features) == sorted(spec)
    parsed = {
        name: tensor.numpy().tolist()
        for name, tensor in tf.io.parse_single_example(first, spec).items()
    }
    assert parsed == {
        "input_ids": [2, 5, 4, 3, 5, 3, 0, 0],
        "input_mask": [1, 1, 1, 1, 1, 1, 0, 0],
        "segment_ids": [0, 0, 0, 0, 1, 1, 0, 0],
        "masked_lm_positions": [2, 4, 0],
        "masked_lm_ids": [5, 5, 0],
        "masked_lm_weights": [1.0, 1.0, 0.0],
        "next_sentence_labels": [0],
    }
    assert tf.io.parse_single_example(second, spec)["next_sentence_labels"].numpy() == [1]


def test_instances_go_to_the_files_in_turn(tmp_path: Path) -> None:
    paths = write([tmp_path / "a", tmp_path / "b"], 5)
    in_order = numbers(read(write([tmp_path / "all"], 5)))
    assert numbers(read(paths[:1])) == in_order[0::2]
    assert numbers(read(paths[1:])) == in_order[1::2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "all", "b"]


def test_batches_have_the_tensors_the_model_takes(tmp_path: Path) -> None:
    batches = read(write([tmp_path / "a"], 6))
    assert [len(batch["input_ids"]) for batch in batches] == [4, 2]
    assert {name: (a.dtype, a.shape) for name, a in batches[0].items()} == {
        **{name: (np.dtype(np.int32), (4, n)) for name, n in INT_LENGTHS.items()},
        "masked_lm_weights": (np.dtype(np.float32), (4, PREDICTIONS)),
    }
    assert len(read([tmp_path / "a"], drop_remainder=True)) == 1


@pytest.mark.parametrize("skip_batches", [0, 3, 10, 17])
def test_training_is_shuffled_endless_and_can_be_resumed(tmp_path: Path, skip_batches: int) -> None:
    paths = write([tmp_path / name for name in "abc"], 40)
    whole = numbers(read(paths, 30, is_training=True))
    assert sorted(whole[:40]) == sorted(whole[40:80]) == sorted(numbers(read(paths)))
    assert len({tuple(whole[start : start + 40]) for start in (0, 40, 80)}) == 3
    rest = numbers(read(paths, 30 - skip_batches, is_training=True, skip_batches=skip_batches))
    assert rest == whole[4 * skip_batches :]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    paths = write([tmp_path / "a"], 3)
    with pytest.raises(InputError, match="'masked_lm_positions' has 3 values a record, but 20"):
        read(paths, lengths=(LENGTH, 20))
    with pytest.raises(InputError, match="'input_ids' has 8 values a record, but 128"):
        read(paths, lengths=(128, PREDICTIONS))
    tokenizer = small_tokenizer()
    for lengths in ((5, 3), (8, 1)):
        with pytest.raises(InputError, match="an instance has 6 tokens and 2 predictions, more"):
            write_instance_to_example_files([make_instance(0)], tokenizer, *lengths, paths)
    with pytest.raises(InputError, match="there is no instance to write"):
        write_instance_to_example_files([], tokenizer, 8, 3, paths)
    with pytest.raises(InputError, match="a file to write is given twice"):
        write_instance_to_example_files([make_instance(0)], tokenizer, 8, 3, paths * 2)
    assert len(numbers(read(paths))) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
