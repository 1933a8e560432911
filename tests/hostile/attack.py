"""Reads a file cut off and with flipped bits, in little memory; run by `test_damaged_files.py`.

Usage: python -m tests.hostile.attack KIND FOLDER

Every copy must give a result or one of our errors. Anything else ends the process: another
error with its traceback, a crash with its signal, an allocation beyond the limit with MemoryError.
"""

import contextlib
import json
import random
import resource
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import bertfast
from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.checkpoint import read_checkpoint
from bertfast.errors import BertfastError
from bertfast.jobs.journal import Journal
from bertfast.runtime.session import open_session

MORE_BYTES = 1 << 29  # that the process may map beyond what it has when it begins
SMALL_BYTES = 2048  # up to this size a file is cut off at every byte
N_CUTS = 500
N_FLIPS = 1000


def _journal(folder: Path) -> object:
    journal = Journal.open(folder / "_journal.jsonl")
    with contextlib.closing(journal):
        return journal.position


# What is damaged, and what reads it.
KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "vocabulary": ("vocab.txt", lambda folder: bertfast.Tokenizer(folder / "vocab.txt")),
    "manifest": (MANIFEST_FILE, Bundle.load),
    "bundle's model": ("model.onnx", Bundle.load),
    "bundle's vocabulary": ("vocab.txt", Bundle.load),
    "model": ("model.onnx", lambda folder: open_session(folder / "model.onnx", threads=1)),
    "index": ("m.ckpt.index", lambda folder: read_checkpoint(folder / "m.ckpt")),
    "tensors": (
        "m.ckpt.data-00000-of-00001",
        lambda folder: read_checkpoint(folder / "m.ckpt"),
    ),
    "safetensors": (
        "model.safetensors",
        lambda folder: read_checkpoint(folder / "model.safetensors"),
    ),
    "journal": ("_journal.jsonl", _journal),
}


def damaged(content: bytes) -> Iterator[bytes]:
    """Yield `content` cut off, then with one bit flipped."""
    rng = random.Random(len(content))
    every = len(content) <= SMALL_BYTES
    sizes = range(len(content)) if every else sorted(rng.sample(range(len(content)), N_CUTS))
    for size in sizes:
        yield content[:size]
    for _ in range(N_FLIPS):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield bytes(flipped)


def limit_memory() -> None:
    """Let this process map `MORE_BYTES` more than it has."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    most = pages * resource.getpagesize() + MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Attack one file; print how many copies were read and how many refused."""
    (name, read), folder = KINDS[sys.argv[1]], Path(sys.argv[2])
    warnings.simplefilter("ignore")  # of another Unicode version, in a manifest with a flipped bit
    content = (folder / name).read_bytes()
    read(folder)  # imports and opens what it needs
    limit_memory()
    n_read = n_refused = 0
    for copy in damaged(content):
        (folder / name).write_bytes(copy)
        try:
            read(folder)
            n_read += 1
        except BertfastError as error:
            assert "\n" not in str(error)
            n_refused += 1
    sys.stdout.write(json.dumps({"read": n_read, "refused": n_refused}) + "\n")


if __name__ == "__main__":
    main()
