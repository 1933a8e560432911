"""Turns what the disk refuses, and what TensorFlow cannot compute, into errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from bertfast.errors import InputError, TrainingError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file or folder that cannot be written.

    Raises:
        InputError: it cannot.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        raise InputError(f"cannot write {path}: {reason}") from error


@contextmanager
def computing() -> Iterator[None]:
    """Say in a line why a step failed; the commonest reason is too little memory.

    Raises:
        TrainingError: it did.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise TrainingError(
            "the device has too little memory for a step; lower the batch size or "
            f"--max_seq_length, or raise --gradient_accumulation_steps ({_first_line(error)})"
        ) from error
    except tf.errors.OpError as error:
        raise TrainingError(f"a step failed: {_first_line(error)}") from error


def _first_line(error: tf.errors.OpError) -> str:
    return str(error.message).partition("\n")[0]
