"""Progress of a long prediction: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_LINE_INTERVAL_SECONDS = 10.0


class Progress(Protocol):
    """What a prediction tells while it runs."""

    def advance(self, n_rows: int, n_tokens: int) -> None:
        """Count rows that have been predicted, and their tokens."""

    def set_total(self, n_rows: int) -> None:
        """Say how many rows there will be, as far as known; a later call corrects it."""


class Silence:
    """Shows nothing."""

    def advance(self, n_rows: int, n_tokens: int) -> None:
        """Ignore it."""

    def set_total(self, n_rows: int) -> None:
        """Ignore it."""


class LineProgress:
    """Prints a plain line every few seconds: for logs and pipes."""

    def __init__(self, stream: TextIO, interval_seconds: float | None = None) -> None:
        """Print to `stream`, at most once in `interval_seconds` (default: 10)."""
        self._stream = stream
        self._interval_seconds = (
            _LINE_INTERVAL_SECONDS if interval_seconds is None else interval_seconds
        )
        self._start = self._last_line = time.monotonic()
        self._rows = self._tokens = 0
        self._total: int | None = None

    def advance(self, n_rows: int, n_tokens: int) -> None:
        """Count rows, and print a line if it is time."""
        self._rows += n_rows
        self._tokens += n_tokens
        now = time.monotonic()
        if now - self._last_line >= self._interval_seconds:
            self._last_line = now
            self._stream.write(self._line(now - self._start) + "\n")
            self._stream.flush()

    def set_total(self, n_rows: int) -> None:
        """Note how many rows there will be."""
        self._total = n_rows

    def _line(self, seconds: float) -> str:
        rate = self._rows / max(seconds, 1e-9)
        token_rate = self._tokens / max(seconds, 1e-9)
        line = f"{self._rows:,} rows, {rate:,.0f} rows/s, {token_rate:,.0f} tokens/s"
        if self._total is None:
            return line
        left = max(self._total - self._rows, 0) / max(rate, 1e-9)
        return f"{line}, {self._rows / max(self._total, 1):.0%}, {duration(left)} left"


class BarProgress:
    """Feeds a bar of the rich library."""

    def __init__(self, bar: "RichProgress") -> None:
        """Add a task to `bar`."""
        self._bar = bar
        self._task = bar.add_task("predict", total=None, rate="")
        self._start = time.monotonic()
        self._rows = self._tokens = 0

    def advance(self, n_rows: int, n_tokens: int) -> None:
        """Count rows; the bar redraws itself ten times a second."""
        self._rows += n_rows
        self._tokens += n_tokens
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = f"{self._rows / seconds:,.0f} rows/s, {self._tokens / seconds:,.0f} tokens/s"
        self._bar.update(self._task, completed=self._rows, rate=rate)

    def set_total(self, n_rows: int) -> None:
        """Note how many rows there will be."""
        self._bar.update(self._task, total=n_rows)


@contextmanager
def show_progress(stream: TextIO | None = None) -> Iterator[Progress]:
    """Show progress on `stream` (standard error) while the `with` block runs."""
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield LineProgress(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(file=stream), transient=True) as bar:
        yield BarProgress(bar)


def duration(seconds: float) -> str:
    """Return a duration for people.

    >>> duration(3.44), duration(12.3), duration(75), duration(7500)
    ('3.4 s', '12 s', '1 min 15 s', '2 h 05 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
