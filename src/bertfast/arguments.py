"""What callers of a tokenizer may give, checked: texts and the options of a call."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bertfast import _native
from bertfast.errors import InputError
from bertfast.packing import Plan

_MAX_MULTIPLE = 2**20  # a row of that many tokens has 4 MB; numpy's errors name no option
_MAX_THREADS = 2**31 - 1  # of a C int; the core starts no more than there is work for

Text = str | bytes
Texts = Iterable[Text]


def as_texts(texts: Texts) -> tuple[Text, ...] | _native.TextViews:
    """Return what the cores take: a tuple, not yet checked row by row, or views of memory.

    Raises:
        InputError: not an iterable, or one text alone.
    """
    if isinstance(texts, _native.TextViews):
        return texts
    if hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__"):
        return _native.ArrowTexts(texts)
    if isinstance(texts, str | bytes):
        raise InputError("expected a list of texts, got one text; pass [text], or use encode()")
    if isinstance(texts, list | tuple):
        return tuple(texts)  # a private copy: the caller's list may change while we read
    try:
        iterator = iter(texts)
    except TypeError:
        given = type(texts).__name__
        raise InputError(f"expected an iterable of texts, got {given}") from None
    return tuple(iterator)


def thread_count(num_threads: int | None) -> int:
    """Return the threads asked for; 0 lets the core choose by the amount of text."""
    if num_threads is None:
        return 0
    if isinstance(num_threads, bool) or not isinstance(num_threads, int) or num_threads < 1:
        raise InputError(f"num_threads is a positive integer or None, got {num_threads!r}")
    return min(num_threads, _MAX_THREADS)


def check_call(
    max_length: int | None,
    padding: str,
    pad_to_multiple_of: int | None,
    stride: int,
    truncation: bool,
) -> None:
    """Raise InputError for options of a call that are wrong or contradict each other."""
    if padding not in ("longest", "max_length"):
        raise InputError(
            f"padding is 'longest' or 'max_length', got {padding!r}; for rows without padding "
            f"use encode_ragged()"
        )
    if padding == "max_length" and max_length is None:
        raise InputError("padding='max_length' needs max_length")
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 0:
        raise InputError(f"stride is an integer from 0, got {stride!r}")
    if stride and (max_length is None or not truncation):
        raise InputError(f"stride={stride} makes windows of max_length; pass max_length too")
    if pad_to_multiple_of is not None and (
        isinstance(pad_to_multiple_of, bool)
        or not isinstance(pad_to_multiple_of, int)
        or not 1 <= pad_to_multiple_of <= _MAX_MULTIPLE
    ):
        raise InputError(
            f"pad_to_multiple_of is an integer from 1 to {_MAX_MULTIPLE}, "
            f"got {pad_to_multiple_of!r}"
        )


def check_same_rows(rows_a: NDArray[np.int64], rows_b: NDArray[np.int64]) -> None:
    """Raise InputError if there are not as many second texts as texts."""
    if len(rows_a) != len(rows_b):
        raise InputError(f"{len(rows_a) - 1} texts but {len(rows_b) - 1} second texts")


def check_lengths(plan: Plan, max_length: int | None) -> None:
    """Raise InputError if a row is longer than `max_length`."""
    if max_length is None:
        return
    long = np.flatnonzero(plan.lengths > max_length)
    if len(long):
        row = int(long[0])
        raise InputError(
            f"row {row} has {int(plan.lengths[row])} tokens, more than max_length={max_length}; "
            f"pass truncation=True"
        )


def as_id_dtype(dtype: DTypeLike) -> "np.dtype[Any]":
    """Return `dtype` as numpy's; InputError if ids cannot have it."""
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        wanted = np.dtype(object)
    if wanted not in (np.dtype(np.int32), np.dtype(np.int64)):
        raise InputError(f"dtype is int32 or int64, got {dtype!r}")
    return wanted
