"""Write predictions as lines, TSV, CSV, JSON lines or one .npy array, as they come.

    classifier  lines   the label
                tsv     label and every probability; the first line names the columns
                csv     the same
                jsonl   {"label": "pos", "probabilities": {"neg": 0.25, "pos": 0.75}}
                npy     float32 [rows, labels]
    embedding   jsonl   {"embedding": [0.125, -0.5]}
                npy     float32 [rows, width]

Kept columns come first. Numbers have nine significant digits, from which the float32 is read
back exactly. Parquet is in `parquet_writer`.
"""

import json
from collections.abc import Sequence
from typing import BinaryIO, Protocol

import numpy as np

from bertfast.errors import InputError
from bertfast.jobs.cells import Cells, csv_cell
from bertfast.jobs.fields import Prediction
from bertfast.runtime.loaded import SEQUENCE_OUTPUT, FloatArray, Values

# A .npy header of fixed size, so that the number of rows can be filled in at the end.
NPY_HEADER_SIZE = 128
_SCORES = ("probabilities", "logits")


class Writer(Protocol):
    """Writes windows of predictions in row order."""

    def write(self, values: Values, kept: Sequence[Cells]) -> None:
        """Append rows; `kept` has what `cell_formatter` made of each, or nothing at all."""

    def finish(self) -> None:
        """Complete the output; the stream stays open."""


def header_of(file_format: str, prediction: Prediction, kept_names: Sequence[str]) -> bytes:
    """Return what stands before the first row of a text format.

    Raises:
        InputError: the format cannot hold such predictions or names.
    """
    check_names(file_format, prediction, kept_names)
    if file_format not in ("tsv", "csv"):
        return b""
    names = list(kept_names)
    for field, name in zip(prediction.fields, prediction.names, strict=True):
        scores = [prediction.prefix + label for label in prediction.label_names]
        names += scores if field in _SCORES else [name]
    cells = [csv_cell(name) for name in names] if file_format == "csv" else names
    return ("\t" if file_format == "tsv" else ",").join(cells).encode() + b"\n"


def check_names(file_format: str, prediction: Prediction, kept_names: Sequence[str]) -> None:
    """Raise InputError if the format cannot hold such predictions, labels or names."""
    _check_text((*kept_names, *prediction.names, *prediction.label_names))
    taken = {*prediction.names, *_score_columns(file_format, prediction)}
    for name in kept_names:
        if name in taken:
            raise InputError(
                f"the kept column {name!r} has the name of a predicted one; "
                f"give those a prefix (--prefix)"
            )
    if file_format == "npy":
        _check_npy(prediction)
    if file_format in ("lines", "tsv", "csv") and not prediction.is_classifier:
        raise InputError(
            f"{prediction.output} cannot be written as {file_format}; use jsonl, parquet or npy"
        )
    if file_format == "lines" and len(prediction.fields) > 1 and prediction.fields[0] != "label":
        raise InputError("lines hold one field a row; use tsv, csv, jsonl or parquet for more")
    forbidden = {"lines": "\r\n", "tsv": "\t\r\n"}.get(file_format, "")
    columns = prediction.names if file_format == "tsv" else ()
    for name in (*prediction.label_names, *kept_names, *columns):
        if any(character in name for character in forbidden):
            raise InputError(f"the name {name!r} cannot be written as {file_format}; use jsonl")


def _check_text(names: Sequence[str]) -> None:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(f"the name {name!r} is not Unicode text, so not to write") from None


def _score_columns(file_format: str, prediction: Prediction) -> list[str]:
    """Return the names of the columns that a table has for each label."""
    if file_format not in ("tsv", "csv") or not set(_SCORES) & set(prediction.fields):
        return []
    return [prediction.prefix + label for label in prediction.label_names]


def open_writer(stream: BinaryIO, file_format: str, prediction: Prediction) -> Writer:
    """Return the writer of a text format or of .npy rows; the header is not its business."""
    if file_format == "npy":
        return NpyWriter(stream, prediction)
    if file_format == "jsonl" and not prediction.is_classifier:
        return JsonEmbeddingWriter(stream, prediction)
    return ClassifierWriter(stream, file_format, prediction)


class ClassifierWriter:
    """One line a row, filled into one pattern: kept columns, then the fields in their order."""

    def __init__(self, stream: BinaryIO, file_format: str, prediction: Prediction) -> None:
        """Prepare the pattern, such as "%s%s,%.9g,%.9g" and a line end."""
        self._stream = stream
        self._prediction = prediction
        self._labels = [_label(name, file_format) for name in prediction.label_names]
        if file_format == "lines":
            self._fields: tuple[str, ...] = prediction.fields[:1]
            self._pattern = "%s%s\n" if self._fields == ("label",) else "%s%.9g\n"
        else:
            self._fields = prediction.fields
            self._pattern = _pattern(file_format, prediction)

    def write(self, values: Values, kept: Sequence[Cells] = ()) -> None:
        """Append rows."""
        if not len(values):
            return
        scores = self._prediction.scores(values)
        columns: list[Sequence[object]] = [kept or [""] * len(scores)]
        for field in self._fields:
            columns += self._columns(field, scores)
        lines = map(self._pattern.__mod__, zip(*columns, strict=True))
        self._stream.write("".join(lines).encode())

    def finish(self) -> None:
        """Nothing is left to write."""

    def _columns(self, field: str, scores: FloatArray) -> list[list[object]]:
        if field == "label":
            return [[self._labels[best] for best in scores.argmax(axis=1).tolist()]]
        if field == "probability":
            return [scores.max(axis=1).tolist()]
        return [column.tolist() for column in scores.T]


class JsonEmbeddingWriter:
    """One object a line: a vector, or for sequence_output a vector a token."""

    def __init__(self, stream: BinaryIO, prediction: Prediction) -> None:
        """Prepare the vector's format."""
        self._stream = stream
        self._prediction = prediction
        self._key = json.dumps(prediction.names[0], ensure_ascii=False)
        self._vector = "[" + ", ".join(["%.9g"] * prediction.width) + "]"

    def write(self, values: Values, kept: Sequence[Cells] = ()) -> None:
        """Append rows."""
        for number, row in enumerate(values):
            self._prediction.scores(row)
            vectors = [self._vector % tuple(vector) for vector in np.atleast_2d(row).tolist()]
            body = vectors[0] if row.ndim == 1 else f"[{', '.join(vectors)}]"
            before = kept[number] if kept else ""
            self._stream.write(f"{{{before}{self._key}: {body}}}\n".encode())

    def finish(self) -> None:
        """Nothing is left to write."""


class NpyWriter:
    """The rows of a float32 array [rows, width], as they lie in a .npy file."""

    def __init__(self, stream: BinaryIO, prediction: Prediction) -> None:
        """Write to `stream`."""
        self._stream = stream

    def write(self, values: Values, kept: Sequence[Cells] = ()) -> None:
        """Append rows."""
        self._stream.write(np.ascontiguousarray(values, "<f4").tobytes())

    def finish(self) -> None:
        """Nothing is left to write."""


def npy_header(n_rows: int, width: int) -> bytes:
    """Return the header of a .npy file of float32 [n_rows, width]; always 128 bytes.

    Source: numpy.lib.format, version 1.0.
    """
    shape = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {width}), }}"
    magic = b"\x93NUMPY\x01\x00"
    size = NPY_HEADER_SIZE - len(magic) - 2
    return magic + size.to_bytes(2, "little") + shape.encode().ljust(size - 1) + b"\n"


def _check_npy(prediction: Prediction) -> None:
    if prediction.output == SEQUENCE_OUTPUT:
        raise InputError(f"{SEQUENCE_OUTPUT} has rows of different length; use jsonl or parquet")
    if prediction.is_classifier and prediction.fields not in (
        (prediction.output,), ("label", prediction.output),
    ):  # fmt: skip
        raise InputError(f"npy holds {prediction.output} alone; use tsv, csv, jsonl or parquet")


def _label(name: str, file_format: str) -> str:
    if file_format == "jsonl":
        return json.dumps(name, ensure_ascii=False)
    return csv_cell(name) if file_format == "csv" else name


def _pattern(file_format: str, prediction: Prediction) -> str:
    parts = []
    for field, name in zip(prediction.fields, prediction.names, strict=True):
        scores = ["%.9g"] * prediction.width
        if file_format == "jsonl":
            key = _escaped(json.dumps(name, ensure_ascii=False))
            labels = [json.dumps(label, ensure_ascii=False) for label in prediction.label_names]
            pairs = [f"{_escaped(label)}: %.9g" for label in labels]
            value = "{" + ", ".join(pairs) + "}" if field in _SCORES else _single(field)
            parts.append(f"{key}: {value}")
        else:
            parts += scores if field in _SCORES else [_single(field)]
    separator = {"tsv": "\t", "csv": ","}.get(file_format, ", ")
    body = "%s" + separator.join(parts)
    return f"{{{body}}}\n" if file_format == "jsonl" else f"{body}\n"


def _single(field: str) -> str:
    return "%s" if field == "label" else "%.9g"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
