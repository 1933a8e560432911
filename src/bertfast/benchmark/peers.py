"""Who competes: the tokenizers we know, which of them are installed, and how they load."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bertfast.errors import InputError, MissingDependencyError

ALL = "all"
NONE = "none"


@dataclass(frozen=True, slots=True)
class Competitor:
    """A loaded tokenizer.

    Attributes:
        encode_batch: encodes a list of texts without special tokens, in the form that the
            library returns fastest.
        rows: turns that form into a list of ids a text; never timed.
        encode_one: encodes one text without special tokens.
        encode_padded: (texts, max_length) to matrices of int64: ids, mask and segment ids,
            with special tokens, truncated, padded to the longest row; None if it has none.
    """

    encode_batch: Callable[[list[str]], Any]
    rows: Callable[[Any], list[list[int]]]
    encode_one: Callable[[str], Any]
    encode_padded: Callable[[list[str], int], Any] | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """What every competitor is built from."""

    vocab_path: Path
    do_lower_case: bool
    num_threads: int


@dataclass(frozen=True, slots=True)
class Peer:
    """A tokenizer that may compete.

    Attributes:
        name: of the distribution on PyPI.
        module: what must be importable.
        adapter: "module:function" that makes a `Competitor` from a `Setup`.
    """

    name: str
    module: str
    adapter: str

    @property
    def is_installed(self) -> bool:
        """Whether its module can be found; nothing is imported."""
        return find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """Its version as installed."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return "unknown"

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.name}"


BERTFAST = Peer("bertfast", "bertfast", "bertfast.benchmark.adapters:bertfast")

PEERS = {
    peer.name: peer
    for peer in (
        Peer("nanotoken", "nanotoken", "bertfast.benchmark.adapters:nanotoken"),
        Peer("tokenizers", "tokenizers", "bertfast.benchmark.adapters:hugging_face"),
        Peer("splintr-rs", "splintr", "bertfast.benchmark.adapters:splintr"),
        Peer("tokie", "tokie", "bertfast.benchmark.adapters:tokie"),
        Peer("tensorflow-text", "tensorflow_text", "bertfast.benchmark.adapters:tensorflow_text"),
    )
}


def choose_peers(names: str = ALL) -> tuple[list[Peer], list[Peer]]:
    """Return the peers to compare with, and those left out because they are not installed.

    Args:
        names: "all" (whichever are installed), "none", or names parted by commas.

    Raises:
        InputError: a name is unknown.
        MissingDependencyError: a peer that was named is not installed.
    """
    if names == NONE:
        return [], []
    if names == ALL:
        peers = list(PEERS.values())
        missing = [peer for peer in peers if not peer.is_installed]
        return [peer for peer in peers if peer not in missing], missing
    chosen = [_find(name.strip()) for name in names.split(",")]
    for peer in chosen:
        if not peer.is_installed:
            raise MissingDependencyError(f"{peer.name} is not installed; run {peer.install}")
    return list(dict.fromkeys(chosen)), []


def _find(name: str) -> Peer:
    if name not in PEERS:
        raise InputError(f"unknown peer {name!r}; choose from {ALL}, {NONE}, {', '.join(PEERS)}")
    return PEERS[name]


def load(adapter: str, setup: Setup) -> Competitor:
    """Import an adapter and build its tokenizer; raises whatever that raises."""
    module, _, name = adapter.partition(":")
    competitor: Competitor = getattr(import_module(module), name)(setup)
    return competitor


def limit_threads(num_threads: int) -> None:
    """Tell libraries that are not yet loaded how many threads to use in this process."""
    os.environ.update(thread_environment(num_threads))


def thread_environment(num_threads: int) -> dict[str, str]:
    """Return the environment variables that limit the peers' threads."""
    return {
        "RAYON_NUM_THREADS": str(num_threads),
        "TOKENIZERS_PARALLELISM": "true" if num_threads > 1 else "false",
        "TF_NUM_INTRAOP_THREADS": str(num_threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
