"""Write predictions as lines, TSV, CSV, JSON lines or one .npy array, as they come.

    classifier  lines   the label
                tsv     label and every probability; the first line names the columns
                csv     the same
                jsonl   {"label": "pos", "probabilities": {"neg": 0.25, "pos": 0.75}}
                npy     float32 [rows, labels]
    embedding   jsonl   {"embedding": [0.125, -0.5]}
                npy     float32 [rows, width]

Numbers have nine significant digits, from which the float32 is read back exactly.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np

from bertfast.errors import BundleError, InputError
from bertfast.runtime.loaded import SEQUENCE_OUTPUT, FloatArray, Values

_CLASSIFIER_OUTPUTS = ("probabilities", "logits")
# A .npy header of fixed size, so that the number of rows can be filled in at the end.
_NPY_HEADER_SIZE = 128


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is being written.

    Attributes:
        output: the graph output.
        width: its last dimension.
        labels: the names of a classifier's columns, or None.
        source: the model's name, for messages.
    """

    output: str
    width: int
    labels: tuple[str, ...] | None
    source: str

    @property
    def is_classifier(self) -> bool:
        """Whether each column is a label's score."""
        return self.output in _CLASSIFIER_OUTPUTS

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels; their numbers where the model has no names for them."""
        return self.labels or tuple(str(number) for number in range(self.width))


class Writer(Protocol):
    """Writes windows of predictions in row order."""

    def write(self, values: Values) -> None:
        """Append rows."""

    def finish(self) -> None:
        """Complete the output; the stream stays open."""


def open_writer(stream: BinaryIO, file_format: str, prediction: Prediction) -> Writer:
    """Return the writer of a format, and write what stands before the first row.

    Raises:
        InputError: the format cannot hold such predictions.
    """
    if file_format == "npy":
        return NpyWriter(stream, prediction)
    if file_format == "jsonl":
        if prediction.is_classifier:
            return JsonLabelWriter(stream, prediction)
        return JsonEmbeddingWriter(stream, prediction)
    if not prediction.is_classifier:
        raise InputError(
            f"{prediction.output} cannot be written as {file_format}; use jsonl or npy"
        )
    if file_format == "lines":
        return LabelWriter(stream, prediction)
    return TableWriter(stream, prediction, delimiter="\t" if file_format == "tsv" else ",")


class LabelWriter:
    """One label a line."""

    def __init__(self, stream: BinaryIO, prediction: Prediction) -> None:
        """Refuse labels that hold a line end."""
        self._stream = stream
        self._prediction = prediction
        _check_labels(prediction, "\r\n", "lines")

    def write(self, values: Values) -> None:
        """Append rows."""
        scores = _finite(values, self._prediction)
        labels = self._prediction.label_names
        lines = [f"{labels[best]}\n" for best in scores.argmax(axis=1)]
        self._stream.write("".join(lines).encode())

    def finish(self) -> None:
        """Nothing is left to write."""


class TableWriter:
    """A header, then the label and all scores of each row. CSV quotes; TSV never does."""

    def __init__(self, stream: BinaryIO, prediction: Prediction, delimiter: str) -> None:
        """Write the header; refuse labels that a TSV cannot hold."""
        self._stream = stream
        self._prediction = prediction
        self._delimiter = delimiter
        if delimiter == "\t":
            _check_labels(prediction, "\t\r\n", "tsv")
        self._labels = [self._quoted(label) for label in prediction.label_names]
        self._stream.write(f"{delimiter.join(['label', *self._labels])}\n".encode())

    def write(self, values: Values) -> None:
        """Append rows."""
        scores = _finite(values, self._prediction)
        row = self._delimiter.join(["%s", *["%.9g"] * scores.shape[1]]) + "\n"
        best = scores.argmax(axis=1).tolist()
        lines = [
            row % (self._labels[place], *numbers)
            for place, numbers in zip(best, scores.tolist(), strict=True)
        ]
        self._stream.write("".join(lines).encode())

    def finish(self) -> None:
        """Nothing is left to write."""

    def _quoted(self, label: str) -> str:
        if self._delimiter == "\t" or not any(character in label for character in ',"\r\n'):
            return label
        return '"' + label.replace('"', '""') + '"'


class JsonLabelWriter:
    """One object a line: the best label, and the score of every label."""

    def __init__(self, stream: BinaryIO, prediction: Prediction) -> None:
        """Prepare the constant parts of a line."""
        self._stream = stream
        self._prediction = prediction
        self._labels = [_json_string(label) for label in prediction.label_names]
        scores = ", ".join(f"{label.replace('%', '%%')}: %.9g" for label in self._labels)
        self._row = f'{{"label": %s, "{prediction.output}": {{{scores}}}}}\n'

    def write(self, values: Values) -> None:
        """Append rows."""
        scores = _finite(values, self._prediction)
        best = scores.argmax(axis=1).tolist()
        lines = [
            self._row % (self._labels[place], *numbers)
            for place, numbers in zip(best, scores.tolist(), strict=True)
        ]
        self._stream.write("".join(lines).encode())

    def finish(self) -> None:
        """Nothing is left to write."""


class JsonEmbeddingWriter:
    """One object a line: a vector, or for sequence_output a vector a token."""

    def __init__(self, stream: BinaryIO, prediction: Prediction) -> None:
        """Prepare the vector's format."""
        self._stream = stream
        self._prediction = prediction
        self._vector = "[" + ", ".join(["%.9g"] * prediction.width) + "]"

    def write(self, values: Values) -> None:
        """Append rows."""
        for row in values:
            _finite(row, self._prediction)
            vectors = [self._vector % tuple(vector) for vector in np.atleast_2d(row).tolist()]
            body = vectors[0] if row.ndim == 1 else f"[{', '.join(vectors)}]"
            self._stream.write(f'{{"embedding": {body}}}\n'.encode())

    def finish(self) -> None:
        """Nothing is left to write."""


class NpyWriter:
    """One float32 array [rows, width] in numpy's format; the header is completed at the end."""

    def __init__(self, stream: BinaryIO, prediction: Prediction) -> None:
        """Leave room for the header; refuse streams that cannot go back to it."""
        if prediction.output == SEQUENCE_OUTPUT:
            raise InputError(f"{SEQUENCE_OUTPUT} has rows of different length; use jsonl")
        if not stream.seekable():
            raise InputError("npy cannot be written to a pipe; name a file, or use jsonl")
        self._stream = stream
        self._width = prediction.width
        self._rows = 0
        stream.write(npy_header(0, self._width))

    def write(self, values: Values) -> None:
        """Append rows."""
        self._rows += len(values)
        self._stream.write(np.ascontiguousarray(values, "<f4").tobytes())

    def finish(self) -> None:
        """Write the header with the number of rows."""
        self._stream.seek(0)
        self._stream.write(npy_header(self._rows, self._width))
        self._stream.seek(0, io.SEEK_END)


def npy_header(n_rows: int, width: int) -> bytes:
    """Return the header of a .npy file of float32 [n_rows, width]; always 128 bytes.

    Source: numpy.lib.format, version 1.0.
    """
    shape = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {width}), }}"
    magic = b"\x93NUMPY\x01\x00"
    size = _NPY_HEADER_SIZE - len(magic) - 2
    return magic + size.to_bytes(2, "little") + shape.encode().ljust(size - 1) + b"\n"


def _check_labels(prediction: Prediction, forbidden: str, file_format: str) -> None:
    for label in prediction.label_names:
        if any(character in label for character in forbidden):
            raise InputError(f"label {label!r} cannot be written as {file_format}; use jsonl")


def _finite(values: Values | Sequence[FloatArray], prediction: Prediction) -> FloatArray:
    array = np.asarray(values, np.float32)
    if not np.isfinite(array).all():
        raise BundleError(
            f"{prediction.source}: the model gave {prediction.output} that are not finite "
            f"(NaN or infinity); its weights may be damaged"
        )
    return array


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
