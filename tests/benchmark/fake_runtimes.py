"""Runtimes that are wrong in known ways, as adapters for `predict.peers.Peer`."""

import time
from dataclasses import replace

from bertfast.benchmark.predict.adapters import ours
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup
from bertfast.benchmark.predict.peers import TEXTS, Peer


def honest(setup: Setup) -> Embedder:
    """Give what bertfast gives, a millisecond later; batches below 8 take much longer."""
    right = ours.load(replace(setup, variant="fp32"))

    def embed(texts: list[str], batch: int) -> FloatArray:
        started = time.process_time()
        while time.process_time() - started < (0.02 if batch < 8 else 0.001):
            pass
        return right.embed(texts, 0)

    return Embedder(embed, lambda lengths, batch: 2 * int(lengths.sum()))


def negated(setup: Setup) -> Embedder:
    """Give embeddings that point the other way."""
    right = ours.load(replace(setup, variant="fp32"))
    return Embedder(lambda texts, batch: -right.embed(texts, 0))


def unloadable(setup: Setup) -> Embedder:
    """Refuse every model."""
    raise ValueError(f"cannot\nread {setup.variant}")


def dying(setup: Setup) -> Embedder:
    """Load, and end the process at the first text."""

    def embed(texts: list[str], batch: int) -> FloatArray:
        raise SystemExit("out of memory")

    return Embedder(embed)


def fake_runtime(name: str, batches: tuple[int, ...] = (8,)) -> Peer:
    """Return the row whose adapter is the function `name` of this file."""
    adapter = f"{__name__}:{name}"
    return Peer(f"fake {name}", "fake", ("tests",), adapter, "fp32", "fp32", batches, TEXTS)
