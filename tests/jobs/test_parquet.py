"""Parquet in and out: types that are kept, columns that cannot be read."""

from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from bertfast.errors import InputError, MissingDependencyError
from bertfast.jobs import JobOptions, predict_files
from bertfast.jobs.columns import Columns
from bertfast.jobs.parquet_reader import ParquetReader
from bertfast.jobs.records import Record, Reject
from tests.jobs.stub import StubPredictor, stub_predictor, table


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StubPredictor:
    return stub_predictor(tmp_path_factory.mktemp("parquet") / "bundle")


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def read(path: Path, columns: Columns) -> list[Record | Reject]:
    return list(ParquetReader(str(path), columns).rows())


TEXTS = ["a", "", "\u00e9 b", None, "c d", "e", "f"]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)
def test_parquet_any_column_of_text_is_read_and_null_is_rejected(tmp_path: Path, kind: Any) -> None:
    values = pa.array(TEXTS, pa.string())
    values = values.dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    found = read(write(tmp_path / "in.parquet", n=range(7), text=values), Columns())
    assert found[3] == Reject(4, "'text' is null, expected a string")
    texts = [row.text for row in found if isinstance(row, Record)]
    assert texts == [text.encode() for text in TEXTS if text is not None]
    assert [row.line for row in found] == list(range(1, 8))


def test_parquet_only_column_of_text_needs_no_name(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", n=range(2), body=["a", "b"])
    assert [row.line for row in read(path, Columns())] == [1, 2]
    two = write(tmp_path / "two.parquet", title=["a"], body=["b"])
    with pytest.raises(InputError, match="no column 'text'; it has 'title', 'body'"):
        read(two, Columns())
    assert read(two, Columns(text=1, pair="title")) == [Record(1, b"b", b"a", ())]


def test_parquet_invalid_utf8_in_strings_is_ignored(tmp_path: Path, model: StubPredictor) -> None:
    bad = pa.array([b"a\xff b"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 1, bad.buffers())
    path = write(tmp_path / "in.parquet", text=text)
    options = JobOptions(keep=("text",))
    predict_files(path, tmp_path / "out.jsonl", model, options=options)
    assert table(tmp_path / "out.jsonl")[0]["text"] == "a b"


def test_parquet_kept_columns_keep_their_types(tmp_path: Path, model: StubPredictor) -> None:
    columns = {
        "text": ["a", "b"],
        "flag": [True, None],
        "small": pa.array([1, 2], pa.int16()),
        "number": [0.5, float("nan")],
        "day": [date(2024, 2, 29), None],
        "at": pa.array([datetime(2024, 1, 2, tzinfo=timezone.utc)] * 2, pa.timestamp("us", "UTC")),
        "price": [Decimal("1.50"), None],
        "tags": [["x", "y"], []],
        "nested": [{"k": 1}, {"k": None}],
    }
    path = write(tmp_path / "in.parquet", **columns)
    keep = tuple(name for name in columns if name != "text")
    options = JobOptions(text_column="text", keep=keep)
    predict_files(path, tmp_path / "out.parquet", model, options=options)
    before, after = pq.read_table(path), pq.read_table(tmp_path / "out.parquet")
    for name in keep:
        assert after.schema.field(name).type == before.schema.field(name).type
        assert str(after[name].to_pylist()) == str(before[name].to_pylist())
    predict_files(path, tmp_path / "out.jsonl", model, options=options)
    first, second = table(tmp_path / "out.jsonl")
    assert first["at"] == "2024-01-02T00:00:00+00:00"
    assert (first["price"], first["tags"], second["number"]) == ("1.50", ["x", "y"], None)
    predict_files(path, tmp_path / "out.csv", model, options=options)
    cells = (tmp_path / "out.csv").read_text().splitlines()[1].split(",")
    assert cells[:4] == ["true", "1", "0.5", "2024-02-29"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.binary(), "binary"),
        (pa.timestamp("ns"), "timestamp\\[ns\\]"),
        (pa.time64("ns"), "time64"),
    ],
)
def test_parquet_types_that_cannot_be_kept_raise(tmp_path: Path, kind: Any, name: str) -> None:
    path = write(tmp_path / "in.parquet", text=["a"], x=pa.array([None], kind))
    with pytest.raises(InputError, match=f"column 'x' holds {name}.* cannot be kept; cast"):
        read(path, Columns(text="text", keep=("x",)))


def test_parquet_columns_that_are_wrong_raise(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", text=["a"], n=[1])
    for columns, message in (
        (Columns(text="n"), "column 'n' holds int64, expected strings"),
        (Columns(text=2), "2 columns, but column 2 is wanted"),
        (Columns(text="x"), "no column 'x'; it has 'text', 'n'"),
        (Columns(header=True), "has no header line"),
    ):
        with pytest.raises(InputError, match=message):
            read(path, columns)


def test_parquet_reader_goes_on_from_any_row(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", text=TEXTS, n=range(7))
    columns = Columns(text="text", keep=("n",))
    whole = read(path, columns)
    for stop in range(8):
        reader = ParquetReader(str(path), columns)
        reader.start_at(stop, stop)
        assert list(reader.rows()) == whole[stop:]
        assert (reader.line, reader.fraction()) == (7, 1.0)


def test_parquet_embeddings_are_a_fixed_size_list(tmp_path: Path) -> None:
    from bertfast.runtime import Predictor
    from tests.runtime.probe_model import write_probe_bundle

    path = write(tmp_path / "in.parquet", text=["a b", "c"])
    bundle = write_probe_bundle(tmp_path / "bundle")
    for output, kind in (
        ("pooled_output", pa.list_(pa.float32(), 4)),
        ("sequence_output", pa.list_(pa.list_(pa.float32(), 2))),
    ):
        predictor = Predictor(bundle, threads=1, output=output)
        predict_files(path, tmp_path / f"{output}.parquet", predictor)
        found = pq.read_table(tmp_path / f"{output}.parquet")["embedding"]
        assert found.type == kind
        for value, expected in zip(
            found.to_pylist(), predictor.predict_iter(["a b", "c"]), strict=True
        ):
            assert np.array_equal(np.array(value, np.float32), expected)


def test_parquet_without_pyarrow_names_the_command(
    tmp_path: Path, model: StubPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "in.parquet", text=["a"])

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("bertfast.jobs.streams.import_module", missing)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bertfast\[jobs\]'"):
        predict_files(path, tmp_path / "out.txt", model)
