"""Constants that every function of a graph tokenizer shares.

Made eagerly and captured, they are stored once in a SavedModel, however many signatures use
them. On the CPU, where the string operators are, whatever devices there are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike


@contextmanager
def on_cpu() -> Iterator[None]:
    """Run a block eagerly and on the CPU, also when a function is being traced."""
    with tf.init_scope(), tf.device("CPU:0"):
        yield


def constant(value: ArrayLike, dtype: Any = None) -> Any:
    """Return a constant on the CPU."""
    with on_cpu():
        return tf.constant(value, dtype)


def constant_model(model: bytes) -> Any:
    """Return the bytes of a TF-Text model as uint8 [n]."""
    return constant(np.frombuffer(model, np.uint8))
