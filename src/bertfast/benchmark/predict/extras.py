"""What the table does not show of bertfast: two threads, and a stream that is not sorted."""

from collections.abc import Sequence
from contextlib import ExitStack

from bertfast.benchmark.machine import usable_cpus
from bertfast.benchmark.measurement import Sample, Spread
from bertfast.benchmark.predict.contest import Contest
from bertfast.benchmark.predict.peers import Peer
from bertfast.benchmark.predict.processes import Process, WorkerError
from bertfast.benchmark.predict.results import Case

STREAM_WINDOW = 4096
_STREAM_ROUNDS = 2


def measure_threads(contest: Contest, peers: Sequence[Peer]) -> list[Case]:
    """Compare two threads with one, by the clock on the wall, in turns."""
    if usable_cpus() < 2:
        return [Case("2 threads", peer.name, note="one CPU") for peer in peers]
    return [case for peer in peers for case in _threads(contest, peer)]


def _threads(contest: Contest, peer: Peer) -> list[Case]:
    contest.tell(f"2 threads of {peer.name}")
    path = contest.write(contest.plan.texts, "texts.txt")
    samples: dict[int, list[Sample]] = {1: [], 2: []}
    try:
        with ExitStack() as stack:
            processes = {n: stack.enter_context(contest.start(peer, path, n)) for n in samples}
            for process in processes.values():
                process.ask("time", batch=contest.chosen[peer])  # warms up
            for _ in range(contest.plan.n_rounds):
                for n, process in processes.items():
                    samples[n].append(_time(process, batch=contest.chosen[peer]))
    except WorkerError as error:
        return [Case("2 threads", peer.name, note=str(error))]
    rates = {n: _rates(contest.plan.texts, taken, by_wall=True) for n, taken in samples.items()}
    ratio = rates[2].median / max(rates[1].median, 1e-9)
    return [
        Case("1 thread", peer.name, rates[1]),
        Case("2 threads", peer.name, rates[2], "1 thread", ratio),
    ]


def measure_stream(contest: Contest, peers: Sequence[Peer], texts: list[str]) -> list[Case]:
    """Compare `predict_iter` over unsorted texts with a list that is sorted as a whole."""
    path = contest.write(texts, "stream.txt")
    return [case for peer in peers for case in _stream(contest, peer, path, texts)]


def _stream(contest: Contest, peer: Peer, path: str, texts: list[str]) -> list[Case]:
    contest.tell(f"stream of {peer.name}")
    offline, stream = [], []
    batch = contest.chosen[peer]
    try:
        with contest.start(peer, path) as process:
            for _ in range(_STREAM_ROUNDS):
                offline.append(_time(process, batch=batch))
                stream.append(Sample(**process.ask("stream", window=STREAM_WINDOW)))
    except WorkerError as error:
        return [Case("stream", peer.name, note=str(error))]
    rates = [_rates(texts, samples, by_wall=False) for samples in (offline, stream)]
    names = [f"{len(texts):,} texts sorted at once", f"stream, windows of {STREAM_WINDOW:,}"]
    ratio = rates[1].median / max(rates[0].median, 1e-9)
    return [
        Case(names[0], peer.name, rates[0]),
        Case(names[1], peer.name, rates[1], names[0], ratio),
    ]


def _time(process: Process, *, batch: int) -> Sample:
    return Sample(**process.ask("time", batch=batch))


def _rates(texts: Sequence[str], samples: Sequence[Sample], *, by_wall: bool) -> Spread:
    seconds = [sample.wall_seconds if by_wall else sample.cpu_seconds for sample in samples]
    return Spread.of([len(texts) / max(value, 1e-9) for value in seconds])
