"""Which files a job reads: files, globs, folders or standard input, and what they hold."""

import glob
import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bertfast.errors import InputError
from bertfast.jobs.columns import Columns
from bertfast.jobs.csv_reader import CsvReader
from bertfast.jobs.formats import STANDARD_STREAM, input_format, is_known
from bertfast.jobs.parquet_reader import ParquetReader
from bertfast.jobs.readers import JsonReader, LineReader, TableReader
from bertfast.jobs.streams import STANDARD_INPUT_NAME, input_stream

READERS = {"lines": LineReader, "tsv": TableReader, "csv": CsvReader, "jsonl": JsonReader}
_SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells whether a file is still the same, without reading all of it.

    Attributes:
        size: bytes.
        modified_ns: time of the last change.
        sample: sha256 of the first and last 64 KiB.
    """

    size: int
    modified_ns: int
    sample: str

    @classmethod
    def of(cls, path: str) -> "Fingerprint":
        """Take the fingerprint of a file.

        Raises:
            OSError: it cannot be read.
        """
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            digest = hashlib.sha256(file.read(_SAMPLE_BYTES))
            if status.st_size > _SAMPLE_BYTES:
                file.seek(max(_SAMPLE_BYTES, status.st_size - _SAMPLE_BYTES))
                digest.update(file.read(_SAMPLE_BYTES))
        return cls(status.st_size, status.st_mtime_ns, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Source:
    """One input.

    Attributes:
        path: a file, or "-".
        file_format: of its rows.
        fingerprint: None for what can be read only once (standard input, pipes).
    """

    path: str
    file_format: str
    fingerprint: Fingerprint | None

    @property
    def name(self) -> str:
        """Its name in messages and in the rejects file."""
        return STANDARD_INPUT_NAME if self.path == STANDARD_STREAM else self.path

    @property
    def identity(self) -> dict[str, Any]:
        """What a resumed job compares."""
        fingerprint = None if self.fingerprint is None else asdict(self.fingerprint)
        return {"format": self.file_format, **(fingerprint or {})}

    def check_unchanged(self) -> None:
        """Raise InputError if the file is no longer what it was when the job began."""
        if self.fingerprint is None:
            return
        try:
            status = Path(self.path).stat()
        except OSError as error:
            raise InputError(f"{self.path} went away while it was read: {error.strerror}") from None
        if (status.st_size, status.st_mtime_ns) != (
            self.fingerprint.size, self.fingerprint.modified_ns,
        ):  # fmt: skip
            raise InputError(
                f"{self.path} changed while it was read ({self.fingerprint.size:,} bytes at the "
                f"start, {status.st_size:,} now); start anew with --overwrite"
            )

    def open(self, stack: ExitStack, columns: Columns) -> "LineReader | ParquetReader":
        """Return a reader of its rows; `stack` closes it."""
        if self.file_format == "parquet":
            return ParquetReader(self.path, columns)
        stream = stack.enter_context(input_stream(self.path))
        return READERS[self.file_format](stream, self.name, columns)


def find_sources(inputs: Sequence[str], given_format: str | None) -> list[Source]:
    """Find the files of a job, in the order in which their rows are read.

    Args:
        inputs: files, patterns with "*", "?" or "[" (sorted), folders (all files with a known
            extension in them and below, sorted; names that begin with "." or "_" are left
            out), or "-".
        given_format: of all files; None goes by each one's extension.

    Raises:
        InputError: nothing is found, a file is named twice, the formats differ, or a name is
            a URL.
        OSError: a file cannot be read.
    """
    if not inputs:
        raise InputError("no input is given; name files, folders or - for standard input")
    paths = [path for name in inputs for path in _expanded(name, given_format)]
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise InputError(f"{path} is an input twice; its rows would be predicted twice")
        seen.add(real)
    formats = [input_format(path, given_format) for path in paths]
    for path, found in zip(paths, formats, strict=True):
        if found != formats[0]:
            raise InputError(
                f"{paths[0]} is {formats[0]}, but {path} is {found}; one job reads one"
            )
        if found == "parquet" and path == STANDARD_STREAM:
            raise InputError("Parquet cannot be read from standard input; name a file")
    return [
        Source(path, found, _fingerprint(path)) for path, found in zip(paths, formats, strict=True)
    ]


def _expanded(name: str, given_format: str | None) -> list[str]:
    if name == STANDARD_STREAM:
        if sys.stdin is None:
            raise InputError("standard input is closed; name a file, or pipe something in")
        return [name]
    if "://" in name:
        raise InputError(
            f"{name} is a URL; copy it to a file, mount the store, or pipe it in (see docs/jobs.md)"
        )
    if Path(name).is_dir():
        found = sorted(_files_in(Path(name), every=given_format is not None))
        if not found:
            raise InputError(f"{name} is a folder without files of a known format")
        return found
    if not Path(name).exists() and any(character in name for character in "*?["):
        # Path.glob takes no absolute pattern.
        matches = glob.glob(name, recursive=True)  # noqa: PTH207
        found = sorted(path for path in matches if Path(path).is_file())
        if not found:
            raise InputError(f"{name} matches no file")
        return found
    Path(name).stat()  # a missing file is an error before anything is opened
    return [name]


def _files_in(folder: Path, every: bool) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "_")) for part in inner)
        if not hidden and path.is_file() and (every or is_known(path.name)):
            found.append(str(path))
    return found


def _fingerprint(path: str) -> Fingerprint | None:
    if path == STANDARD_STREAM or not Path(path).is_file():
        return None
    return Fingerprint.of(path)
