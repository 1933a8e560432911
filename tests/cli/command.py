"""Runs the `bertfast` command as a user would: in a process of its own."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

COMMAND = (sys.executable, "-m", "bertfast")
TIMEOUT_SECONDS = 120


def run(
    *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command and return its output and exit code."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        cwd=cwd,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def start(*arguments: str | Path, stderr: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    """Start the command with pipes to it, as from a terminal.

    A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
    """
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def one_line_error(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Check that the command failed as it should on bad input; return its message."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("bertfast: error: ")
    return lines[0].removeprefix("bertfast: error: ")
