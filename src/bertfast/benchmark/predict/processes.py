"""The parent's side of `worker`: starts processes, sends commands, waits for answers."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from types import TracebackType
from typing import Any

from bertfast.benchmark import peers
from bertfast.benchmark.predict.embedder import Setup

_TIMEOUT_SECONDS = 1800

# numpy is everybody's; what else the harness imports is timed and left out.
_COLD_START = """
import time
import numpy
{first}
start = time.perf_counter()
from bertfast.benchmark.predict.worker import answer_once
answer_once(time.perf_counter() - start)
"""
_OUR_IMPORT = "import bertfast; bertfast.Predictor"


class WorkerError(Exception):
    """A runtime's process failed; the message is one line."""


def thread_environment(num_threads: int) -> dict[str, str]:
    """Return the environment variables that limit the runtimes' threads."""
    names = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
    limits = {f"{name}_NUM_THREADS": str(num_threads) for name in names}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    # A runtime that spins while the others are measured would disturb them.
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
    return peers.thread_environment(num_threads) | limits | offline | quiet


def describe(setup: Setup) -> dict[str, Any]:
    """Return a setup as JSON holds it; `worker.setup_from` is the way back."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(setup), default=str))
    return values


class Process:
    """A worker that waits for commands; a context manager that ends it."""

    def __init__(self, num_threads: int) -> None:
        """Start the process; `num_threads` limits what libraries take by themselves."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bertfast.benchmark.predict.worker"],
            env=os.environ | thread_environment(num_threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            WorkerError: it failed, the process died, or it took too long.
        """
        line = json.dumps({"command": command, **arguments}).encode() + b"\n"
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # both are pipes
        try:
            stdin.write(line)
            stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._last_error()) from None
        if not select.select([stdout], [], [], _TIMEOUT_SECONDS)[0]:
            raise WorkerError(f"{command} took longer than {_TIMEOUT_SECONDS} seconds")
        return self._read(stdout.readline())

    def _read(self, line: bytes) -> dict[str, Any]:
        if not line:
            raise WorkerError(self._last_error())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _last_error(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f"the process ended with {code}: {lines[-1] if lines else 'no output'}"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def cold_start(adapter: str, setup: Setup, *, text: str, batch: int, is_ours: bool) -> float:
    """Return the seconds from the start of a fresh process to its first answer.

    Raises:
        WorkerError: it failed.
    """
    request = {"adapter": adapter, "setup": describe(setup), "text": text, "batch": batch}
    code = _COLD_START.format(first=_OUR_IMPORT if is_ours else "")
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | thread_environment(setup.num_threads),
        input=json.dumps(request).encode(),
        capture_output=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise WorkerError(lines[-1] if lines else f"exit code {done.returncode}")
    harness: float = json.loads(done.stdout)["harness_seconds"]
    return seconds - harness
