"""Run by test_allocation.py under failing_allocations.so: every allocation fails in turn."""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from bertfast import Tokenizer
from bertfast._native import ArrowTexts, FileTexts

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##a", "un", "##able", "!", "\u5927"]
TEXTS = ["", "a!", "unable \u5927 \u00e9", *["a" * 3000 + " unable!"] * 40, "!" * 20000]
MOST_SITES = 100_000
MAX_LOST_BYTES = 100_000  # a lost id buffer is 4 KB, and every site is gone through six times


class Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefgijk"]


_library = ctypes.CDLL(None)
_fail = _library.fail_allocation
_fail.restype, _fail.argtypes = ctypes.c_int64, [ctypes.c_int64, ctypes.c_int]
_mallinfo = _library.mallinfo2
_mallinfo.restype = Mallinfo


def main() -> None:
    """Go through all entry points; print the failures, exit with 1 if one was answered wrongly."""
    tokenizer = Tokenizer(VOCAB)
    arrays = pa.chunked_array([TEXTS[:4], TEXTS[4:]], pa.string())
    cases: dict[str, Callable[[], Any]] = {
        "a new tokenizer": lambda: Tokenizer(VOCAB).encode("a unable!"),
        "one text": lambda: tokenizer.encode(TEXTS[-1]),
        "one short text": lambda: tokenizer.encode("a!"),
        "a batch": lambda: as_lists(tokenizer.encode_ragged(TEXTS, num_threads=1)),
        "a batch, three threads": lambda: as_lists(tokenizer.encode_ragged(TEXTS, num_threads=3)),
        "pairs with offsets": partial(_pairs, tokenizer),
        "an Arrow array": lambda: as_lists(tokenizer.encode_ragged(pa.array(TEXTS))),
        "an Arrow stream": lambda: len(ArrowTexts(arrays)),
        "lines": lambda: FileTexts([b"a\nb\nc\n"], True).as_list(),
    }
    failures = {name: check_every_site(name, run) for name, run in cases.items()}
    before = memory_in_use()
    for _ in range(2):
        for name, run in cases.items():
            check_every_site(name, run)
    lost = memory_in_use() - before
    print(failures, f"{lost} bytes lost")
    if lost > MAX_LOST_BYTES:
        sys.exit(f"{lost} bytes are lost")


def _pairs(tokenizer: Tokenizer) -> Any:
    encoding = tokenizer(TEXTS, TEXTS[::-1], max_length=40, return_offsets=True, num_threads=2)
    return [encoding.input_ids.tolist(), encoding["offsets"].tolist()]


def as_lists(arrays: tuple[np.ndarray[Any, Any], ...]) -> list[Any]:
    """Return arrays in a form that can be compared."""
    return [array.tolist() for array in arrays]


def check_every_site(name: str, run: Callable[[], Any]) -> int:
    """Let every allocation of `run` fail, once and for good; return how many errors it raised."""
    expected = run()
    n_errors = 0
    for for_good in (0, 1):
        for number in range(1, MOST_SITES):
            given = None
            _fail(number, for_good)
            try:
                given = run()
            except MemoryError:
                n_errors += 1
            reached = _fail(0, 0) >= number
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
    info = _mallinfo()
    return int(info.e + info.i)


if __name__ == "__main__":
    main()
