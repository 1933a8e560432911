"""Values, names and numbers at the edge of what a format or a machine can hold are one line."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bertfast.bundle import Bundle
from bertfast.cli.task_options import parse_column
from bertfast.errors import BertfastError, BundleError, InputError
from bertfast.jobs import JobOptions, predict_files
from bertfast.models import default_bundle_path
from bertfast.runtime import Predictor
from bertfast.runtime.memory import parse_memory

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

KEEP = JobOptions(text_column="text", keep=("k",), fields=("label",))


def _write(path: Path, values: Any) -> Path:
    pq.write_table(pa.table({"text": ["a"] * len(values), "k": values}), path)
    return path


def _invalid_strings() -> Any:
    binary = pa.array([b"\xff"], pa.binary())
    strings = pa.StringArray.from_buffers(1, *binary.buffers()[1:])
    return pa.ListArray.from_arrays([0, 1], strings)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([2**60], pa.timestamp("us")),
        pa.array([2**30], pa.date32()),
        _invalid_strings(),
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"]),
    ],
)
@pytest.mark.parametrize("extension", ["jsonl", "parquet"])
def test_parquet_value_that_python_cannot_hold_is_one_line(
    tmp_path: Path, values: Any, extension: str
) -> None:
    path = _write(tmp_path / "in.parquet", values)
    with pytest.raises(InputError, match="cannot be read, leave its column out"):
        predict_files(path, tmp_path / f"out.{extension}", options=KEEP)


@pytest.mark.parametrize("second", [pa.array([3.5]), pa.array(["x"]), pa.array([True])])
def test_kept_column_of_another_type_in_a_later_file_is_refused(
    tmp_path: Path, second: Any
) -> None:
    files = [_write(tmp_path / "1.parquet", pa.array([1])), _write(tmp_path / "2.parquet", second)]
    with pytest.raises(InputError, match=r"2\.parquet: column 'k' holds"):
        predict_files(files, tmp_path / "out.parquet", options=KEEP)
    predict_files(files, tmp_path / "out.jsonl", options=KEEP)  # which has no types


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1]), pa.array([2], pa.int8())),
        (pa.array([1]), pa.nulls(1)),
        (pa.array(["x"]), pa.array(["y"]).dictionary_encode()),
        (pa.array([1.5]), pa.array([2.5], pa.float32())),
    ],
)
def test_kept_column_that_fits_the_first_files_type_is_kept(
    tmp_path: Path, first: Any, second: Any
) -> None:
    files = [_write(tmp_path / "1.parquet", first), _write(tmp_path / "2.parquet", second)]
    predict_files(files, tmp_path / "out.parquet", options=KEEP)
    kept = pq.read_table(tmp_path / "out.parquet").column("k").to_pylist()
    assert kept == first.to_pylist() + second.to_pylist()


def test_parquet_file_whose_name_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "in.parquet", pa.array([1])).rename(tmp_path / "in\udcff.parquet")
    with pytest.raises(InputError, match="rename it"):
        predict_files(path, tmp_path / "out.jsonl", options=KEEP)


def test_kept_value_nested_too_deep_is_a_bad_row(tmp_path: Path) -> None:
    deep = "[" * 900 + "NaN" + "]" * 900
    (tmp_path / "in.jsonl").write_text(f'{{"text": "a", "k": {deep}}}\n')
    with pytest.raises(InputError, match="line 1: a kept value is nested too deep"):
        predict_files(tmp_path / "in.jsonl", tmp_path / "out.jsonl", options=KEEP)


@pytest.mark.parametrize("extension", ["tsv", "csv", "jsonl", "parquet"])
def test_names_that_are_no_text_are_refused(tmp_path: Path, extension: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a", "\\udcff": 1}\n')
    for options in (JobOptions(prefix="\udcff"), JobOptions(keep=("\udcff",))):
        with pytest.raises(InputError, match="not Unicode text"):
            predict_files(tmp_path / "in.jsonl", tmp_path / f"out.{extension}", options=options)


def test_names_that_break_or_double_a_header_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("de,text\n1,hallo\n")
    with pytest.raises(InputError, match="cannot be written as tsv"):
        options = JobOptions(text_column="text", prefix="a\tb")
        predict_files(tmp_path / "in.csv", tmp_path / "out.tsv", options=options)
    with pytest.raises(InputError, match="has the name of a predicted one"):
        options = JobOptions(text_column="text", keep=("de",))
        predict_files(tmp_path / "in.csv", tmp_path / "out.csv", options=options)


def _damaged(folder: Path, **changes: Any) -> Path:
    """Copy the embedded model, with changes to its manifest, which no sha256 covers."""
    folder.mkdir()
    for file in default_bundle_path().iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((folder / "bertfast.json").read_text())
    (folder / "bertfast.json").write_text(json.dumps(manifest | changes))
    return folder


def test_manifest_whose_labels_are_not_the_models_is_refused(tmp_path: Path) -> None:
    labels = list(Bundle.load().manifest.labels or ())
    for number, wrong in enumerate((labels[:-1], [*labels, "more"])):
        with pytest.raises(BundleError, match="labels, but its model has"):
            Predictor(_damaged(tmp_path / str(number), labels=wrong)).predict(["a"])
    with pytest.raises(BundleError, match="lone surrogate"):
        Bundle.load(_damaged(tmp_path / "surrogate", labels=["\ud800", *labels[1:]]))


def test_manifest_with_an_unknown_output_is_refused(tmp_path: Path) -> None:
    folder = _damaged(tmp_path / "model", outputs=["label"], default_output="label")
    with pytest.raises(BundleError, match="does not have the weights of 'label'"):
        Predictor(folder, engine="native").predict(["a"])


def test_numbers_beyond_the_machine_are_one_line() -> None:
    for options in ({"threads": 10**6}, {"workers": 10**30}, {"max_memory": "9" * 400}):
        with pytest.raises(BertfastError, match=r"is 1024 at most|is a number of bytes"):
            Predictor(**options)
    assert Predictor(token_budget=10**30).predict_labels(["guten Tag"]) == ["de"]
    assert parse_memory("9" * 20) == int(float("9" * 20))
    assert parse_column("9" * 5000) == "9" * 5000


def test_csv_whose_every_line_opens_a_quote_is_read_twice_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = 2_000  # each was once read together with all that follow
    n_read = 0

    def counting(given: Iterable[str], **options: Any) -> Any:
        def counted() -> Iterator[str]:
            nonlocal n_read
            for line in given:
                n_read += 1
                yield line

        return csv_reader(counted(), **options)

    csv_reader = csv.reader
    monkeypatch.setattr("csv.reader", counting)
    (tmp_path / "in.csv").write_text('x",",z\n' * lines)
    options = JobOptions(on_error="reject")
    summary = predict_files(tmp_path / "in.csv", tmp_path / "out.tsv", options=options)
    assert lines <= n_read <= 2 * lines
    assert summary.rows_in == summary.rows_rejected == lines
    rejects = (tmp_path / "out.tsv.rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in rejects] == list(range(1, lines + 1))
