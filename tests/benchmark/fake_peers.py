"""Tokenizers that are wrong in known ways, as adapters for `bertfast.benchmark.peers.Peer`."""

import time
from pathlib import Path
from typing import Any

from bertfast import Tokenizer
from bertfast.benchmark.peers import Competitor, Peer, Setup

WRONG = "wrong"
PANIC = "panic"


class Panic(BaseException):
    """What a panic of a Rust library looks like."""


def slow(setup: Setup) -> Competitor:
    """Take a millisecond a call, and leave out the last id of texts that say "wrong"."""
    tokenizer = Tokenizer(setup.vocab_path, do_lower_case=setup.do_lower_case)

    def encode(text: str) -> list[int]:
        ids = tokenizer.encode(text, add_special_tokens=False)
        return ids[:-1] if WRONG in text else ids

    def encode_batch(texts: list[str]) -> list[list[int]]:
        time.sleep(0.001)
        return [encode(text) for text in texts]

    return Competitor(encode_batch=encode_batch, rows=lambda rows: rows, encode_one=encode)


def panicking(setup: Setup) -> Competitor:
    """Refuse lists that hold a text that says "panic"."""
    right = slow(setup)

    def encode_batch(texts: list[str]) -> Any:
        if any(PANIC in text for text in texts):
            raise Panic("called `unwrap()`\non a `None` value")
        return right.encode_batch(texts)

    return Competitor(encode_batch=encode_batch, rows=right.rows, encode_one=right.encode_one)


def short(setup: Setup) -> Competitor:
    """Lose the last row of every list."""
    right = slow(setup)
    return Competitor(
        encode_batch=lambda texts: right.encode_batch(texts)[:-1],
        rows=right.rows,
        encode_one=right.encode_one,
    )


def unloadable(setup: Setup) -> Competitor:
    """Refuse every vocabulary."""
    raise ValueError(f"cannot\nread {setup.vocab_path.name}")


def logging(setup: Setup) -> Competitor:
    """Write the number of texts of each call to a file beside the vocabulary."""
    right = slow(setup)
    log = log_path(setup.vocab_path)

    def encode_batch(texts: list[str]) -> Any:
        with log.open("a", encoding="ascii") as file:
            file.write(f"{len(texts)}\n")
        return right.encode_batch(texts)

    return Competitor(encode_batch=encode_batch, rows=right.rows, encode_one=right.encode_one)


def log_path(vocab_path: Path) -> Path:
    """Return where `logging` writes."""
    return vocab_path.with_suffix(".calls")


def fake_peer(name: str) -> Peer:
    """Return the peer whose adapter is the function `name` of this file."""
    return Peer(f"fake-{name}", "tests", f"{__name__}:{name}")
