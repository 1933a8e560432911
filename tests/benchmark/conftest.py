"""A tiny corpus, its vocabulary, and quick turns."""

from pathlib import Path

import pytest

from bertfast.benchmark import measurement
from bertfast.benchmark.peers import Setup, thread_environment
from bertfast.benchmark.vocabulary import derive_vocabulary, write_vocabulary
from tests.benchmark.fake_peers import fake_peer

TEXTS = [
    "The quiet harbour, seen from above.",
    "wrong",
    "",
    "Ein größeres Boot naht!",
    "something wrong here, 试试",
    "Two boats; one harbour.",
]


@pytest.fixture(autouse=True)
def quick_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not repeat quick tasks, and restore the environment that a benchmark sets."""
    monkeypatch.setattr(measurement, "_TURN_SECONDS", 0.0)
    for variable in thread_environment(1):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def corpus_path(tmp_path: Path) -> Path:
    """A file of `TEXTS`."""
    path = tmp_path / "tiny.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return path


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """A vocabulary of `TEXTS`, lowercased, one thread."""
    path = tmp_path / "vocab.txt"
    write_vocabulary(derive_vocabulary(TEXTS, do_lower_case=True), path)
    return Setup(path, do_lower_case=True, num_threads=1)


@pytest.fixture
def fake_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake peers be the only ones there are."""
    peers = [fake_peer(name) for name in ("slow", "panicking", "unloadable")]
    monkeypatch.setattr("bertfast.benchmark.peers.PEERS", {peer.name: peer for peer in peers})
