"""Run by test_allocation.py under failing_allocations.so: every allocation fails in turn."""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from bertfast import Tokenizer
from bertfast._native import ArrowTexts, FileTexts

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##a", "un", "##able", "!", "\u5927"]
TEXTS = ["", "a!", "unable \u5927 \u00e9", *["a" * 3000 + " unable!"] * 40, "!" * 20000]
MOST_SITES = 100_000
# What is lost is lost in every round; the buffers of three threads are kept for later, each in
# one round, which may be any.
ROUNDS = 6


class Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefgijk"]


@cache
def preloaded() -> ctypes.CDLL:
    """Return this process's own symbols, those of failing_allocations.so among them."""
    library = ctypes.CDLL(None)
    library.fail_allocation.restype = ctypes.c_int64
    library.fail_allocation.argtypes = [ctypes.c_int64, ctypes.c_int]
    library.mallinfo2.restype = Mallinfo
    return library


def main() -> None:
    """Go through all entry points; exit with 1 if one answers wrongly or loses memory."""
    tokenizer = Tokenizer(VOCAB)
    arrays = pa.chunked_array([TEXTS[:4], TEXTS[4:]], pa.string())
    cases: dict[str, Callable[[], Any]] = {
        "a new tokenizer": lambda: Tokenizer(VOCAB).encode("a unable!"),
        "one text": lambda: tokenizer.encode(TEXTS[-1]),
        "one short text": lambda: tokenizer.encode("a!"),
        "a batch": lambda: as_lists(tokenizer.encode_ragged(TEXTS, num_threads=1)),
        "a batch, three threads": lambda: as_lists(tokenizer.encode_ragged(TEXTS, num_threads=3)),
        "a batch, cut off": lambda: as_lists(
            tokenizer.encode_ragged(TEXTS, max_length=50, return_truncated=True)[:2]
        ),
        "pairs with offsets": partial(_pairs, tokenizer),
        "an Arrow array": lambda: as_lists(tokenizer.encode_ragged(pa.array(TEXTS))),
        "an Arrow stream": lambda: len(ArrowTexts(arrays)),
        "lines": lambda: FileTexts([b"a\nb\nc\n"], True).as_list(),
    }
    for name, run in cases.items():
        n_errors, in_use = 0, []
        for _ in range(ROUNDS):
            n_errors = check_every_site(name, run)
            in_use.append(memory_in_use())
        lost = min(after - before for before, after in pairwise(in_use))
        sys.stdout.write(f"{name}: {n_errors} errors, {lost} bytes lost\n")
        if lost > 0 or not n_errors:
            sys.exit(f"{name}: {lost} bytes are lost, {n_errors} errors")


def _pairs(tokenizer: Tokenizer) -> Any:
    encoding = tokenizer(TEXTS, TEXTS[::-1], max_length=40, return_offsets=True, num_threads=2)
    return [encoding.input_ids.tolist(), encoding["offsets"].tolist()]


def as_lists(arrays: tuple[np.ndarray[Any, Any], ...]) -> list[Any]:
    """Return arrays in a form that can be compared."""
    return [array.tolist() for array in arrays]


def check_every_site(name: str, run: Callable[[], Any]) -> int:
    """Let every allocation of `run` fail, once and for good; return how many errors it raised."""
    fail = preloaded().fail_allocation
    expected = run()
    n_errors = 0
    for for_good in (0, 1):
        for number in range(1, MOST_SITES):
            given = None
            fail(number, for_good)
            try:
                given = run()
            except MemoryError:
                n_errors += 1
            reached = fail(0, 0) >= number
            if given is not None and given != expected:
                sys.exit(f"{name}: allocation {number} failed and the result is wrong")
            if not reached:
                break
    if run() != expected:
        sys.exit(f"{name}: the result is wrong after failures")
    return n_errors


def memory_in_use() -> int:
    """Return the bytes that malloc has given out, those it mapped included."""
    gc.collect()
    info = preloaded().mallinfo2()
    return int(info.e + info.i)


if __name__ == "__main__":
    main()
