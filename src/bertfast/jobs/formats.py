"""File formats and compressions: their names, and what a path's extension stands for."""

from dataclasses import dataclass
from pathlib import PurePath

from bertfast.errors import InputError

INPUT_FORMATS = ("lines", "tsv", "csv", "jsonl", "parquet")
OUTPUT_FORMATS = ("lines", "tsv", "csv", "jsonl", "parquet", "npy")
COMPRESSIONS = ("none", "gzip", "zstd")
STANDARD_STREAM = "-"

_EXTENSIONS = {
    ".txt": "lines",
    ".text": "lines",
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".npy": "npy",
}
_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
# Formats with an index inside: compressing the whole file would hide it.
_NEVER_COMPRESSED = ("parquet", "npy")


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How predictions are written: a format and a compression ("none", "gzip" or "zstd")."""

    name: str
    compression: str

    @property
    def extension(self) -> str:
        """The extension of a part's file, such as ".jsonl.gz"."""
        own = {name: extension for extension, name in reversed(_EXTENSIONS.items())}[self.name]
        packed = {name: extension for extension, name in _COMPRESSED.items()}
        return own + packed.get(self.compression, "")


def input_format(path: str, given: str | None) -> str:
    """Return the format of an input: the given one, or that of the extension.

    ".gz" and ".zst" are looked through. Standard input is plain lines unless a format is given.

    Raises:
        InputError: neither says which format it is.

    >>> input_format("reviews.tsv.gz", None), input_format("-", None), input_format("a", "csv")
    ('tsv', 'lines', 'csv')
    """
    default = "lines" if path == STANDARD_STREAM else None
    return _choose(path, given, default, INPUT_FORMATS, "--format")


def output_format(
    path: str, given: str | None, compression: str | None = None, *, is_folder: bool = False
) -> OutputFormat:
    """Return how an output is written: as given, or as the extension says.

    Standard output and folders are JSON lines unless a format is given.

    Raises:
        InputError: neither says which format it is, or the format cannot be compressed.

    >>> output_format("a.jsonl.zst", None).extension
    '.jsonl.zst'
    """
    default = "jsonl" if is_folder or path == STANDARD_STREAM else None
    name = _choose("" if is_folder else path, given, default, OUTPUT_FORMATS, "--output-format")
    if compression is None:
        compression = "none" if is_folder else compression_of(path)
    elif compression not in COMPRESSIONS:
        raise InputError(
            f"unknown compression {compression!r}; use one of {', '.join(COMPRESSIONS)}"
        )
    if compression != "none" and name in _NEVER_COMPRESSED:
        raise InputError(f"{name} cannot be compressed with {compression}; leave the extension out")
    return OutputFormat(name, compression)


def compression_of(path: str) -> str:
    """Return the compression that a path's extension stands for.

    >>> compression_of("a.tsv.gz"), compression_of("a.tsv")
    ('gzip', 'none')
    """
    return _COMPRESSED.get(PurePath(path).suffix.lower(), "none")


def is_known(path: str) -> bool:
    """Return whether the extension names an input format."""
    return _EXTENSIONS.get(_extension(path)) in INPUT_FORMATS


def _extension(path: str) -> str:
    pure = PurePath(path)
    return (pure.with_suffix("") if pure.suffix.lower() in _COMPRESSED else pure).suffix.lower()


def _choose(
    path: str, given: str | None, default: str | None, formats: tuple[str, ...], option: str
) -> str:
    if given is not None:
        if given not in formats:
            raise InputError(f"unknown format {given!r}; use one of {', '.join(formats)}")
        return given
    extension = _extension(path)
    found = _EXTENSIONS.get(extension, default)
    if found not in formats:
        raise InputError(
            f"{path}: no format is known for the extension {extension!r}; "
            f"choose one of {', '.join(formats)} ({option})"
        )
    return found
