"""How the output looks, as a whole and part by part."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bertfast.errors import InputError
from bertfast.jobs.cells import Cells
from bertfast.jobs.fields import Prediction
from bertfast.jobs.formats import OutputFormat
from bertfast.jobs.journal import PartEntry
from bertfast.jobs.parquet_writer import ParquetWriter
from bertfast.jobs.streams import compressed, import_parquet
from bertfast.jobs.writers import Writer, header_of, npy_header, open_writer
from bertfast.runtime.loaded import Values
from bertfast.runtime.stop import Stop

_COPY_BYTES = 1 << 20

# Numbers that are written at once: 50 ms as JSON, and a tenth of a second with gzip.
_SLICE_NUMBERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file of predictions is made of.

    Attributes:
        file_format: format and compression.
        prediction: the predicted fields.
        kept_names: names of the kept columns.
        kept_types: their Arrow types, or None for strings.
    """

    file_format: OutputFormat
    prediction: Prediction
    kept_names: tuple[str, ...]
    kept_types: tuple[Any, ...] | None

    def check(self) -> None:
        """Raise InputError if the format cannot hold this."""
        header_of(self.file_format.name, self.prediction, self.kept_names)

    @contextmanager
    def writer(self, stream: BinaryIO, *, with_header: bool) -> Iterator[Writer]:
        """Write predictions to a stream; complete them when the block ends.

        A part that is to be merged later has no header. A .npy file gets its header last,
        when the number of rows is known, and so must be seekable.
        """
        name = self.file_format.name
        if name == "parquet":
            parquet = ParquetWriter(stream, self.prediction, self.kept_names, self.kept_types)
            yield parquet
            parquet.finish()
            return
        if name == "npy" and with_header and not stream.seekable():
            raise InputError("npy cannot be written to a pipe; name a file, or use jsonl")
        with compressed(stream, self.file_format.compression) as packed:
            if with_header:
                packed.write(self.header(0))
            writer = open_writer(packed, name, self.prediction)
            yield writer
            writer.finish()
        if name == "npy" and with_header:
            n_bytes = stream.tell() - len(self.header(0))
            stream.seek(0)
            stream.write(self.header(n_bytes // (4 * self.prediction.width)))

    def write(self, writer: Writer, values: Values, kept: Sequence[Cells], dropped: Stop) -> None:
        """Append a window, some rows at a time, until `dropped` is set.

        Of Parquet a window is a row group; that takes no time worth mentioning.

        Raises:
            StoppedError: it was set.
        """
        n_rows = len(values)
        step = 1 if isinstance(values, list) else _SLICE_NUMBERS // self.prediction.width or 1
        if self.file_format.name == "parquet":
            step = n_rows or 1
        for start in range(0, n_rows, step):
            dropped.check()
            writer.write(values[start : start + step], kept[start : start + step])

    def header(self, n_rows: int) -> bytes:
        """Return what stands before the first row."""
        if self.file_format.name == "npy":
            return npy_header(n_rows, self.prediction.width)
        return header_of(self.file_format.name, self.prediction, self.kept_names)

    def merge(self, parts: Sequence[Path], entries: Sequence[PartEntry], stream: BinaryIO) -> None:
        """Write parts without header one behind the other, as one file.

        Raises:
            InputError: a part is not as long as it was.
        """
        for path, entry in zip(parts, entries, strict=True):
            if path.stat().st_size != entry.n_bytes:
                raise InputError(
                    f"{path} has {path.stat().st_size:,} bytes, but was written with "
                    f"{entry.n_bytes:,}; start anew with --overwrite"
                )
        if self.file_format.name == "parquet":
            _merge_parquet(parts, stream)
            return
        header = self.header(sum(entry.rows_out for entry in entries))
        if header:
            with compressed(stream, self.file_format.compression) as packed:
                packed.write(header)
        for path in parts:
            with path.open("rb") as part:
                shutil.copyfileobj(part, stream, _COPY_BYTES)


def _merge_parquet(parts: Sequence[Path], stream: BinaryIO) -> None:
    pq = import_parquet()
    schema = pq.read_schema(parts[0])
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for path in parts:
            file = pq.ParquetFile(path)
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group))
