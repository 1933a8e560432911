import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bertfast.errors import BundleError, InputError
from bertfast.jobs.fields import Prediction
from bertfast.jobs.formats import OutputFormat
from bertfast.jobs.layout import Layout
from bertfast.jobs.writers import npy_header
from bertfast.runtime.loaded import FloatArray, Values

LABELS = ("neg", "pos")
CLASSIFIER = Prediction("probabilities", 2, LABELS, "my_model")
EMBEDDING = Prediction("pooled_output", 3, None, "my_model")
SEQUENCE = Prediction("sequence_output", 2, None, "my_model")
SCORES = np.array([[0.25, 0.75], [0.9, 0.1], [0.5, 0.5]], np.float32)

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def written(file_format: str, prediction: Prediction, *windows: Values) -> bytes:
    stream = io.BytesIO()
    write(stream, file_format, prediction, *windows)
    return stream.getvalue()


def write(stream: io.BytesIO, file_format: str, prediction: Prediction, *windows: Values) -> None:
    layout = Layout(OutputFormat(file_format, "none"), prediction, (), None)
    layout.check()
    with layout.writer(stream, with_header=True) as writer:
        for window in windows:
            writer.write(window, [])


def test_lines_hold_the_best_label_and_the_first_on_a_tie() -> None:
    assert written("lines", CLASSIFIER, SCORES[:2], SCORES[2:]) == b"pos\nneg\nneg\n"


def test_tsv_has_a_header_the_label_and_every_probability() -> None:
    assert written("tsv", CLASSIFIER, SCORES) == (
        b"label\tneg\tpos\npos\t0.25\t0.75\nneg\t0.899999976\t0.100000001\nneg\t0.5\t0.5\n"
    )


def test_csv_labels_are_quoted_where_needed() -> None:
    labels = ('a,"b"', "c\nd", "", "100%")
    prediction = Prediction("probabilities", 4, labels, "my_model")
    data = written("csv", prediction, np.eye(4, dtype=np.float32))
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    assert rows[0] == ["label", *labels]
    assert [row[0] for row in rows[1:]] == list(labels)


def test_jsonl_labels_and_scores_are_read_back() -> None:
    labels = ('a"b\\', "100% é")
    prediction = Prediction("logits", 2, labels, "my_model")
    lines = written("jsonl", prediction, SCORES[:1]).decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"label": labels[1], "logits": {labels[0]: 0.25, labels[1]: 0.75}}
    ]


def test_classifier_without_labels_numbers_them() -> None:
    prediction = Prediction("logits", 2, None, "my_model")
    assert written("lines", prediction, SCORES) == b"1\n0\n0\n"


@given(arrays(np.float32, st.tuples(st.integers(0, 5), st.just(3)), elements=finite))
def test_every_format_gives_the_float32_back_exactly(values: FloatArray) -> None:
    embeddings = written("jsonl", EMBEDDING, values).decode().splitlines()
    rows = [json.loads(line)["embedding"] for line in embeddings]
    assert np.array_equal(np.array(rows, np.float32).reshape(-1, 3), values)
    prediction = Prediction("logits", 3, ("a", "b", "c"), "my_model")
    table = written("tsv", prediction, values).decode().splitlines()[1:]
    numbers = np.array([row.split("\t")[1:] for row in table], np.float32).reshape(-1, 3)
    assert np.array_equal(numbers, values)
    assert np.array_equal(np.load(io.BytesIO(written("npy", EMBEDDING, values))), values)


def test_jsonl_sequence_output_has_a_vector_a_token() -> None:
    rows = [np.array([[1, 2], [3, 4]], np.float32), np.array([[5, 6]], np.float32)]
    assert written("jsonl", SEQUENCE, rows) == (
        b'{"embedding": [[1, 2], [3, 4]]}\n{"embedding": [[5, 6]]}\n'
    )


def test_npy_of_several_windows_is_one_array() -> None:
    windows = [np.full((n, 3), n, np.float32) for n in (4, 1, 7)]
    loaded = np.load(io.BytesIO(written("npy", EMBEDDING, *windows)))
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, np.concatenate(windows))


def test_npy_of_no_rows_keeps_its_width() -> None:
    assert np.load(io.BytesIO(written("npy", EMBEDDING))).shape == (0, 3)


@pytest.mark.parametrize("n_rows", [0, 1, 10**15])
def test_npy_header_has_room_for_any_number_of_rows(n_rows: int) -> None:
    header = npy_header(n_rows, 100_000)
    assert len(header) == 128
    stream = io.BytesIO(header[8:])
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    assert (shape, fortran_order, dtype) == ((n_rows, 100_000), False, np.dtype("<f4"))


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


def test_npy_to_a_pipe_raises() -> None:
    with pytest.raises(InputError, match="npy cannot be written to a pipe"):
        write(Pipe(), "npy", EMBEDDING)


@pytest.mark.parametrize("file_format", ["lines", "tsv", "csv"])
@pytest.mark.parametrize("prediction", [EMBEDDING, SEQUENCE])
def test_embeddings_as_a_table_raise(file_format: str, prediction: Prediction) -> None:
    with pytest.raises(
        InputError, match=f"cannot be written as {file_format}; use jsonl, parquet or npy"
    ):
        write(io.BytesIO(), file_format, prediction)


def test_npy_of_sequence_output_raises() -> None:
    with pytest.raises(InputError, match="rows of different length; use jsonl"):
        write(io.BytesIO(), "npy", SEQUENCE)


@pytest.mark.parametrize(("file_format", "label"), [("tsv", "a\tb"), ("lines", "a\nb")])
def test_label_that_breaks_the_format_raises(file_format: str, label: str) -> None:
    prediction = Prediction("logits", 2, (label, "c"), "my_model")
    with pytest.raises(InputError, match=f"cannot be written as {file_format}; use jsonl"):
        write(io.BytesIO(), file_format, prediction)


@pytest.mark.parametrize("file_format", ["lines", "tsv", "csv", "jsonl"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_raise(file_format: str, bad: float) -> None:
    with pytest.raises(BundleError, match="my_model: the model gave probabilities that are not"):
        written(file_format, CLASSIFIER, np.array([[bad, 0]], np.float32))
    with pytest.raises(BundleError, match="not finite"):
        written("jsonl", EMBEDDING, np.array([[0, 0, bad]], np.float32))
