"""Memory over many texts: encodes them batch after batch and prints what the process holds.

Usage: python benchmarks/soak_tokenizer.py [--texts N] [--vocab FILE] [--threads N]

The texts are those of the four corpora that `bertfast benchmark tokenize` makes, and words of
random letters, new in every batch, so that the cache is always forgetting.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bertfast import Tokenizer
from bertfast.benchmark.corpora import generated_corpora
from bertfast.benchmark.vocabulary import derive_vocabulary

BATCH = 10_000
REPORTS = 10
WORDS_OF_A_NEW_TEXT = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Encode and report; 0 always: the figures are for a reader."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=100_000_000)
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    corpora = generated_corpora()
    known = [text for corpus in corpora for text in corpus.texts]
    vocab = options.vocab or derive_vocabulary(known, do_lower_case=True)
    tokenizer = Tokenizer(vocab)
    n_batches = max(1, options.texts // BATCH)
    every = max(1, n_batches // REPORTS)
    start = time.perf_counter()
    for number, texts in enumerate(batches(known, n_batches), start=1):
        tokenizer.encode_ragged(texts, num_threads=options.threads)
        if number == 1 or number % every == 0:
            seconds = time.perf_counter() - start
            print(
                f"{number * BATCH:>12,} texts {resident_mb():8.1f} MB {seconds:8.1f} s", flush=True
            )
    return 0


def batches(known: Sequence[str], n_batches: int) -> Iterator[list[str]]:
    """Yield lists of BATCH texts: a stretch of the known ones, every tenth a new one."""
    chance = random.Random(0)
    for number in range(n_batches):
        at = number * BATCH % len(known)
        texts = [*known[at : at + BATCH], *known[: max(0, at + BATCH - len(known))]][:BATCH]
        for place in range(0, len(texts), 10):
            bits = chance.getrandbits(32 * WORDS_OF_A_NEW_TEXT)
            texts[place] = " ".join(
                f"{bits >> 32 * i & 0xFFFFFFFF:x}" for i in range(WORDS_OF_A_NEW_TEXT)
            )
        yield texts


def resident_mb() -> float:
    """Return the process's resident memory in MB, of Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("no VmRSS in /proc/self/status")


if __name__ == "__main__":
    sys.exit(main())
