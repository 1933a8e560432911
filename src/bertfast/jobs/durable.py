"""Files that appear complete or not at all, and stay after a crash of the machine.

    write .name.tmp ─► flush ─► fsync ─► rename to name ─► fsync the folder

A crash before the rename leaves the old file, or none, and a .tmp that the next run removes.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY_SUFFIX = ".tmp"


def temporary_path(path: Path) -> Path:
    """Return the hidden sibling that `path` is written as.

    >>> temporary_path(Path("out/part-00000.csv")).as_posix()
    'out/.part-00000.csv.tmp'
    """
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


def create(path: Path) -> BinaryIO:
    """Open a new file for writing."""
    return path.open("wb")


def open_to_append(path: Path) -> BinaryIO:
    """Open an existing file to write at its end."""
    return path.open("ab")


def sync(stream: BinaryIO) -> None:
    """Bring a file's bytes to the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def publish(temporary: Path, final: Path) -> None:
    """Give a synced file its name, for good."""
    temporary.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError of the block name the file: a full disk is noticed by a write, without."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block ends well.

    A failed block leaves nothing behind and an older file untouched.
    """
    temporary = temporary_path(path)
    try:
        with naming(path):
            with create(temporary) as stream:
                yield stream
                sync(stream)
            publish(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
