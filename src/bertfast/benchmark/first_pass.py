"""The first pass over a corpus: each measured in a process that has seen no text before.

Run as a module it is that process: it reads a `Request` as JSON from standard input, loads
the tokenizer and the corpus, times one pass, and prints a `Sample` as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bertfast.benchmark.corpora import in_calls, read_texts
from bertfast.benchmark.measurement import Sample, frozen_garbage_collection, time_once
from bertfast.benchmark.peers import Setup, load, thread_environment

_TIMEOUT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Request:
    """What the fresh process measures: `adapter` as in `Peer`, the rest as in `Setup`."""

    adapter: str
    vocab_path: str
    do_lower_case: bool
    num_threads: int
    corpus_path: str


class FirstPassError(Exception):
    """The fresh process failed; the message is the last line that it printed."""


def measure_in_turn(requests: Mapping[str, Request], n_rounds: int) -> dict[str, list[Sample]]:
    """Measure each request once a round; one that fails is given up and has no samples."""
    samples: dict[str, list[Sample]] = {name: [] for name in requests}
    for _ in range(n_rounds):
        for name in list(samples):
            try:
                samples[name].append(measure(requests[name]))
            except FirstPassError:
                del samples[name]
    return {name: samples.get(name, []) for name in requests}


def measure(request: Request) -> Sample:
    """Start a process for one measurement.

    Raises:
        FirstPassError: it failed, or ran too long.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bertfast.benchmark.first_pass"],
            input=json.dumps(asdict(request)).encode(),
            env=os.environ | thread_environment(request.num_threads),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FirstPassError(f"took longer than {_TIMEOUT_SECONDS} seconds") from None
    if done.returncode != 0:
        raise FirstPassError(_last_line(done.stderr))
    return Sample(**json.loads(_last_line(done.stdout)))


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no output"


def run(request: Request) -> Sample:
    """Load, then time the first pass over the corpus in this process."""
    calls = in_calls(read_texts(Path(request.corpus_path)))
    setup = Setup(Path(request.vocab_path), request.do_lower_case, request.num_threads)
    competitor = load(request.adapter, setup)
    with frozen_garbage_collection():
        return time_once(lambda: encode_all(competitor.encode_batch, calls))


def encode_all(encode_batch: Callable[[list[str]], object], calls: Sequence[list[str]]) -> None:
    """Encode all texts; results are dropped as they come."""
    for texts in calls:
        encode_batch(texts)


if __name__ == "__main__":
    print(json.dumps(asdict(run(Request(**json.load(sys.stdin))))))  # noqa: T201
