"""Read comma-separated records (RFC 4180), whose quoted fields may hold line ends."""

import csv
from collections import deque
from collections.abc import Iterator

from bertfast.jobs.readers import MAX_LINE_BYTES, TableReader
from bertfast.jobs.records import Reject

_TOO_LARGE = "field larger than field limit"  # where that happens depends on the field's start


class _LongLineError(Exception):
    """Stops the csv module at a line that is too long."""


class _SameFaultError(Exception):
    """Stops a record that would end as one before it did."""


class CsvReader(TableReader):
    """Reads the wanted columns of CSV records.

    Blank lines are skipped. NUL is dropped, as the tokenizer would: Python 3.10's csv module
    refuses it. A record that cannot be read costs its first line only: reading goes on at its
    second, so that a quote that is never closed does not swallow the rest of the file.

    A record goes on to another line only inside of quotes. So once one has failed, another that
    goes on before the line where that one failed comes to the same end, and is not read again:
    or a hostile file would take time quadratic in its length.
    """

    def fields(self) -> Iterator[tuple[int, list[str] | Reject]]:
        """Yield each record's first line number with its fields, or why it has none."""
        csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
        # Lines of the current record, and those to be read again; each with its bytes.
        taken: list[tuple[str | None, int]] = []
        again: deque[tuple[str | None, int]] = deque()
        self._left = 0  # lines of a record that failed, to its end
        reason = ""
        reader = csv.reader(self._feed(taken, again), strict=True)
        while True:
            first = self.line + 1
            taken.clear()
            try:
                record = next(reader)
            except StopIteration:
                return
            except (csv.Error, _LongLineError, _SameFaultError) as error:
                # Before the row is handed out: a job notes where the reader stands after it.
                self._give_back(taken, again)
                if not isinstance(error, _SameFaultError):
                    reason = _fault(error)
                    self._left = 0 if _TOO_LARGE in reason else len(taken) - 1
                yield first, Reject(first, reason)
                reader = csv.reader(self._feed(taken, again), strict=True)
                continue
            if record:
                yield first, record

    def _feed(
        self, taken: list[tuple[str | None, int]], again: deque[tuple[str | None, int]]
    ) -> Iterator[str]:
        fresh = self.texts()
        while True:
            if taken and self._left:
                raise _SameFaultError
            if again:
                line, n_bytes = again.popleft()
                self._left = max(self._left - 1, 0)
                self.line += 1
                self.offset += n_bytes
            else:
                before = self.offset
                try:
                    line = next(fresh)
                except StopIteration:
                    return
                n_bytes = self.offset - before
            taken.append((line, n_bytes))
            if line is None:
                raise _LongLineError
            yield line.replace("\0", "")

    def _give_back(
        self, taken: list[tuple[str | None, int]], again: deque[tuple[str | None, int]]
    ) -> None:
        """Return all but the first line of the record that failed."""
        rest = taken[1:]
        again.extendleft(reversed(rest))
        self.line -= len(rest)
        self.offset -= sum(n_bytes for _, n_bytes in rest)


def _fault(error: Exception) -> str:
    if isinstance(error, _LongLineError):
        return f"a line of more than {MAX_LINE_BYTES:,} bytes"
    # What follows " - " is advice to programmers.
    return f"not CSV: {str(error).partition(' - ')[0]}"
