"""Metrics of a classification: accuracy, Matthews correlation, F1.

Labels are ids, int [examples]. Padding examples must have been left out.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bertfast.errors import InputError

Metric = Callable[[ArrayLike, ArrayLike], float]


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the share of predictions that are right.

    >>> accuracy([0, 1, 1, 0], [0, 1, 0, 0])
    0.75
    """
    true, predicted = _checked(labels, predictions)
    return float(np.mean(true == predicted))


def matthews_correlation(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the Matthews correlation coefficient, for any number of labels.

    It is 1 for a perfect prediction and 0 for chance, and where the labels or the predictions
    are all the same.

    Source: Gorodkin (2004), "Comparing two K-category assignments by a K-category correlation
    coefficient"; for two labels it is Matthews' own.

    >>> round(matthews_correlation([1, 1, 1, 0], [1, 0, 1, 1]), 4)
    -0.3333
    """
    true, predicted = _checked(labels, predictions)
    size = int(max(true.max(), predicted.max())) + 1
    of_true = np.bincount(true, minlength=size).tolist()
    of_predicted = np.bincount(predicted, minlength=size).tolist()
    # Python's integers, which do not overflow.
    n, right = len(true), int(np.sum(true == predicted))
    both = sum(t * p for t, p in zip(of_true, of_predicted, strict=True))
    spread_true = n * n - sum(t * t for t in of_true)
    spread_predicted = n * n - sum(p * p for p in of_predicted)
    if not spread_true or not spread_predicted:
        return 0.0
    return float(right * n - both) / math.sqrt(spread_true * spread_predicted)


def f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the F1 score of label 1: the harmonic mean of its precision and recall.

    It is 0 where label 1 is neither true nor predicted anywhere.

    >>> f1([1, 1, 1, 0], [1, 1, 0, 1])
    0.6666666666666666
    """
    true, predicted = _checked(labels, predictions)
    found = int(np.sum((true == 1) & (predicted == 1)))
    claimed = int(np.sum(true == 1)) + int(np.sum(predicted == 1))
    return 2 * found / claimed if claimed else 0.0


# What GLUE reports beside accuracy.
_TASK_METRICS: dict[str, dict[str, Metric]] = {
    "cola": {"matthews_correlation": matthews_correlation},
    "mrpc": {"f1": f1},
}


def task_metrics(task_name: str, labels: ArrayLike, predictions: ArrayLike) -> dict[str, float]:
    """Return the metrics of a task by name: accuracy for each, and what GLUE reports beside it.

    >>> task_metrics("MRPC", [1, 0], [1, 1])
    {'accuracy': 0.5, 'f1': 0.6666666666666666}
    """
    metrics: dict[str, Metric] = {"accuracy": accuracy, **_TASK_METRICS.get(task_name.lower(), {})}
    return {name: metric(labels, predictions) for name, metric in metrics.items()}


def _checked(
    labels: ArrayLike, predictions: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    true, predicted = np.asarray(labels), np.asarray(predictions)
    if true.ndim != 1 or true.shape != predicted.shape:
        raise InputError(
            f"labels and predictions are as many ids, got shapes {true.shape} and {predicted.shape}"
        )
    if not true.size:
        raise InputError("there is no example to measure")
    for array in (true, predicted):
        if array.dtype.kind not in "iu" or array.min() < 0:
            raise InputError("labels and predictions are label ids, integers from 0")
    return true.astype(np.int64), predicted.astype(np.int64)
