"""Files as memory."""

import mmap
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
