"""One job: from the first row to _SUCCESS, or from where an earlier run was stopped."""

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertfast.errors import BertfastError, InputError
from bertfast.jobs import durable
from bertfast.jobs.job_windows import JobWindow, ReadOptions, WindowCutter
from bertfast.jobs.journal import Journal, PartEntry, Position, differences
from bertfast.jobs.layout import Layout
from bertfast.jobs.model_guard import ModelGuard
from bertfast.jobs.parts import PartWriter, merge_rejects, reject_lines
from bertfast.jobs.pipeline import ReadAhead, WriteBehind
from bertfast.jobs.summary import JobSummary
from bertfast.jobs.target import Target
from bertfast.jobs.work_folder import WorkFolder, locked_folder
from bertfast.runtime.overflow import Overflow
from bertfast.runtime.predictor import Predictor, WindowPrediction
from bertfast.runtime.progress import Progress
from bertfast.runtime.stop import Stop
from bertfast.runtime.windows import Window

_Step = tuple[JobWindow, WindowPrediction]


@dataclass(frozen=True, slots=True)
class JobPlan:
    """All that a job is made of.

    Attributes:
        read: the inputs.
        layout: the output's contents.
        target: the output's place.
        predictor: the model.
        overflow: what becomes of texts beyond max_length.
        stride: of overflow "window", chosen.
        identity: what must be the same for a job to be resumed.
        overwrite: start anew, whatever is there.
        force: resume although something changed.
    """

    read: ReadOptions
    layout: Layout
    target: Target
    predictor: Predictor
    overflow: Overflow
    stride: int | None
    identity: dict[str, Any]
    overwrite: bool
    force: bool

    @property
    def can_resume(self) -> bool:
        """Whether the inputs can be read again."""
        return all(source.fingerprint is not None for source in self.read.sources)


class Job:
    """Runs a plan."""

    def __init__(self, plan: JobPlan, progress: Progress) -> None:
        """Prepare; nothing is touched before `run`."""
        self._plan = plan
        self._progress = progress
        self._guard = ModelGuard(plan.predictor.bundle)
        self._dropped = Stop()  # set when what is being written is not wanted any more
        self._rows_kept: Callable[[], int] = lambda: 0

    @property
    def rows_kept(self) -> int:
        """Rows in complete parts, which a later run need not predict again."""
        return self._rows_kept()

    def run(self) -> JobSummary:
        """Do all that is not done yet."""
        self._plan.layout.check()
        if self._plan.target.kind == "stream":
            return self._run_stream()
        target = self._plan.target
        target.check_free(self._plan.overwrite)
        with locked_folder(target.work_folder, self._plan.layout.file_format.extension) as work:
            return self._run_in(work)

    def _run_in(self, work: WorkFolder) -> JobSummary:
        plan = self._plan
        if plan.overwrite or (work.has_results() and self._is_worthless(work)):
            work.clear()
        journal = self._journal(work)
        try:
            resumed = journal.total("rows_in")
            if plan.can_resume:
                self._rows_kept = lambda: journal.total("rows_in")
            start = time.perf_counter()
            if not (journal.is_complete or work.success.exists()):
                work.remove_unfinished(len(journal.entries))
                self._write_parts(work, journal)
                self._finish(work, journal)
            if plan.target.kind == "file":
                work.remove()
            return self._summary(journal, resumed, time.perf_counter() - start)
        finally:
            journal.close()
            if not (self.rows_kept or work.success.exists()):
                with contextlib.suppress(OSError):  # the reason of the failure says more
                    work.clear()

    def _is_worthless(self, work: WorkFolder) -> bool:
        """Return whether an interrupted job's rows came from where they cannot come again."""
        return not self._plan.can_resume and not work.success.exists()

    def _journal(self, work: WorkFolder) -> Journal:
        """Open the journal of the interrupted job, or begin one.

        Raises:
            InputError: what stands there is another job.
        """
        if work.journal.exists():
            journal = Journal.open(work.journal)
            is_gone = journal.is_complete and not self._plan.target.final.exists()
            try:
                if journal.entries and not is_gone:
                    self._compare(journal, work)
                    return journal
            except BaseException:
                journal.close()
                raise
            journal.close()
        return Journal.create(work.journal, self._plan.identity)

    def _compare(self, journal: Journal, work: WorkFolder) -> None:
        plan = self._plan
        if not plan.can_resume:
            raise InputError(
                f"{work.path} is complete and standard input cannot be compared with what it "
                f"was made of; start anew with --overwrite"
            )
        changed = differences(journal.identity, plan.identity)
        fixed = differences(journal.identity.get("options", {}), plan.identity["options"])
        if changed and plan.force and not fixed and not work.success.exists():
            journal.replace_identity(plan.identity)
        elif changed:
            state = "is complete" if work.success.exists() else "can be resumed"
            raise InputError(
                f"{work.path} {state}, but not with what has changed: {'; '.join(changed)}; "
                f"start anew with --overwrite"
                + ("" if fixed or work.success.exists() else ", or go on with --force")
            )
        if not journal.is_complete:
            for entry in journal.entries:
                _check_part(work.part(entry.part), entry)
        if not plan.read.reject and journal.total("rows_rejected"):
            raise InputError(
                f"{work.path} has {journal.total('rows_rejected'):,} rejected rows already; "
                f"go on with --on-error reject, or start anew with --overwrite"
            )

    def _write_parts(self, work: WorkFolder, journal: Journal) -> None:
        writer = PartWriter(
            work,
            journal,
            self._plan.layout,
            with_header=self._plan.target.kind == "folder",
            before_commit=self._guard.check,
            dropped=self._dropped,
        )
        try:
            self._predict(writer.write, journal.position, len(journal.entries))
        finally:
            writer.drop()

    def _predict(self, write: Callable[[_Step], None], start: Position, first_part: int) -> None:
        """Read, tokenize, predict and write, all at the same time."""
        stop = Stop()
        cutter = WindowCutter(self._plan.read, start, first_part, self._progress)
        under_way: deque[JobWindow] = deque()
        failures: list[Exception] = []

        def windows() -> Iterator[Window]:
            try:
                for window in ahead:
                    under_way.append(window)
                    yield window.window
            except (BertfastError, OSError) as error:
                failures.append(error)  # raised when all that came before it is written

        def end() -> None:
            stop.set()
            ahead.stop()

        predicting = self._plan.predictor.predict_prepared
        with (
            ReadAhead(cutter.windows()) as ahead,
            WriteBehind(write, self._dropped) as behind,
            ReadAhead(
                predicting(
                    windows(),
                    progress=self._progress,
                    overflow=self._plan.overflow,
                    stride=self._plan.stride,
                    stop=stop,
                ),
                ahead=1,
                name="predict",
                on_stop=end,
            ) as predictions,
        ):
            for prediction in predictions:
                behind.submit((under_way.popleft(), prediction))
            behind.finish()
        if failures:
            raise failures[0]
        for source in self._plan.read.sources:
            source.check_unchanged()

    def _finish(self, work: WorkFolder, journal: Journal) -> None:
        self._guard.check()
        target = self._plan.target
        if target.kind == "folder":
            with durable.durable_file(work.success) as stream:
                stream.write(_totals(journal))
            return
        merge_rejects(work, journal.entries, target.rejects)
        parts = [work.part(entry.part) for entry in journal.entries]
        with durable.durable_file(target.final) as stream:
            self._plan.layout.merge(parts, journal.entries, stream)
        journal.complete()

    def _summary(self, journal: Journal, resumed: int, seconds: float) -> JobSummary:
        rejected = journal.total("rows_rejected")
        return JobSummary(
            rows_in=journal.total("rows_in"),
            rows_out=journal.total("rows_out"),
            rows_rejected=rejected,
            rows_resumed=resumed,
            tokens=journal.total("tokens"),
            rows_truncated=journal.total("truncated"),
            parts=len(journal.entries),
            seconds=seconds,
            output=self._plan.target.name,
            rejects=self._plan.target.rejects_name if rejected else None,
        )

    def _run_stream(self) -> JobSummary:
        """Write to a pipe or a device: nothing is kept, nothing can be resumed."""
        totals = {"rows_in": 0, "rows_out": 0, "tokens": 0, "truncated": 0}
        target, layout = self._plan.target, self._plan.layout
        start = time.perf_counter()
        with ExitStack() as stack:
            stream = stack.enter_context(target.stream(self._dropped))
            rejects = stack.enter_context(target.rejects_stream(self._plan.read.reject))
            writer = stack.enter_context(layout.writer(stream, with_header=True))

            def write(step: _Step) -> None:
                window, prediction = step
                layout.write(writer, prediction.values, window.kept, self._dropped)
                rejects.write(reject_lines(window.rejects))
                totals["rows_in"] += window.rows_in
                totals["rows_out"] += len(prediction.values)
                totals["tokens"] += prediction.n_tokens
                totals["truncated"] += prediction.n_truncated
                stream.flush()

            self._predict(write, Position(), 0)
        self._guard.check()
        rejected = totals["rows_in"] - totals["rows_out"]
        return JobSummary(
            rows_in=totals["rows_in"],
            rows_out=totals["rows_out"],
            rows_rejected=rejected,
            rows_resumed=0,
            tokens=totals["tokens"],
            rows_truncated=totals["truncated"],
            parts=0,
            seconds=time.perf_counter() - start,
            output=target.name,
            rejects=target.rejects_name if rejected else None,
        )


def _totals(journal: Journal) -> bytes:
    names = ("rows_in", "rows_out", "rows_rejected", "tokens", "truncated")
    return json.dumps({name: journal.total(name) for name in names}).encode() + b"\n"


def _check_part(path: Path, entry: PartEntry) -> None:
    size = path.stat().st_size if path.exists() else None
    if size != entry.n_bytes:
        found = "is missing" if size is None else f"has {size:,} bytes"
        raise InputError(
            f"{path} {found}, but was written with {entry.n_bytes:,} bytes; "
            f"start anew with --overwrite"
        )
