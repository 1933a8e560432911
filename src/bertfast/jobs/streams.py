"""Open inputs and outputs, compressed or not."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from bertfast.errors import InputError, MissingDependencyError
from bertfast.jobs.formats import STANDARD_STREAM, compression_of

STANDARD_INPUT_NAME = "<stdin>"

_STANDARD_INPUT = 0
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_DISCARD_BYTES = 1 << 20


def import_pyarrow(purpose: str) -> Any:
    """Import pyarrow, which Parquet and zstd need.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return import_module("pyarrow")
    except ImportError as error:
        raise MissingDependencyError(
            f"{purpose} needs pyarrow: pip install 'bertfast[jobs]'"
        ) from error


def import_parquet() -> Any:
    """Import pyarrow's Parquet module.

    Raises:
        MissingDependencyError: it is not installed.
    """
    import_pyarrow("Parquet")
    return import_module("pyarrow.parquet")


class InputStream(io.RawIOBase):
    """The decompressed bytes of a file; damage becomes an InputError that names the file.

    Source of the compressions: RFC 1952 (gzip, several members allowed), RFC 8878 (zstd).
    """

    def __init__(self, file: io.BufferedReader, source: str, expected: str) -> None:
        """Look at the first bytes, which tell the compression better than the name.

        Raises:
            InputError: the name says that it is compressed, but it is not.
        """
        super().__init__()
        self._file = file
        self._source = source
        magic = file.peek(4)[:4]
        if magic[:2] == _GZIP_MAGIC:
            self._bytes: IO[bytes] = cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))
        elif magic == _ZSTD_MAGIC:
            self._bytes = import_pyarrow("zstd").CompressedInputStream(file, "zstd")
        elif magic and expected != "none":
            raise InputError(f"{source} is not {expected} data, as its name says")
        else:
            self._bytes = file
        self._compressed = self._bytes is not file

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; 0 at the end."""
        try:
            data = self._bytes.read(len(buffer))
        except (EOFError, zlib.error) as error:
            raise InputError(f"{self._source} is damaged or cut off: {error}") from None
        except OSError as error:
            if not self._compressed or error.errno is not None:
                error.filename = error.filename or self._source
                raise
            raise InputError(f"{self._source} is damaged or cut off: {error}") from None
        buffer[: len(data)] = data
        return len(data)

    def skip(self, n_bytes: int) -> int:
        """Pass over bytes and return how many there were; quick where the file is plain."""
        if not self._compressed and self._file.seekable():
            at = self._file.tell()
            size = os.fstat(self._file.fileno()).st_size
            return self._file.seek(min(at + n_bytes, max(size, at))) - at
        left = n_bytes
        while left and (data := self.read(min(left, _DISCARD_BYTES))):
            left -= len(data)
        return n_bytes - left

    def fraction(self, offset: int) -> float:
        """Return how much of the file the first `offset` bytes are, from 0 to 1; 0 for a pipe.

        Of a compressed file: how much has been read, which is a buffer ahead.
        """
        if not self._file.seekable():
            return 0.0
        size = os.fstat(self._file.fileno()).st_size
        return min((self._file.tell() if self._compressed else offset) / max(size, 1), 1.0)


@contextmanager
def input_stream(path: str) -> Iterator[InputStream]:
    """Open an input for reading; "-" is standard input.

    Raises:
        InputError: the file is named as compressed and is not.
        OSError: it cannot be opened.
    """
    is_standard = path == STANDARD_STREAM
    name = STANDARD_INPUT_NAME if is_standard else path
    with (
        open(_STANDARD_INPUT, "rb", closefd=False) if is_standard else Path(path).open("rb")
    ) as file:
        yield InputStream(file, name, compression_of(path))


@contextmanager
def compressed(stream: BinaryIO, compression: str) -> Iterator[BinaryIO]:
    """Yield a stream whose bytes go into `stream` compressed; ends it, but leaves it open.

    Equal bytes give equal files: gzip's header carries neither name nor time.
    """
    with ExitStack() as stack:
        if compression == "gzip":
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0)
            yield cast("BinaryIO", stack.enter_context(packed))
        elif compression == "zstd":
            sink = _LeftOpen(stream)
            pa = import_pyarrow("zstd")
            yield stack.enter_context(pa.CompressedOutputStream(sink, "zstd"))
        else:
            yield stream


class _LeftOpen(io.RawIOBase):
    """Passes writes on and keeps `close` to itself: Arrow closes what it writes to."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._stream.write(data)
