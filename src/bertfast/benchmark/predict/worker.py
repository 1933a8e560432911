"""A process that holds one runtime: reads commands as lines of JSON, answers in the same way.

What libraries print goes to standard error, so that answers stand alone.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from bertfast.benchmark.checking import one_line, reraise_interrupts
from bertfast.benchmark.corpora import read_texts
from bertfast.benchmark.measurement import frozen_garbage_collection, time_once
from bertfast.benchmark.predict.embedder import (
    Embedder,
    ModelFiles,
    Setup,
    load,
    prepare,
)

Answer = dict[str, Any]

_PATHS = ("bundle", "int8_bundle", "source", "tokenizer", "cache")


def setup_from(values: dict[str, Any]) -> Setup:
    """Return the setup that `processes.describe` wrote."""
    files = dict(values["files"])
    for name in _PATHS:
        files[name] = Path(files[name]) if files[name] is not None else None
    return Setup(ModelFiles(**files), values["variant"], values["num_threads"])


class Worker:
    """Carries out the commands: each method takes the command's arguments."""

    def __init__(self) -> None:
        self._embedder: Embedder | None = None
        self._texts: list[str] = []
        self.commands: dict[str, Callable[..., Answer]] = {
            "prepare": self.prepare,
            "load": self.load,
            "read": self.read,
            "embed": self.embed,
            "time": self.time,
            "latency": self.latency,
            "stream": self.stream,
            "places": self.places,
            "peak": self.peak,
        }

    def prepare(self, adapter: str, setup: dict[str, Any]) -> Answer:
        """Make what the adapter needs of the model."""
        prepare(adapter, setup_from(setup))
        return {}

    def load(self, adapter: str, setup: dict[str, Any]) -> Answer:
        """Load the model."""
        self._embedder = load(adapter, setup_from(setup))
        return {}

    def read(self, path: str) -> Answer:
        """Read the texts that the next commands are about."""
        self._texts = read_texts(Path(path))
        return {}

    def embed(self, batch: int, path: str) -> Answer:
        """Write the embeddings of all texts to a file."""
        np.save(path, self.embedder.embed(self._texts, batch))
        return {}

    def time(self, batch: int) -> Answer:
        """Time one pass over all texts."""
        with frozen_garbage_collection():
            sample = time_once(lambda: self.embedder.embed(self._texts, batch))
        return {"cpu_seconds": sample.cpu_seconds, "wall_seconds": sample.wall_seconds}

    def latency(self, text: str, batch: int, n_calls: int) -> Answer:
        """Time calls with one text; the first ones are not counted."""
        embed, texts = self.embedder.embed, [text]
        seconds = []
        with frozen_garbage_collection():
            for _ in range(max(1, n_calls // 10)):
                embed(texts, batch)
            for _ in range(n_calls):
                start = time.perf_counter()
                embed(texts, batch)
                seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def stream(self, window: int) -> Answer:
        """Time one pass over all texts that come one by one; no answer if it cannot."""
        stream = self.embedder.stream
        if stream is None:
            return {}
        with frozen_garbage_collection():
            sample = time_once(lambda: stream(self._texts, window))
        return {"cpu_seconds": sample.cpu_seconds, "wall_seconds": sample.wall_seconds}

    def places(self, lengths: list[int], batch: int) -> Answer:
        """Count the places that a pass computes, padding included; None if unknown."""
        count = self.embedder.count_places
        return {"places": None if count is None else int(count(np.array(lengths), batch))}

    def peak(self) -> Answer:
        """Return the most memory that this process has held."""
        return {"mb": peak_rss_mb()}

    @property
    def embedder(self) -> Embedder:
        """What `load` loaded."""
        if self._embedder is None:
            raise RuntimeError("no model is loaded")
        return self._embedder


def peak_rss_mb() -> float:
    """Return the peak of this process's resident memory in MB (10^6 bytes)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def answer_commands() -> None:
    """Answer until standard input ends."""
    answers = _own_output()
    worker = Worker()
    for line in sys.stdin:
        _say(answers, _carry_out(worker, json.loads(line)))


def _carry_out(worker: Worker, command: dict[str, Any]) -> Answer:
    try:
        return worker.commands[command.pop("command")](**command)
    except BaseException as error:  # noqa: BLE001  (a library may raise anything)
        reraise_interrupts(error)
        return {"error": one_line(error)}


def answer_once(harness_seconds: float) -> None:
    """Load a model, embed one text, say so and leave: the cold start.

    Args:
        harness_seconds: what it took to import this module, which is not the runtime's.
    """
    answers = _own_output()
    request = json.load(sys.stdin)
    embedder = load(request["adapter"], setup_from(request["setup"]))
    embedder.embed([request["text"]], request["batch"])
    _say(answers, {"harness_seconds": harness_seconds})
    os._exit(0)  # threads of some libraries take their time to end


def _own_output() -> TextIO:
    """Take standard output for the answers alone."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, answer: Answer) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    answer_commands()
