"""Kill jobs with SIGKILL and let them go on; a program of its own, since it forks.

    python -m tests.jobs.crashes points INPUT TARGET N   at every operation on a file, N parts
    python -m tests.jobs.crashes times INPUT TARGET N    at N random times
    python -m tests.jobs.crashes signals INPUT TARGET N  SIGINT, SIGTERM in turns at N random times

Prints JSON: how often it killed, and how often the result was not that of an undisturbed job;
of signals also how long a job went on after one.
The children run a real job on a stub model, with all its threads; every operation that changes
a file or a folder goes through a shim that counts, and kills before the n-th one or, if that is
a write, in the middle of it.
"""

import io
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NoReturn, cast

from bertfast.errors import InputError
from bertfast.jobs import JobOptions, durable, predict_files
from bertfast.runtime.session import import_onnxruntime
from tests.jobs.stub import StubPredictor, contents, rows, stub_predictor, write_input

_OPERATIONS = ("fsync", "replace", "unlink", "mkdir", "rmdir", "truncate", "ftruncate")
_NEVER = 1 << 60
_IS_DONE = 7
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


class Shim:
    """Counts operations and kills this process at one of them."""

    def __init__(self, kill_before: int, kill_inside: int) -> None:
        self._count = 0
        self._kill_before = kill_before
        self._kill_inside = kill_inside

    def install(self) -> None:
        for name in _OPERATIONS:
            setattr(os, name, self._counted(getattr(os, name)))
        opener = cast("Any", durable)
        opener.create = lambda path: self._file(path, "wb")
        opener.open_to_append = lambda path: self._file(path, "ab")

    def write(self, data: Any, write: Callable[[Any], int | None]) -> int | None:
        self._tick()
        if self._count == self._kill_inside:
            write(bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write(data)

    def _file(self, path: Path, mode: str) -> BinaryIO:
        return cast("BinaryIO", io.BufferedWriter(_File(self, path, mode)))

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._tick()
            return operation(*arguments, **options)

        return counted

    def _tick(self) -> None:
        self._count += 1
        if self._count == self._kill_before:
            os.kill(os.getpid(), signal.SIGKILL)


class _File(io.FileIO):
    def __init__(self, shim: Shim, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._shim = shim

    def write(self, data: Any) -> int:
        return cast("int", self._shim.write(data, super().write))


class Case:
    """A job that is run again and again."""

    def __init__(self, folder: Path, source: str, target: str, n_rows: int, part_rows: int) -> None:
        import_onnxruntime()  # once, here, and not in every child
        self.folder = folder
        self.model: StubPredictor = stub_predictor(folder / "bundle")
        self.source = write_input(folder / source, rows(n_rows, bad_every=20))
        self.target = target
        self.options = JobOptions(
            text_column="text", keep=("id",), on_error="reject", part_rows=part_rows
        )
        self.expected = self._undisturbed()

    def run(self, output: Path, kill_before: int = _NEVER, kill_inside: int = _NEVER) -> int:
        """Run the job in a child; return its pid."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the child can take them
        child = os.fork()
        if child:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return child
        code = 1
        try:
            code = self._run_in_child(output, kill_before, kill_inside)
        except KeyboardInterrupt:
            code = _INTERRUPTED
        except SystemExit:
            code = _TERMINATED
        except BaseException:  # noqa: BLE001 - whatever it is, the parent must not run twice
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _run_in_child(self, output: Path, kill_before: int, kill_inside: int) -> int:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminate)
        if (kill_before, kill_inside) != (_NEVER, _NEVER):
            Shim(kill_before, kill_inside).install()
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            predict_files(self.source, f"{output}/{self.target}", self.model, options=self.options)
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        except InputError as error:
            # Killed when all was done but the exit: the next run finds the complete output.
            if str(error).endswith("exists; replace it with --overwrite"):
                return _IS_DONE
            sys.stderr.write(f"{error}\n")
            return 1
        return 0

    def is_right(self, output: Path) -> bool:
        """Tell whether the output is that of the undisturbed job, byte for byte."""
        found = contents(output)
        if found != self.expected:
            sys.stderr.write(f"{sorted(found)} instead of {sorted(self.expected)}\n")
        return found == self.expected

    def _undisturbed(self) -> dict[str, bytes]:
        output = self.folder / "undisturbed"
        output.mkdir()
        assert _status(self.run(output)) == 0
        return contents(output)


def kill_at_every_point(case: Case) -> dict[str, int]:
    """Kill before every operation and inside every write; then once more while it resumes."""
    counts = {"kills": 0, "wrong": 0}
    for point in range(1, 10_000):
        for inside in (False, True):
            output = case.folder / f"{point}-{inside}"
            output.mkdir()
            position = {"kill_inside" if inside else "kill_before": point}
            first = _status(case.run(output, **position))
            if not inside and first == 0:  # there are fewer operations than this
                return counts
            again = _status(case.run(output, kill_before=point % 13 + 2))
            counts["kills"] += (first == -signal.SIGKILL) + (again == -signal.SIGKILL)
            last = _status(case.run(output))
            counts["wrong"] += last not in (0, _IS_DONE) or not case.is_right(output)
            shutil.rmtree(output)
    raise AssertionError("the job has no end")


def kill_at_random_times(case: Case, n_kills: int, seed: int = 0) -> dict[str, int]:
    """Kill at random times; each job goes on until it gets through."""
    generator = random.Random(seed)
    counts = {"kills": 0, "wrong": 0, "jobs": 0}
    start = time.monotonic()
    longest = _seconds(case)
    while counts["kills"] < n_kills:
        output = case.folder / f"job-{counts['jobs']}"
        output.mkdir()
        while True:
            child = case.run(output)
            time.sleep(generator.uniform(0, longest) if counts["kills"] < n_kills else 0)
            if counts["kills"] < n_kills:
                os.kill(child, signal.SIGKILL)
            status = _status(child)
            if status != -signal.SIGKILL:
                break
            counts["kills"] += 1
        counts["jobs"] += 1
        counts["wrong"] += status not in (0, _IS_DONE) or not case.is_right(output)
        shutil.rmtree(output)
    return counts | {"seconds": round(time.monotonic() - start)}


def signal_at_random_times(case: Case, n_signals: int, seed: int = 0) -> dict[str, float]:
    """Send SIGINT and SIGTERM in turns; each job goes on until it gets through.

    A job must end by 130 or 143, or have got through, and leave no part that is not complete.
    """
    generator = random.Random(seed)
    n_sent = wrong = jobs = 0
    waits: list[float] = []
    longest = _seconds(case)
    while n_sent < n_signals:
        output = case.folder / f"job-{jobs}"
        output.mkdir()
        status = _INTERRUPTED
        while status in (_INTERRUPTED, _TERMINATED):
            child = case.run(output)
            if n_sent < n_signals:
                time.sleep(generator.uniform(0.02, longest))
                sent_at = time.monotonic()
                os.kill(child, _SIGNALS[n_sent % 2])
                status = _status(child)
                n_sent += 1
                if status in (_INTERRUPTED, _TERMINATED):
                    waits.append(time.monotonic() - sent_at)
                    wrong += _has_unfinished(output)
            else:
                status = _status(child)
        jobs += 1
        if status not in (0, _IS_DONE):
            sys.stderr.write(f"exit status {status}\n")
        wrong += status not in (0, _IS_DONE) or not case.is_right(output)
        shutil.rmtree(output)
    return {
        "signals": n_sent,
        "wrong": wrong,
        "jobs": jobs,
        "interrupted": len(waits),
        "median_seconds": round(statistics.median(waits), 3),
        "longest_seconds": round(max(waits), 3),
    }


def _has_unfinished(output: Path) -> bool:
    unfinished = [path.name for path in output.rglob(".part-*")]
    if unfinished:
        sys.stderr.write(f"left behind: {unfinished}\n")
    return bool(unfinished)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(_TERMINATED)


def _seconds(case: Case) -> float:
    output = case.folder / "timed"
    output.mkdir()
    start = time.monotonic()
    assert _status(case.run(output)) == 0
    return time.monotonic() - start


def _status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Run one case; see the top of this file."""
    kind, source, target, number = sys.argv[1:]
    # In memory, where there is such a place: killing a process loses nothing that is not synced.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        counts: Mapping[str, float]
        if kind == "points":
            case = Case(Path(folder), source, target, 30 * int(number) - 10, 30)
            counts = kill_at_every_point(case)
        else:
            case = Case(Path(folder), source, target, 20_000, 700)
            disturb = signal_at_random_times if kind == "signals" else kill_at_random_times
            counts = disturb(case, int(number))
    sys.stdout.write(json.dumps({"input": source, "target": target, **counts}) + "\n")


if __name__ == "__main__":
    main()
