"""Metrics against values worked out by hand, and against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast.errors import InputError
from bertfast.glue.metrics import accuracy, f1, matthews_correlation, task_metrics

# 6 true positives, 3 true negatives, 1 false positive, 2 false negatives
LABELS = [1] * 6 + [0] * 3 + [0] + [1] * 2
PREDICTIONS = [1] * 6 + [0] * 3 + [1] + [0] * 2

IDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def test_metrics_of_a_worked_confusion_table() -> None:
    assert accuracy(LABELS, PREDICTIONS) == 9 / 12
    assert f1(LABELS, PREDICTIONS) == pytest.approx(12 / 15)  # precision 6/7, recall 6/8
    by_hand = (6 * 3 - 1 * 2) / math.sqrt((6 + 1) * (6 + 2) * (3 + 1) * (3 + 2))
    assert matthews_correlation(LABELS, PREDICTIONS) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.47809144)


def test_metrics_of_extremes() -> None:
    assert matthews_correlation([0, 1, 1], [0, 1, 1]) == 1
    assert matthews_correlation([0, 1, 0, 1], [1, 0, 1, 0]) == -1
    assert matthews_correlation([0, 1, 0, 1], [1, 1, 1, 1]) == 0
    assert matthews_correlation([1, 1], [1, 1]) == 0
    assert f1([0, 0], [0, 0]) == 0
    assert f1([1, 0], [0, 1]) == 0
    assert f1([1, 1], [1, 1]) == 1


def test_matthews_correlation_of_three_labels() -> None:
    # Counts by (label, prediction): 2 1 0 / 0 3 1 / 1 0 2; worked out from Gorodkin's formula:
    # right 7 of 10, true sums 3 4 3, predicted sums 3 4 3.
    labels = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    predictions = [0, 0, 1, 1, 1, 1, 2, 0, 2, 2]
    assert matthews_correlation(labels, predictions) == pytest.approx((70 - 34) / (100 - 34))


@given(IDS)
def test_matthews_correlation_is_the_correlation_of_one_hot_labels(
    pairs: list[tuple[int, int]],
) -> None:
    labels, predictions = (np.array(ids) for ids in zip(*pairs, strict=True))
    x, y = np.eye(4)[labels], np.eye(4)[predictions]
    x, y = x - x.mean(0), y - y.mean(0)
    scale = math.sqrt((x * x).sum() * (y * y).sum())
    expected = (x * y).sum() / scale if scale > 1e-9 else 0.0
    assert matthews_correlation(labels, predictions) == pytest.approx(expected, abs=1e-12)


@given(IDS)
def test_accuracy_and_f1_are_their_definitions(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = zip(*pairs, strict=True)
    assert accuracy(labels, predictions) == pytest.approx(
        sum(label == prediction for label, prediction in pairs) / len(pairs)
    )
    found = pairs.count((1, 1))
    precision = found / max(predictions.count(1), 1)
    recall = found / max(labels.count(1), 1)
    expected = 2 * precision * recall / (precision + recall) if found else 0.0
    assert f1(labels, predictions) == pytest.approx(expected)


def test_task_decides_the_metrics() -> None:
    assert task_metrics("CoLA", LABELS, PREDICTIONS) == {
        "accuracy": accuracy(LABELS, PREDICTIONS),
        "matthews_correlation": matthews_correlation(LABELS, PREDICTIONS),
    }
    assert list(task_metrics("mrpc", LABELS, PREDICTIONS)) == ["accuracy", "f1"]
    assert list(task_metrics("tsv", LABELS, PREDICTIONS)) == ["accuracy"]


def test_large_sets_do_not_overflow() -> None:
    labels = np.arange(200_000) % 2
    assert matthews_correlation(labels.astype(np.int32), labels) == pytest.approx(1)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [0], r"as many ids, got shapes \(2,\) and \(1,\)"),
        ([[0], [1]], [[0], [1]], "as many ids"),
        ([], [], "there is no example"),
        ([0, -1], [0, 0], "label ids, integers from 0"),
        ([0.0, 1.0], [0, 1], "label ids, integers from 0"),
    ],
)
def test_what_is_not_label_ids_is_refused(
    labels: list[int], predictions: list[int], message: str
) -> None:
    for metric in (accuracy, matthews_correlation, f1):
        with pytest.raises(InputError, match=message):
            metric(labels, predictions)
