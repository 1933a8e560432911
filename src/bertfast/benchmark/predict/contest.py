"""Everybody on one model: prepared, swept, checked, then timed in turn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.corpora import Corpus, write_corpus
from bertfast.benchmark.measurement import Sample, Spread
from bertfast.benchmark.predict.checking import Agreement, compare
from bertfast.benchmark.predict.embedder import FloatArray, ModelFiles, Setup
from bertfast.benchmark.predict.peers import BERTFAST, Peer
from bertfast.benchmark.predict.processes import Process, WorkerError, cold_start, describe
from bertfast.benchmark.predict.results import Entry, Latency, Speed
from bertfast.benchmark.predict.work import measure_peak
from bertfast.benchmark.results import Missing

_SWEEP_SHARE = 3  # a sweep's pass has a third of the texts
_SWEEP_PASSES = 2


class WrongOutputsError(Exception):
    """bertfast fails or differs from itself in float32; nothing was timed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured on one model.

    Attributes:
        lengths: int64 [n], tokens of each text.
        short_text: the one of the latency and of the cold start.
        flops: useful operations of a pass.
    """

    files: ModelFiles
    texts: list[str]
    lengths: NDArray[np.int64]
    short_text: str
    num_threads: int
    n_rounds: int
    n_calls: int
    flops: float


@dataclass(slots=True)
class _Found:
    """What is measured of one row, as it comes."""

    agreement: Agreement | None = None
    samples: list[Sample] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    places: int | None = None
    peak_rss_mb: float | None = None
    note: str = ""


class Contest:
    """The rows that take part and what is found of them."""

    def __init__(self, plan: Plan, folder: Path, on_step: Callable[[str], None]) -> None:
        """`folder` is for the texts and the outputs."""
        self.plan = plan
        self.missing: list[Missing] = []
        self.chosen: dict[Peer, int] = {}
        self._sweeps: dict[Peer, dict[int, float]] = {}
        self._folder = folder
        self._on_step = on_step

    def run(self, rows: Sequence[Peer]) -> tuple[list[Entry], float]:
        """Return a row each, bertfast first, and the peak of one thread in GFLOP/s.

        Raises:
            WrongOutputsError: bertfast's own float32 model does not run.
        """
        for peer in rows:
            self._choose(peer)
        if BERTFAST not in self.chosen:
            raise WrongOutputsError(f"bertfast cannot be measured: {self.missing[0].reason}")
        found = {peer: _Found() for peer in self.chosen}
        peaks = [measure_peak()]
        with ExitStack() as stack:
            processes = self._check(found, stack)
            for number in range(self.plan.n_rounds):
                self._round(number, processes, found)
                peaks.append(measure_peak())
            for peer, process in processes.items():
                found[peer].peak_rss_mb = process.ask("peak")["mb"]
        self._cold_starts(list(processes), found)
        return [self._entry(peer, found[peer], max(peaks)) for peer in self.chosen], max(peaks)

    def setup(self, peer: Peer, num_threads: int | None = None) -> Setup:
        """Return what a row is built from."""
        return Setup(self.plan.files, peer.variant, num_threads or self.plan.num_threads)

    def write(self, texts: list[str], name: str) -> str:
        """Write texts for the processes; returns the path."""
        path = self._folder / name
        write_corpus(Corpus.of(name, texts), path)
        return str(path)

    def start(self, peer: Peer, path: str, num_threads: int | None = None) -> Process:
        """Start a process that has the model loaded and the texts read.

        Raises:
            WorkerError: it cannot.
        """
        setup = self.setup(peer, num_threads)
        process = Process(setup.num_threads)
        try:
            process.ask("load", adapter=peer.adapter, setup=describe(setup))
            process.ask("read", path=path)
        except WorkerError:
            process.close()
            raise
        return process

    def tell(self, step: str) -> None:
        """Say what is going on."""
        self._on_step(step)

    def _choose(self, peer: Peer) -> None:
        """Prepare a row and find its best batch; what fails is left out."""
        try:
            self.tell(f"preparing {peer.name}")
            with Process(self.plan.num_threads) as process:
                process.ask("prepare", adapter=peer.adapter, setup=describe(self.setup(peer)))
            self._sweeps[peer] = self._sweep(peer)
        except WorkerError as error:
            self.missing.append(Missing(peer.name, f"{peer.version} cannot run it: {error}"))
            return
        self.chosen[peer] = (
            best_batch(self._sweeps[peer]) if self._sweeps[peer] else peer.batches[0]
        )

    def _sweep(self, peer: Peer) -> dict[int, float]:
        """Return seconds of a pass over some of the texts by batch; empty if there is no choice."""
        if len(peer.batches) == 1:
            return {}
        self.tell(f"best batch of {peer.name}")
        path = self.write(self.plan.texts[::_SWEEP_SHARE], "sweep.txt")
        with self.start(peer, path) as process:
            process.ask("time", batch=peer.batches[0])  # warms up
            return {
                batch: min(self._seconds(process, batch) for _ in range(_SWEEP_PASSES))
                for batch in peer.batches
            }

    def _seconds(self, process: Process, batch: int) -> float:
        sample = Sample(**process.ask("time", batch=batch))
        return sample.cpu_seconds if self.plan.num_threads == 1 else sample.wall_seconds

    def _check(self, found: Mapping[Peer, _Found], stack: ExitStack) -> dict[Peer, Process]:
        """Start everybody and compare the outputs; only who agrees goes on."""
        path = self.write(self.plan.texts, "texts.txt")
        processes: dict[Peer, Process] = {}
        expected: FloatArray | None = None
        for peer, result in found.items():
            self.tell(f"checking {peer.name}")
            try:
                process = stack.enter_context(self.start(peer, path))
                output = self._embed(process, self.chosen[peer])
            except WorkerError as error:
                result.note = f"not timed: {error}"
                continue
            if expected is None:
                expected = output  # bertfast in float32 comes first
            result.agreement = compare(output, expected, peer.precision)
            if result.agreement.problem:
                result.note = f"not timed: {result.agreement.problem}"
                continue
            processes[peer] = process
        if BERTFAST not in processes:
            raise WrongOutputsError(f"bertfast is {found[BERTFAST].note}")
        for peer, process in processes.items():
            lengths = self.plan.lengths.tolist()
            answer = process.ask("places", lengths=lengths, batch=self.chosen[peer])
            found[peer].places = answer["places"]
        return processes

    def _embed(self, process: Process, batch: int) -> FloatArray:
        path = self._folder / "outputs.npy"
        process.ask("embed", batch=batch, path=str(path))
        output: FloatArray = np.load(path)
        return output

    def _round(
        self, number: int, processes: dict[Peer, Process], found: dict[Peer, _Found]
    ) -> None:
        """Let everybody take a turn; who begins moves on by one each round, who fails leaves."""
        for peer in rotated(processes, number):
            self.tell(f"round {number + 1} of {self.plan.n_rounds}: {peer.name}")
            try:
                self._turn(peer, processes[peer], found[peer])
            except WorkerError as error:
                if peer == BERTFAST:
                    raise WrongOutputsError(
                        f"bertfast failed while it was timed: {error}"
                    ) from None
                found[peer] = _Found(found[peer].agreement, note=f"failed while timed: {error}")
                del processes[peer]

    def _turn(self, peer: Peer, process: Process, result: _Found) -> None:
        batch = self.chosen[peer]
        result.samples.append(Sample(**process.ask("time", batch=batch)))
        answer = process.ask(
            "latency", text=self.plan.short_text, batch=batch, n_calls=self.plan.n_calls
        )
        result.latencies += answer["seconds"]

    def _cold_starts(self, peers: Sequence[Peer], found: Mapping[Peer, _Found]) -> None:
        for number in range(self.plan.n_rounds):
            for peer in rotated(peers, number):
                self.tell(f"cold start of {peer.name}")
                try:
                    seconds = cold_start(
                        peer.adapter,
                        self.setup(peer),
                        text=self.plan.short_text,
                        batch=self.chosen[peer],
                        is_ours=peer.is_ours,
                    )
                except WorkerError as error:
                    found[peer].note = f"no cold start: {error}"
                    continue
                found[peer].cold.append(seconds)

    def _entry(self, peer: Peer, found: _Found, peak: float) -> Entry:
        agreement, plan = found.agreement, self.plan
        n_tokens = int(plan.lengths.sum())
        speed = Speed.of(len(plan.texts), found.samples) if found.samples else None
        figures: dict[str, Any] = {}
        if speed is not None:
            passes = speed.fair(plan.num_threads).median / len(plan.texts)
            figures["tokens_per_second"] = n_tokens * passes
            figures["peak_share"] = plan.flops * passes / (1e9 * peak * plan.num_threads)
        if found.places:
            figures["padding_waste"] = 1 - n_tokens / found.places
        if agreement is not None:
            figures["cosine_mean"] = agreement.mean
            figures["cosine_worst"] = agreement.worst
            figures["n_different"] = agreement.n_different
        return Entry(
            name=peer.name,
            version=peer.version,
            precision=peer.precision,
            batch=self.chosen[peer],
            unit=peer.unit,
            speed=speed,
            latency=Latency.of(found.latencies) if found.latencies else None,
            peak_rss_mb=found.peak_rss_mb,
            cold_start_seconds=Spread.of(found.cold) if found.cold else None,
            sweep=self._sweeps[peer] or None,
            note=found.note,
            **figures,
        )


def best_batch(seconds: Mapping[int, float]) -> int:
    """Return the batch that took least time.

    >>> best_batch({64: 1.2, 128: 1.0, 256: 1.1})
    128
    """
    return min(seconds, key=lambda batch: seconds[batch])


def rotated(peers: Iterable[Peer], number: int) -> list[Peer]:
    """Return the peers, beginning with the one whose turn it is in round `number`."""
    listed = list(peers)
    shift = number % len(listed) if listed else 0
    return listed[shift:] + listed[:shift]
