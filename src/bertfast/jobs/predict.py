"""Predict every row of a file: read, tokenize, batch, run, write, in bounded memory."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bertfast.errors import InputError
from bertfast.jobs.columns import Column, Columns
from bertfast.jobs.formats import STANDARD_STREAM
from bertfast.jobs.formats import input_format as choose_input_format
from bertfast.jobs.formats import output_format as choose_output_format
from bertfast.jobs.output_file import output_stream
from bertfast.jobs.readers import READERS
from bertfast.jobs.writers import Prediction, open_writer
from bertfast.runtime.predictor import Predictor
from bertfast.runtime.progress import Progress, Silence
from bertfast.runtime.windows import Row

if TYPE_CHECKING:
    from bertfast.bundle import Bundle

_STANDARD_INPUT = 0


@dataclass(frozen=True, slots=True)
class JobSummary:
    """What a finished job did.

    Attributes:
        rows: rows read and written.
        tokens: tokens of these rows, special ones included and padding not.
        seconds: from the first row read to the last one written.
    """

    rows: int
    tokens: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """The rate over the whole job."""
        return self.rows / max(self.seconds, 1e-9)


def predict_file(
    input_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    model: "Predictor | Bundle | str | os.PathLike[str]",
    *,
    input_format: str | None = None,
    output_format: str | None = None,
    text_column: Column | None = None,
    pair_column: Column | None = None,
    header: bool | None = None,
    progress: Progress | None = None,
) -> JobSummary:
    """Predict every row of a file and write one row each, in the same order.

    Args:
        input_path: a file, or "-" for standard input.
        output_path: a file, or "-" for standard output. A file appears when it is complete.
        model: a Predictor, or an exported model to be run on the CPU.
        input_format: lines, tsv, csv or jsonl; None goes by the extension.
        output_format: the same or npy, as described in `bertfast.jobs.writers`.
        text_column: a name, or a number from 0. See `Columns` for what None means.
        pair_column: the column of second texts, for models trained on pairs.
        header: whether the first line names the columns; None: it does if a name is given.
        progress: told how far the job is.

    Raises:
        InputError: the input, a row of it (named by its line) or an option cannot be used.
        BundleError, DeviceError: the model cannot be used.
        OSError: a file cannot be read or written.
    """
    source, target = os.fspath(input_path), os.fspath(output_path)
    columns = Columns(text_column, pair_column, header)
    job = _Job(
        source=source,
        target=target,
        input_format=choose_input_format(source, input_format),
        output_format=choose_output_format(target, output_format),
        columns=columns,
    )
    _check_paths(source, target)
    predictor = model if isinstance(model, Predictor) else Predictor(model)
    return job.run(predictor, Silence() if progress is None else progress)


@dataclass(frozen=True, slots=True)
class _Job:
    source: str
    target: str
    input_format: str
    output_format: str
    columns: Columns

    def run(self, predictor: Predictor, progress: Progress) -> JobSummary:
        rows = tokens = 0
        with _input_stream(self.source) as stream, output_stream(self.target) as output:
            prediction = Prediction(
                predictor.output, predictor.width, predictor.labels, str(predictor.bundle.path)
            )
            writer = open_writer(output, self.output_format, prediction)
            name = "<stdin>" if self.source == STANDARD_STREAM else self.source
            texts = READERS[self.input_format](stream, name, self.columns)
            start = time.perf_counter()
            counted = _with_total(texts, stream, progress)
            for window in predictor.predict_windows(counted, progress=progress):
                writer.write(window.values)
                rows += len(window.values)
                tokens += window.n_tokens
            writer.finish()
        return JobSummary(rows, tokens, time.perf_counter() - start)


def _check_paths(source: str, target: str) -> None:
    if source == STANDARD_STREAM:
        return
    if Path(source).is_dir():
        raise InputError(f"{source} is a folder; name a file to read")
    with contextlib.suppress(FileNotFoundError):
        if target != STANDARD_STREAM and Path(source).samefile(target):
            raise InputError(f"{target} is the input itself; write to another file")


@contextmanager
def _input_stream(source: str) -> Iterator[BinaryIO]:
    if source == STANDARD_STREAM:
        with open(_STANDARD_INPUT, "rb", closefd=False) as stream:
            yield stream
        return
    with Path(source).open("rb") as stream:
        yield stream


def _with_total(rows: Iterator[Row], stream: BinaryIO, progress: Progress) -> Iterator[Row]:
    """Pass rows on, and estimate their number from the part of the file that they took.

    The estimate costs no second pass over the file and becomes exact at its end.
    """
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    count = 0
    for count, row in enumerate(rows, 1):
        if size and count % 1024 == 0:
            progress.set_total(count * size // max(stream.tell(), 1))
        yield row
    progress.set_total(count)
