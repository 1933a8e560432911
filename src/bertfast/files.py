"""Files: read as memory, and looked at before they are written."""

import errno
import mmap
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from bertfast.errors import InputError


def map_file(path: str | PathLike[str]) -> mmap.mmap | bytes:
    """Return the bytes of a file as a read-only buffer; the system reads them as needed.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            if not file.seek(0, 2):
                return b""  # an empty file cannot be mapped
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error


def read_limited(path: str | PathLike[str], max_bytes: int) -> bytes:
    """Return the bytes of a file that is small if it is what it should be.

    Raises:
        OSError: the file cannot be read or has more than `max_bytes`; `strerror` says which.
    """
    with Path(path).open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes} bytes", str(path))
    return content


def check_outputs(paths: Sequence[str]) -> None:
    """Check that files can be written, before they are computed; remote ones are not looked at.

    Raises:
        InputError: no path, one given twice, a folder, or a folder that is missing or closed.
    """
    if not paths or not all(paths):
        raise InputError("no file to write is given")
    if len(set(paths)) < len(paths):
        raise InputError("a file to write is given twice")
    for path in paths:
        if is_remote(path):
            continue
        folder = Path(path).resolve().parent
        if Path(path).is_dir():
            raise InputError(f"{path} is a folder; name a file to write")
        if not folder.is_dir():
            raise InputError(f"{path}: the folder {folder} does not exist; create it first")
        if not os.access(folder, os.W_OK):
            raise InputError(f"{path}: the folder {folder} is not writable")


def is_remote(path: str) -> bool:
    """Tell whether a path is one of TensorFlow's file systems, such as gs://bucket/name."""
    return "://" in path
