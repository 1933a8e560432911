"""Where the predictions go: a file, a folder of parts, or a stream."""

import contextlib
import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from bertfast.errors import InputError
from bertfast.jobs import durable
from bertfast.jobs.formats import STANDARD_STREAM
from bertfast.jobs.sources import Source
from bertfast.jobs.work_folder import JOURNAL, PARTS_SUFFIX
from bertfast.runtime.stop import Stop

_REJECTS_SUFFIX = ".rejects.jsonl"
_PIPE_BYTES = 1 << 16
_POLL_MILLISECONDS = 100


class _Pipe(io.FileIO):
    """A file whose writes end when nobody wants them any more."""

    def __init__(self, place: int | str, dropped: Stop, *, closefd: bool) -> None:
        super().__init__(place, "wb", closefd=closefd)
        self._dropped = dropped
        self._room = select.poll()
        self._room.register(self.fileno(), select.POLLOUT)
        self._is_regular = stat.S_ISREG(os.fstat(self.fileno()).st_mode)

    def write(self, data: Any) -> int:
        """Write some bytes: what a pipe with room takes without waiting."""
        while not self._dropped.is_set:
            if self._is_regular or self._room.poll(_POLL_MILLISECONDS):
                piece = data if self._is_regular else memoryview(data)[: select.PIPE_BUF]
                return super().write(piece) or 0
        return len(data)


@dataclass(frozen=True, slots=True)
class Target:
    """The output.

    Attributes:
        name: as it was given.
        kind: "file", "folder" (one file a part) or "stream" (standard output, pipe, device).
        final: the file or folder itself, links followed; of a stream the name as it was given.
        given_rejects: the rejects' file, if another one than usual is wanted.
    """

    name: str
    kind: Literal["file", "folder", "stream"]
    final: Path
    given_rejects: str | None = None

    @classmethod
    def at(cls, name: str, rejects: str | None = None) -> "Target":
        """Tell which kind a path is: a folder exists as one, or ends in "/".

        Raises:
            InputError: it is a URL, the folder in which it lies does not exist, or it is a
                folder and the rejects are wanted elsewhere.
        """
        if not name or rejects == "":
            raise InputError("the name of the output or of the rejects is empty; name a file")
        if "://" in name:
            raise InputError(f"{name} is a URL; write to a file and copy it (see docs/jobs.md)")
        # What /dev/fd/63 leads to has no name that could be resolved: the name itself is opened.
        place = Path(name)
        if name == STANDARD_STREAM or (place.exists() and not (place.is_file() or place.is_dir())):
            if name == STANDARD_STREAM and sys.stdout is None:
                raise InputError("standard output is closed; name a file")
            return cls(name, "stream", place, rejects)
        final = Path(os.path.realpath(name))
        if not final.parent.is_dir():
            raise InputError(f"{name}: the folder {final.parent} does not exist; create it first")
        if final.is_dir() or name.endswith(os.sep):
            if rejects is not None:
                raise InputError("a folder of parts holds its own rejects; leave --rejects out")
            return cls(name, "folder", final)
        return cls(name, "file", final, rejects)

    @property
    def rejects(self) -> Path:
        """The file of rejected rows, where the output is a file."""
        if self.given_rejects is not None:
            return Path(os.path.realpath(self.given_rejects))
        return self.final.with_name(self.final.name + _REJECTS_SUFFIX)

    @property
    def rejects_name(self) -> str:
        """The rejects' place, for people."""
        if self.kind == "folder":
            return f"{self.name.rstrip(os.sep)}/_rejects-*.jsonl"
        return self.given_rejects or f"{self.name}{_REJECTS_SUFFIX}"

    def check_inputs(self, inputs: list[str], sources: list[Source]) -> None:
        """Raise InputError if the output is an input, or would be the next time."""
        self._check_rejects(sources)
        if self.kind == "stream":
            self._check_stream(sources)
            return
        for source in sources:
            if source.path == STANDARD_STREAM:
                continue
            real = Path(os.path.realpath(source.path))
            if real == self.final or (self.kind == "folder" and self.final in real.parents):
                raise InputError(f"{self.name} is the input itself; write to another file")
            if self.work_folder in real.parents:
                raise InputError(
                    f"{source.path} lies in {self.work_folder}, where the job for {self.name} "
                    f"keeps its parts; name inputs or an output elsewhere"
                )
        for name in inputs:
            folder = Path(os.path.realpath(name))
            if folder.is_dir() and (folder == self.final or folder in self.final.parents):
                raise InputError(
                    f"{self.name} lies in the input folder {name} and would be read the next "
                    f"time; write somewhere else"
                )

    def _check_rejects(self, sources: list[Source]) -> None:
        """Raise InputError if the rejects would replace an input or the output, or cannot be."""
        if self.kind == "folder" or (self.kind == "stream" and self.given_rejects is None):
            return
        rejects = self.rejects
        if rejects == self.final:
            raise InputError(f"{self.given_rejects} is the output itself; name another --rejects")
        if any(Path(os.path.realpath(source.path)) == rejects for source in sources):
            raise InputError(
                f"{rejects} is an input, and rejected rows would replace it; "
                f"name another file (--rejects)"
            )
        if not rejects.parent.is_dir():
            raise InputError(f"{self.rejects_name}: the folder {rejects.parent} does not exist")
        if rejects.is_dir():
            raise InputError(f"{self.rejects_name} is a folder; name a file for the rejects")
        with contextlib.suppress(FileNotFoundError):
            durable.temporary_path(rejects).stat()  # too long a name fails now, not at the end

    def _check_stream(self, sources: list[Source]) -> None:
        """Raise InputError if standard output is redirected to an input: it would never end."""
        if self.name != STANDARD_STREAM:
            return
        try:
            output = os.fstat(sys.stdout.fileno())
        except (OSError, ValueError):  # not a file of the system's
            return
        for source in sources:
            if source.fingerprint is not None and os.path.samestat(
                Path(source.path).stat(), output
            ):
                raise InputError(f"{source.path} is the output itself; write to another file")

    @property
    def work_folder(self) -> Path:
        """The folder of parts and journal."""
        if self.kind == "folder":
            return self.final
        return self.final.with_name(self.final.name + PARTS_SUFFIX)

    def check_free(self, overwrite: bool) -> None:
        """Raise InputError if the output is a file that stands there and is not to be replaced.

        Beside the file of an interrupted job stands its journal; that one may go on.
        """
        if self.kind != "file" or overwrite or (self.work_folder / JOURNAL).exists():
            return
        if self.final.exists():
            raise InputError(f"{self.name} exists; replace it with --overwrite")
        if self.given_rejects is not None and self.rejects.exists():
            raise InputError(f"{self.given_rejects} exists; replace it with --overwrite")

    @contextmanager
    def stream(self, dropped: Stop) -> Iterator[BinaryIO]:
        """Open a pipe, a device or standard output, which cannot be renamed into place.

        Its reader may be slow: it is waited for until `dropped` is set.
        """
        is_standard = self.name == STANDARD_STREAM
        place = sys.stdout.fileno() if is_standard else str(self.final)
        with io.BufferedWriter(_Pipe(place, dropped, closefd=not is_standard), _PIPE_BYTES) as pipe:
            yield pipe

    @contextmanager
    def rejects_stream(self, wanted: bool) -> Iterator[BinaryIO]:
        """Open the rejects' file of a stream.

        Raises:
            InputError: rejects are wanted, but there is no place for them.
        """
        if not wanted:
            yield io.BytesIO()
            return
        if self.given_rejects is None:
            raise InputError(
                "rejected rows need a file when the output is a stream: --rejects FILE"
            )
        with Path(self.given_rejects).open("wb") as stream:
            yield stream
