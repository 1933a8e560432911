"""An output file that appears only when it is complete."""

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bertfast.errors import InputError
from bertfast.jobs.formats import STANDARD_STREAM


@contextmanager
def output_stream(path: str) -> Iterator[BinaryIO]:
    """Open an output for writing; "-" is standard output.

    A regular file is written beside its final place and renamed over it when the block ends
    well; a failed block leaves nothing behind and an older file untouched. A pipe or a device
    is written directly.

    Raises:
        InputError: the path is a directory, or its folder does not exist.
    """
    if path == STANDARD_STREAM:
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            yield stream
        return
    final = Path(path).resolve()
    if final.is_dir():
        raise InputError(f"{path} is a folder; name a file to write")
    if not final.parent.is_dir():
        raise InputError(f"{path}: the folder {final.parent} does not exist; create it first")
    if final.exists() and not final.is_file():
        with final.open("wb") as stream:
            yield stream
        return
    with _renamed_when_complete(final) as stream:
        yield stream


@contextmanager
def _renamed_when_complete(final: Path) -> Iterator[BinaryIO]:
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(final)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
