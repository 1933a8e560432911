"""The folder that a job works in: its lock, its journal, its parts.

    predictions.csv           where the output is a file: it appears when all is done
    predictions.csv.parts/    until then
        _lock                 held while a job runs; says who holds it
        _journal.jsonl        see `journal`
        part-00000.csv        complete parts; the running one is .part-00001.csv.tmp
        _rejects-00000.jsonl  the rows of a part that were rejected, if there are any

Where the output is a folder, it is this folder, and _SUCCESS is written last. Names that begin
with "_" or "." are skipped by Spark, Hive and ourselves when the folder is read.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertfast.errors import InputError
from bertfast.jobs.durable import TEMPORARY_SUFFIX

JOURNAL = "_journal.jsonl"
SUCCESS = "_SUCCESS"
PARTS_SUFFIX = ".parts"

_LOCK = "_lock"
_OURS = ("part-*", ".part-*", "_rejects-*", "._rejects-*", JOURNAL, f".{JOURNAL}*", SUCCESS)


class WorkFolder:
    """The folder of a running job, locked.

    Attributes:
        path: the folder.
        extension: of the parts, such as ".csv.gz".
    """

    def __init__(self, path: Path, extension: str) -> None:
        """Use `locked_folder`."""
        self.path = path
        self.extension = extension

    @property
    def journal(self) -> Path:
        """The journal's path."""
        return self.path / JOURNAL

    @property
    def success(self) -> Path:
        """The mark of a complete job."""
        return self.path / SUCCESS

    def part(self, number: int) -> Path:
        """Return the path of a part."""
        return self.path / f"part-{number:05d}{self.extension}"

    def rejects(self, number: int) -> Path:
        """Return the path of a part's rejects."""
        return self.path / f"_rejects-{number:05d}.jsonl"

    def has_results(self) -> bool:
        """Return whether an earlier job has left anything."""
        return self.journal.exists() or self.success.exists()

    def clear(self) -> None:
        """Remove all that a job has written, the mark of completeness first."""
        self.success.unlink(missing_ok=True)
        for pattern in _OURS:
            for path in self.path.glob(pattern):
                path.unlink()

    def remove_unfinished(self, n_parts: int) -> None:
        """Remove what a crash has left: temporary files, and parts that no journal line knows."""
        known = {path for number in range(n_parts) for path in self._paths(number)}
        for path in self.path.iterdir():
            is_part = path.name.startswith(("part-", "_rejects-"))
            if path.name.endswith(TEMPORARY_SUFFIX) or (is_part and path not in known):
                path.unlink()

    def _paths(self, number: int) -> tuple[Path, Path]:
        return self.part(number), self.rejects(number)

    def remove(self) -> None:
        """Remove all that a job has written, the journal last: it tells that all is done."""
        for path in self.path.iterdir():
            if path.name not in (JOURNAL, _LOCK):
                path.unlink()
        self.journal.unlink()


@contextmanager
def locked_folder(path: Path, extension: str) -> Iterator[WorkFolder]:
    """Create the folder if there is none, and hold its lock while the block runs.

    The lock is the system's own (flock): it ends with the process that holds it, however that
    ends.

    Raises:
        InputError: another job holds it, or the folder has files of others.
        OSError: the folder cannot be written.
    """
    _check_contents(path)
    is_new = not path.exists()
    descriptor = _lock(path)
    try:
        yield WorkFolder(path, extension)
    finally:
        with contextlib.suppress(OSError):  # a folder with nothing of value in it goes
            if [file.name for file in path.iterdir()] == [_LOCK]:
                (path / _LOCK).unlink()
                if is_new or path.name.endswith(PARTS_SUFFIX):
                    path.rmdir()
        os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        path.mkdir(exist_ok=True)
        file = path / _LOCK
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the holder has just finished and removed the folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise InputError(
                f"{path} is in use by another job ({holder or 'starting'}); "
                f"wait for it, or write to another output"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == file.stat().st_ino:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return descriptor
        os.close(descriptor)  # the file that we locked is no longer the folder's


def _check_contents(path: Path) -> None:
    if not path.exists():
        return
    if (path / JOURNAL).exists():
        return
    # The journal is written first and removed last: without one, no part is of a job of ours.
    # Other programs write part-00000 and _SUCCESS, too.
    ours = {file for pattern in (f".{JOURNAL}*", _LOCK) for file in path.glob(pattern)}
    others = sorted(file.name for file in path.iterdir() if file not in ours)
    if others:
        raise InputError(f"{path} holds other files ({others[0]}); name a new or empty folder")
