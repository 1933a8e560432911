"""Trimming, bucketing and splitting of batches."""

from typing import Any

import numpy as np
import pytest

from tests.tf.conftest import Arrays

tf = pytest.importorskip("tensorflow")

from bertfast.tf.batches import bucketed, distribute, trimmed  # noqa: E402

WIDTH = 40


def rows(n_rows: int = 1000) -> Arrays:
    """Rows whose first id is their number and whose lengths vary."""
    lengths = np.random.default_rng(0).integers(2, WIDTH, n_rows)
    mask = (np.arange(WIDTH) < lengths[:, None]).astype(np.int32)
    ids = mask.copy()
    ids[:, 0] = np.arange(n_rows)
    return {"input_ids": ids, "input_mask": mask, "segment_ids": mask * 0, "label_ids": ids[:, 0]}


def open_rows(batch_size: int, skip: int) -> Any:
    """An endless stream, as `input_pipeline` opens it."""
    dataset = tf.data.Dataset.from_tensor_slices(rows()).repeat()
    return dataset.skip(skip * batch_size).batch(batch_size, drop_remainder=True)


def numbers(dataset: Any, n_batches: int) -> list[list[int]]:
    """The numbers of the rows of each batch."""
    return [batch["label_ids"].tolist() for batch in dataset.take(n_batches).as_numpy_iterator()]


@pytest.mark.parametrize(("longest", "kept"), [(1, 8), (8, 8), (9, 16), (38, 40), (40, 40)])
def test_trim_cuts_to_the_longest_row_in_eights(longest: int, kept: int) -> None:
    mask = np.zeros((3, WIDTH), np.int32)
    mask[0, :1] = mask[1, :longest] = 1
    batch = {
        "input_ids": mask * 7,
        "input_mask": mask,
        "segment_ids": mask,
        "label_ids": mask[:, 0],
    }
    (cut,) = trimmed(tf.data.Dataset.from_tensors(batch)).as_numpy_iterator()
    for name in ("input_ids", "input_mask", "segment_ids"):
        np.testing.assert_array_equal(cut[name], batch[name][:, :kept])
    assert cut["label_ids"].shape == (3,)


def test_trim_keeps_the_static_number_of_rows() -> None:
    spec = trimmed(open_rows(8, 0)).element_spec
    assert spec["input_ids"].shape.as_list() == [8, None]


def test_bucketed_deals_every_row_of_a_window_once() -> None:
    dealt = numbers(bucketed(open_rows, 8, 0, seed=1), 32)
    assert sorted(number for batch in dealt for number in batch) == list(range(256))


def test_bucketed_batches_have_similar_lengths() -> None:
    def padding(dataset: Any) -> float:
        batches = list(dataset.take(64).as_numpy_iterator())
        n_slots = sum(batch["input_mask"].size for batch in batches)
        return float(1 - sum(int(batch["input_mask"].sum()) for batch in batches) / n_slots)

    plain = padding(trimmed(open_rows(8, 0)))
    in_buckets = padding(trimmed(bucketed(open_rows, 8, 0, seed=1)))
    assert plain > 0.35
    assert in_buckets < 0.2


def test_bucketed_order_is_not_by_length_and_depends_on_the_seed() -> None:
    masks = [
        b["input_mask"] for b in bucketed(open_rows, 8, 0, seed=1).take(32).as_numpy_iterator()
    ]
    lengths = [int(mask.sum()) for mask in masks]
    assert lengths != sorted(lengths)
    first = numbers(bucketed(open_rows, 8, 0, seed=1), 32)
    assert first == numbers(bucketed(open_rows, 8, 0, seed=1), 32)
    assert first != numbers(bucketed(open_rows, 8, 0, seed=2), 32)


@pytest.mark.parametrize("skip", [1, 31, 32, 33, 70])
def test_bucketed_skips_to_the_same_batches(skip: int) -> None:
    whole = numbers(bucketed(open_rows, 8, 0, seed=1), skip + 5)
    assert numbers(bucketed(open_rows, 8, skip, seed=1), 5) == whole[skip:]


def test_distribute_to_one_device_is_the_batches_themselves() -> None:
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    iterator = iter(distribute(open_rows(8, 0), strategy))
    given = [next(iterator)["label_ids"].numpy().tolist() for _ in range(3)]
    assert given == numbers(open_rows(8, 0), 3)
