"""Cut the rows of a job into windows and parts.

Where windows and parts end depends on the rows and the options alone, and never on time: an
interrupted job that goes on at a part's beginning gets the same windows, hence the same
batches, hence the same bytes.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bertfast.errors import InputError
from bertfast.jobs.cells import CellFormatter, Cells
from bertfast.jobs.columns import Columns
from bertfast.jobs.journal import Position
from bertfast.jobs.records import Record, RecordReader, Reject, Row, RowError
from bertfast.jobs.sources import Source
from bertfast.runtime.progress import Progress
from bertfast.runtime.windows import Window

# A window ends early at this many characters of texts and kept values.
_MAX_CHARACTERS = 1 << 24


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How inputs are read.

    Attributes:
        sources: the files.
        columns: what to read of them.
        cells: prepares the kept values.
        max_text_bytes: longer texts (UTF-8) are rejected; None takes them all.
        reject: whether bad rows are rejected; else they stop the job.
        window_rows: rows that are sorted and batched together.
        part_rows: rows of a part.
    """

    sources: Sequence[Source]
    columns: Columns
    cells: CellFormatter
    max_text_bytes: int | None
    reject: bool
    window_rows: int
    part_rows: int


@dataclass(slots=True, eq=False)
class JobWindow:
    """Consecutive rows of a part: those to predict, and those that were rejected.

    Attributes:
        part: number of the part.
        window: the texts.
        kept: what stands before each row's prediction; empty if nothing is kept.
        rejects: file, line and reason of each rejected row.
        rows_in: rows read.
        ends_part: whether the part is complete with it.
        next: where the next window begins.
    """

    part: int
    window: Window
    kept: list[Cells] = field(default_factory=list)
    rejects: list[tuple[str, int, str]] = field(default_factory=list)
    rows_in: int = 0
    ends_part: bool = False
    next: Position = field(default_factory=Position)


class WindowCutter:
    """Reads the sources from a position on and cuts what it reads."""

    def __init__(
        self, options: ReadOptions, start: Position, first_part: int, progress: Progress
    ) -> None:
        """Begin at `start`, which is the beginning of part `first_part`."""
        self._options = options
        self._start = start
        self._part = first_part
        self._part_rows = 0  # of the running part, in the windows that are cut
        self._progress = progress
        self._total = _Total(options.sources)
        self._max_bytes = options.max_text_bytes

    def windows(self) -> Generator[JobWindow, None, None]:
        """Yield windows. The last one may be empty: it ends a part.

        Raises:
            InputError: an input cannot be read, has changed, or has a bad row which is not to
                be rejected.
        """
        current, room = self._new_window(), _MAX_CHARACTERS
        place = self._start
        for number, reader in self._readers():
            for row in reader.rows():
                room -= self._add(current, row, number)
                if room <= 0 or current.rows_in == self._limit():
                    place = Position(number, reader.line, reader.offset)
                    yield self._cut(current, place)
                    self._total.tell(number, reader, self._progress)
                    current, room = self._new_window(), _MAX_CHARACTERS
            self._options.sources[number].check_unchanged()
            place = Position(number + 1)
        self._total.tell_exactly(current.rows_in, self._progress)
        # No rows at all still make one part, which holds the header.
        if current.rows_in or self._part_rows or self._part == 0:
            current.ends_part = True
            yield self._cut(current, place)

    def _readers(self) -> Iterator[tuple[int, RecordReader]]:
        for number in range(self._start.source, len(self._options.sources)):
            with ExitStack() as stack:
                reader = self._options.sources[number].open(stack, self._options.columns)
                if number == self._start.source:
                    reader.start_at(self._start.line, self._start.offset)
                    self._total.begin(number, self._start, reader)
                yield number, reader

    def _limit(self) -> int:
        return min(self._options.window_rows, self._options.part_rows - self._part_rows)

    def _new_window(self) -> JobWindow:
        pairs: list[str | bytes] | None = None if self._options.columns.pair is None else []
        return JobWindow(self._part, Window(0, [], pairs))

    def _cut(self, window: JobWindow, place: Position) -> JobWindow:
        window.next = place
        self._part_rows += window.rows_in
        self._total.rows += window.rows_in
        if window.ends_part or self._part_rows == self._options.part_rows:
            window.ends_part = True
            self._part += 1
            self._part_rows = 0
        return window

    def _add(self, current: JobWindow, row: Row, source: int) -> int:
        """Add a row or a reject; return its size in characters."""
        current.rows_in += 1
        if type(row) is Record:
            try:
                return self._add_record(current, row)
            except RowError as error:
                row = Reject(row.line, str(error))
        assert isinstance(row, Reject)
        name = self._options.sources[source].name
        if not self._options.reject:
            raise InputError(f"{name} line {row.line}: {row.reason}")
        current.rejects.append((name, row.line, row.reason))
        return len(row.reason)

    def _add_record(self, current: JobWindow, row: Record) -> int:
        size = len(row.text)
        if self._max_bytes is not None:
            _check_size(row.text, self._max_bytes)
            if row.pair is not None:
                _check_size(row.pair, self._max_bytes)
        if row.kept:
            cells = self._options.cells(row.kept)
            current.kept.append(cells)
            size += len(cells) if isinstance(cells, str) else sum(map(_size, cells))
        window = current.window
        window.texts.append(row.text)
        if window.pairs is not None:
            assert row.pair is not None
            window.pairs.append(row.pair)
            size += len(row.pair)
        return size


class _Total:
    """Estimates how many rows there are, from the share of the files that they took."""

    def __init__(self, sources: Sequence[Source]) -> None:
        prints = [source.fingerprint for source in sources]
        self._sizes = [0 if print_ is None else max(print_.size, 1) for print_ in prints]
        self._known = None not in prints
        self._before = 0.0
        self.rows = 0

    def begin(self, number: int, start: Position, reader: RecordReader) -> None:
        """Note what an earlier run has read of the files."""
        if self._known and start != Position():
            share = min(start.offset / self._sizes[number], 1.0)
            self._before = self._share(number, share)

    def tell(self, number: int, reader: RecordReader, progress: Progress) -> None:
        """Correct the total."""
        if not self._known:
            return
        done = self._share(number, reader.fraction())
        left = max(1.0 - done, 0.0) / max(done - self._before, 1e-9)
        progress.set_total(round(self.rows * (1.0 + left)))

    def tell_exactly(self, more_rows: int, progress: Progress) -> None:
        """Set the total at the end of the input."""
        progress.set_total(self.rows + more_rows)

    def _share(self, number: int, fraction: float) -> float:
        done = sum(self._sizes[:number]) + fraction * self._sizes[number]
        return done / max(sum(self._sizes), 1)


def _check_size(text: str | bytes, limit: int) -> None:
    if len(text) * 4 <= limit or (isinstance(text, bytes) and len(text) <= limit):
        return
    n_bytes = len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else len(text)
    if n_bytes > limit:
        raise RowError(f"a text of {n_bytes:,} bytes, more than {limit:,} (--max-text-bytes)")


def _size(value: object) -> int:
    return len(value) if isinstance(value, str) else 8
