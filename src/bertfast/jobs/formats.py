"""File formats: their names, and the name that a path's extension stands for."""

from pathlib import PurePath

from bertfast.errors import InputError

INPUT_FORMATS = ("lines", "tsv", "csv", "jsonl")
OUTPUT_FORMATS = ("lines", "tsv", "csv", "jsonl", "npy")
STANDARD_STREAM = "-"

_EXTENSIONS = {
    ".txt": "lines",
    ".text": "lines",
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".npy": "npy",
}


def input_format(path: str, given: str | None) -> str:
    """Return the format of an input: the given one, or that of the extension.

    Standard input is plain lines unless a format is given.

    Raises:
        InputError: neither says which format it is.

    >>> input_format("reviews.tsv", None), input_format("-", None), input_format("a", "csv")
    ('tsv', 'lines', 'csv')
    """
    default = "lines" if path == STANDARD_STREAM else None
    return _choose(path, given, default, INPUT_FORMATS, "--format")


def output_format(path: str, given: str | None) -> str:
    """Return the format of an output: the given one, or that of the extension.

    Standard output is JSON lines unless a format is given.

    Raises:
        InputError: neither says which format it is.
    """
    default = "jsonl" if path == STANDARD_STREAM else None
    return _choose(path, given, default, OUTPUT_FORMATS, "--output-format")


def _choose(
    path: str, given: str | None, default: str | None, formats: tuple[str, ...], option: str
) -> str:
    if given is not None:
        if given not in formats:
            raise InputError(f"unknown format {given!r}; use one of {', '.join(formats)}")
        return given
    extension = PurePath(path).suffix.lower()
    found = _EXTENSIONS.get(extension, default)
    if found not in formats:
        raise InputError(
            f"{path}: no format is known for the extension {extension!r}; "
            f"choose one of {', '.join(formats)} ({option})"
        )
    return found
