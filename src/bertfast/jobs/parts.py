"""Write the parts of a job, one after the other, and note each in the journal.

predictions ──► .part-00000.csv.tmp ──► part-00000.csv ┐
rejects ──────► ._rejects-00000... ───► _rejects-00000 ┴──► a line in _journal.jsonl

What a crash leaves without a line in the journal is removed by the next run.
"""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from bertfast.jobs import durable
from bertfast.jobs.job_windows import JobWindow
from bertfast.jobs.journal import Journal, PartEntry
from bertfast.jobs.layout import Layout
from bertfast.jobs.work_folder import WorkFolder
from bertfast.runtime.predictor import WindowPrediction
from bertfast.runtime.stop import Stop


def reject_lines(rejects: Sequence[tuple[str, int, str]]) -> bytes:
    r"""Return rejected rows as JSON lines.

    >>> reject_lines([("a.tsv", 3, "1 column")])
    b'{"file": "a.tsv", "line": 3, "reason": "1 column"}\n'
    """
    lines = [
        json.dumps({"file": file, "line": line, "reason": reason}) + "\n"
        for file, line, reason in rejects
    ]
    return "".join(lines).encode()


class PartWriter:
    """Writes windows into parts. A part is complete when its journal line is on the disk."""

    def __init__(
        self,
        work: WorkFolder,
        journal: Journal,
        layout: Layout,
        *,
        with_header: bool,
        before_commit: Callable[[], None],
        dropped: Stop,
    ) -> None:
        """Write into `work`; `before_commit` may refuse a part by raising, `dropped` ends it."""
        self._work = work
        self._journal = journal
        self._layout = layout
        self._with_header = with_header
        self._before_commit = before_commit
        self._dropped = dropped
        self._part: _Part | None = None

    def write(self, item: tuple[JobWindow, WindowPrediction]) -> None:
        """Append a window, and complete the part if the window ends it."""
        window, prediction = item
        with durable.naming(self._work.part(window.part)):
            if self._part is None:
                self._part = _Part(self._work, window.part, self._layout, self._with_header)
            self._part.add(window, prediction, self._dropped)
            if window.ends_part:
                self._dropped.check()
                self._before_commit()
                entry = self._part.complete(window)
        if window.ends_part:
            self._journal.append(entry)
            self._part = None

    def drop(self) -> None:
        """Remove the part that is not complete."""
        if self._part is not None:
            self._part.drop()
            self._part = None


class _Part:
    """One part while it is written."""

    def __init__(self, work: WorkFolder, number: int, layout: Layout, with_header: bool) -> None:
        self._number = number
        self._path = work.part(number)
        self._rejects_path = work.rejects(number)
        self._rejects: list[BinaryIO] = []
        self._rows_in = self._rows_out = self._tokens = self._truncated = 0
        self._layout = layout
        self._closing = ExitStack()
        self._stream = durable.create(durable.temporary_path(self._path))
        self._closing.callback(self._stream.close)
        self._writing = self._closing.enter_context(ExitStack())
        self._writer = self._writing.enter_context(
            layout.writer(self._stream, with_header=with_header)
        )

    def add(self, window: JobWindow, prediction: WindowPrediction, dropped: Stop) -> None:
        """Append a window."""
        self._layout.write(self._writer, prediction.values, window.kept, dropped)
        if window.rejects:
            self._rejects_stream().write(reject_lines(window.rejects))
        self._rows_in += window.rows_in
        self._rows_out += len(prediction.values)
        self._tokens += prediction.n_tokens
        self._truncated += prediction.n_truncated

    def complete(self, window: JobWindow) -> PartEntry:
        """Give the files their names, the rejects first; return the journal's entry."""
        self._writing.close()
        for stream in (*self._rejects, self._stream):
            durable.sync(stream)
        n_bytes = os.fstat(self._stream.fileno()).st_size
        self._closing.close()
        if self._rejects:
            durable.temporary_path(self._rejects_path).replace(self._rejects_path)
        durable.publish(durable.temporary_path(self._path), self._path)
        return PartEntry(
            part=self._number,
            rows_in=self._rows_in,
            rows_out=self._rows_out,
            rows_rejected=self._rows_in - self._rows_out,
            tokens=self._tokens,
            truncated=self._truncated,
            n_bytes=n_bytes,
            next=window.next,
        )

    def drop(self) -> None:
        """Remove the files."""
        with contextlib.suppress(Exception):  # it failed already; what matters is below
            self._closing.close()
        for path in (self._path, self._rejects_path):
            with contextlib.suppress(OSError):
                durable.temporary_path(path).unlink()

    def _rejects_stream(self) -> BinaryIO:
        if not self._rejects:
            stream = durable.create(durable.temporary_path(self._rejects_path))
            self._closing.callback(stream.close)
            self._rejects.append(stream)
        return self._rejects[0]


def merge_rejects(work: WorkFolder, entries: Sequence[PartEntry], final: Path) -> None:
    """Write the rejects of all parts as one file; without rejects, remove an older one."""
    if not any(entry.rows_rejected for entry in entries):
        final.unlink(missing_ok=True)
        return
    with durable.durable_file(final) as stream:
        for entry in entries:
            if entry.rows_rejected:
                stream.write(work.rejects(entry.part).read_bytes())
