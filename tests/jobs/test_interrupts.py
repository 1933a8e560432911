"""Ctrl-C and SIGTERM end a job at once, whatever its threads are doing."""

import array
import fcntl
import os
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.jobs import JobOptions, layout, plan_job, predict_files
from bertfast.jobs.job import Job
from bertfast.jobs.pipeline import ReadAhead
from bertfast.jobs.writers import ClassifierWriter
from bertfast.runtime.stop import Stop, StoppedError, signals_held
from tests.jobs.stub import StubPredictor, StubSession, rows, stub_predictor, write_input

# The aim is one second; these machines may be busy. What is interrupted takes minutes.
BOUND_SECONDS = 5
LONG_SECONDS = 300
PART_ROWS = 30
FULL_PIPE_BYTES = (1 << 16) - 4096


class Terminated(SystemExit):
    """What a handler of SIGTERM raises."""


@pytest.fixture
def model(tmp_path: Path) -> StubPredictor:
    return stub_predictor(tmp_path / "bundle")


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def interrupt(request: pytest.FixtureRequest) -> Iterator[Callable[..., float]]:
    """Run something, send a signal when an event is set, return the seconds until it was over."""
    number: signal.Signals = request.param

    def terminate(signum: int, frame: FrameType | None) -> NoReturn:
        raise Terminated(128 + signum)

    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: terminate}
    before = signal.signal(number, handlers[number])

    def run(action: Callable[[], object], when: threading.Event) -> float:
        sent: list[float] = []

        def send() -> None:
            if when.wait(60):
                time.sleep(0.05)  # until the thread is in the middle of it
                sent.append(time.monotonic())
                os.kill(os.getpid(), number)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            with pytest.raises((KeyboardInterrupt, Terminated)):
                action()
            return time.monotonic() - sent[0]
        finally:
            sender.join()

    yield run
    signal.signal(number, before)


class LongBatches(StubSession):
    """The first batches are quick; a later one goes on until ONNX Runtime would end it."""

    def __init__(self, n_quick: int, begun: threading.Event) -> None:
        super().__init__(3)
        self._left = n_quick
        self._begun = begun

    def run(
        self,
        output_names: Sequence[str],
        feeds: dict[str, NDArray[np.int32]],
        run_options: Any = None,
    ) -> list[NDArray[np.float32]]:
        self._left -= 1
        if self._left < 0:
            self._begun.set()
            for _ in range(LONG_SECONDS * 100):
                if run_options.terminate:
                    raise RuntimeError("Exiting due to terminate flag being set to true.")
                time.sleep(0.01)
        return super().run(output_names, feeds)


def test_signal_ends_a_batch_and_keeps_the_parts(
    model: StubPredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupt: Callable[..., float],
) -> None:
    monkeypatch.setattr("bertfast.jobs.predict.DEFAULT_WINDOW", PART_ROWS)
    source = write_input(tmp_path / "in.jsonl", rows(10 * PART_ROWS))
    begun = threading.Event()
    session = LongBatches(n_quick=5, begun=begun)
    object.__setattr__(model._open().runner, "session", session)
    job = plan_job(source, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=PART_ROWS))
    assert interrupt(job.run, begun) < BOUND_SECONDS
    names = {path.name for path in (tmp_path / "o.jsonl.parts").glob("*part-*")}
    assert names == {f"part-{n:05d}.jsonl" for n in range(job.rows_kept // PART_ROWS)}
    model.close()
    options = JobOptions(part_rows=PART_ROWS)
    summary = predict_files(source, tmp_path / "o.jsonl", model, options=options)
    assert summary.rows_resumed == job.rows_kept
    predict_files(source, tmp_path / "whole.jsonl", model, options=options)
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_signal_ends_the_writing_of_a_window(
    model: StubPredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupt: Callable[..., float],
) -> None:
    writing = threading.Event()
    real = ClassifierWriter.write

    def slow(writer: ClassifierWriter, *arguments: Any) -> None:
        writing.set()
        time.sleep(LONG_SECONDS / 1000)
        real(writer, *arguments)

    monkeypatch.setattr(ClassifierWriter, "write", slow)
    monkeypatch.setattr(layout, "_SLICE_NUMBERS", 3)
    source = write_input(tmp_path / "in.jsonl", rows(1000))
    job = plan_job(source, tmp_path / "o.jsonl", model)
    assert interrupt(job.run, writing) < BOUND_SECONDS
    assert job.rows_kept == 0
    assert not (tmp_path / "o.jsonl.parts").exists()


def test_signal_does_not_wait_for_who_reads_the_output(
    model: StubPredictor, tmp_path: Path, interrupt: Callable[..., float]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    source = write_input(tmp_path / "in.jsonl", rows(20_000))
    options = JobOptions(output_format="jsonl")
    is_full = threading.Event()

    def watch() -> None:
        waiting = array.array("i", [0])
        while waiting[0] < FULL_PIPE_BYTES:
            time.sleep(0.01)
            fcntl.ioctl(reader, termios.FIONREAD, waiting)
        is_full.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        job = plan_job(source, pipe, model, options=options)
        assert interrupt(job.run, is_full) < BOUND_SECONDS
    finally:
        os.close(reader)


def test_signal_does_not_wait_for_input(
    model: StubPredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupt: Callable[..., float],
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)  # never writes a byte
    waiting = threading.Event()
    options = JobOptions(input_format="lines")
    job = plan_job(pipe, tmp_path / "o.jsonl", model, options=options)
    real = Job._predict

    def predict(*arguments: Any) -> None:
        waiting.set()
        real(*arguments)

    monkeypatch.setattr(Job, "_predict", predict)
    try:
        assert interrupt(job.run, waiting) < BOUND_SECONDS
        assert not (tmp_path / "o.jsonl.parts").exists()
    finally:
        os.close(writer)


def test_slow_reader_gets_every_row(model: StubPredictor, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = write_input(tmp_path / "in.jsonl", rows(5000))
    received: list[bytes] = []

    def read() -> None:
        with pipe.open("rb", buffering=0) as stream:
            while data := stream.read(30_000):
                received.append(data)
                time.sleep(0.01)

    reader = threading.Thread(target=read)
    reader.start()
    predict_files(source, pipe, model, options=JobOptions(output_format="jsonl"))
    reader.join()
    predict_files(source, tmp_path / "o.jsonl", model)
    assert b"".join(received) == (tmp_path / "o.jsonl").read_bytes()


def test_stop_wakes_who_waits_for_an_item() -> None:
    leave = threading.Event()

    def items() -> Any:
        yield 1
        leave.wait(60)

    got: list[int] = []
    with ReadAhead(items()) as ahead:
        consumer = threading.Thread(target=lambda: got.extend(ahead))
        consumer.start()
        time.sleep(0.05)
        ahead.stop()
        consumer.join(BOUND_SECONDS)
        assert not consumer.is_alive()
        leave.set()
    assert got == [1]


def test_signal_during_an_import_waits_for_its_end(interrupt: Callable[..., float]) -> None:
    inside, reached = threading.Event(), []

    def load() -> None:
        with signals_held():
            inside.set()
            for _ in range(20):
                time.sleep(0.01)  # wakes at the signal, which must not be raised here
            reached.append("end")
        reached.append("behind")

    assert interrupt(load, inside) < BOUND_SECONDS
    assert reached == ["end"]


def test_stop_reaches_run_options_made_before_and_after() -> None:
    stop = Stop()
    stop.check()
    before = stop.run_options
    assert before.terminate is False
    stop.set()
    assert before.terminate is True
    with pytest.raises(StoppedError):
        stop.check()
    late = Stop()
    late.set()
    assert late.run_options.terminate is True
