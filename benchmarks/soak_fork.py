"""Processes that start while threads encode: each must answer, none may hang.

Usage: python benchmarks/soak_fork.py [--rounds 1000] [--method fork|spawn|forkserver|all]

Four threads share a tokenizer and a pool of helpers all the time. Each round starts a process that
encodes with the same tokenizer and two threads, and waits 60 s for it at most. The exit code is 1
if one hung, died or answered otherwise.
"""

import argparse
import multiprocessing
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from bertfast import Tokenizer

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "un", "##aff", "##able", "world"]
TEXTS = [f"hello {n} unaffable world" for n in range(300)]
METHODS = ("fork", "spawn", "forkserver")
SECONDS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and print what came of them."""
    options = _parse(arguments)
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: our subject
    tokenizer = Tokenizer(VOCAB)
    failures = 0
    for method in METHODS if options.method == "all" else (options.method,):
        begin = time.monotonic()
        with busy_threads(tokenizer):
            bad = sum(not answers(tokenizer, method) for _ in range(options.rounds))
        seconds = time.monotonic() - begin
        print(f"{method}: {options.rounds} processes, {bad} failures, {seconds:.0f} s")
        failures += bad
    return int(failures > 0)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--method", choices=[*METHODS, "all"], default="all")
    return parser.parse_args(arguments)


@contextmanager
def busy_threads(tokenizer: Tokenizer) -> Iterator[None]:
    """Encode on four threads with two helpers each while the block runs."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            tokenizer.encode_ragged(TEXTS, num_threads=3)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def answers(tokenizer: Tokenizer, method: str) -> bool:
    """Return whether a process of this kind encodes as it should, in time."""
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=_child, args=(tokenizer,))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return False
    return bool(process.exitcode == 0)


def _child(tokenizer: Tokenizer) -> None:
    alone = [tokenizer.encode(text) for text in TEXTS]
    ids, _ = tokenizer.encode_ragged(TEXTS, num_threads=2)
    os._exit(0 if list(chain.from_iterable(alone)) == ids.tolist() else 7)


if __name__ == "__main__":
    sys.exit(main())
