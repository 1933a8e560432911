"""Whole jobs: formats, fields, several files, rejects."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.errors import BertfastError, InputError
from bertfast.jobs import JobOptions, predict_files
from tests.jobs.stub import StubPredictor, contents, rows, stub_predictor, table, write_input

OUTPUTS = ("out.txt", "out.tsv.gz", "out.csv.zst", "out.jsonl", "out.npy", "out.parquet")
INPUTS = ("in.tsv", "in.csv", "in.jsonl", "in.parquet")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StubPredictor:
    return stub_predictor(tmp_path_factory.mktemp("job") / "bundle")


@pytest.mark.parametrize("source", INPUTS)
def test_every_input_format_gives_the_same_predictions(
    model: StubPredictor, tmp_path: Path, source: str
) -> None:
    values = rows(100)
    path = write_input(tmp_path / source, values)
    options = JobOptions(text_column="text", keep=("id",), part_rows=30)
    summary = predict_files(path, tmp_path / "out.jsonl", model, options=options)
    found = table(tmp_path / "out.jsonl")
    assert [int(row["id"]) for row in found] == list(range(100))
    expected = model.predict([str(row["text"]) for row in values])
    scores = np.array([list(row["probabilities"].values()) for row in found], np.float32)
    assert np.array_equal(scores, expected)
    assert (summary.rows_in, summary.rows_out, summary.parts) == (100, 100, 4)


@pytest.mark.parametrize("target", OUTPUTS)
@pytest.mark.parametrize("n_rows", [0, 30, 100])
def test_merged_file_equals_one_part(
    model: StubPredictor, tmp_path: Path, target: str, n_rows: int
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(n_rows))
    for part_rows in (30, 1000):
        (tmp_path / str(part_rows)).mkdir()
        options = JobOptions(part_rows=part_rows)
        predict_files(path, tmp_path / str(part_rows) / target, model, options=options)
    several, one = (tmp_path / name / target for name in ("30", "1000"))
    assert _decoded(several) == _decoded(one)
    assert len(list(several.parent.iterdir())) == 1


def _decoded(path: Path) -> object:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        import pyarrow as pa  # type: ignore[import-untyped]

        with pa.CompressedInputStream(path.open("rb"), "zstd") as stream:
            return stream.read()
    return table(path) if path.suffix == ".parquet" else path.read_bytes()


@pytest.mark.parametrize("file_format", ["tsv", "jsonl", "parquet", "npy"])
def test_folder_has_complete_files_and_is_marked_when_done(
    model: StubPredictor, tmp_path: Path, file_format: str
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(70))
    options = JobOptions(part_rows=30, output_format=file_format)
    predict_files(path, f"{tmp_path}/out/", model, options=options)
    names = sorted(contents(tmp_path / "out"))
    parts = [f"part-{number:05d}.{file_format}" for number in range(3)]
    assert names == ["_SUCCESS", *parts]
    totals = json.loads((tmp_path / "out" / "_SUCCESS").read_text())
    assert (totals["rows_in"], totals["rows_out"]) == (70, 70)
    last = tmp_path / "out" / parts[2]
    if file_format == "npy":
        assert np.load(last).shape == (10, 3)
    elif file_format == "tsv":
        assert last.read_text().startswith("label\tshort\tpair\tnone\n")
        assert last.read_text().count("\n") == 11
    else:
        assert len(table(last)) == 10


def test_folder_that_is_complete_is_left_as_it_is(model: StubPredictor, tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(70))
    (tmp_path / "out").mkdir()
    first = predict_files(path, tmp_path / "out", model)
    stamps = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("part-*")}
    again = predict_files(path, tmp_path / "out", model)
    assert (again.rows_in, again.rows_resumed, first.rows_resumed) == (70, 70, 0)
    assert stamps == {
        file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("part-*")
    }
    with pytest.raises(InputError, match="is complete, but not with what has changed: options"):
        predict_files(path, tmp_path / "out", model, options=JobOptions(fields=("label",)))


def test_several_files_are_read_in_order(model: StubPredictor, tmp_path: Path) -> None:
    values = rows(90)
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    (folder / "_hidden").mkdir()
    write_input(folder / "a.jsonl", values[:20])
    (folder / "b" / "2.jsonl.gz").write_bytes(
        gzip.compress(write_input(tmp_path / "x.jsonl", values[20:65]).read_bytes())
    )
    write_input(folder / "b" / "3.jsonl", [])
    write_input(folder / "b" / "4.jsonl", values[65:])
    write_input(folder / "_hidden" / "5.jsonl", values)
    (folder / "README").write_text("no data")
    options = JobOptions(keep=("id",), part_rows=25)
    first = str(folder / "a.jsonl")
    for number, inputs in enumerate(
        ([str(folder)], [first, f"{folder}/b/*"], [first, f"{folder}/**/[0-4].jsonl*"])
    ):
        target = tmp_path / f"{number}.jsonl"
        summary = predict_files(inputs, target, model, options=options)
        assert [row["id"] for row in table(target)] == list(range(90))
        assert summary.parts == 4


def test_same_file_twice_or_two_formats_raise(model: StubPredictor, tmp_path: Path) -> None:
    write_input(tmp_path / "a.jsonl", rows(3))
    write_input(tmp_path / "b.tsv", rows(3))
    with pytest.raises(InputError, match="is an input twice"):
        predict_files([tmp_path / "a.jsonl", f"{tmp_path}/*.jsonl"], tmp_path / "o.txt", model)
    with pytest.raises(InputError, match="one job reads one"):
        predict_files([tmp_path / "a.jsonl", tmp_path / "b.tsv"], tmp_path / "o.txt", model)
    with pytest.raises(InputError, match="lies in the input folder"):
        options = JobOptions(input_format="jsonl")
        predict_files(tmp_path, tmp_path / "o.txt", model, options=options)


def test_urls_are_told_from_files(model: StubPredictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a URL; copy it to a file"):
        predict_files("s3://bucket/in.jsonl", tmp_path / "o.txt", model)
    path = write_input(tmp_path / "in.jsonl", rows(3))
    with pytest.raises(InputError, match="is a URL; write to a file"):
        predict_files(path, "gs://bucket/out/", model)


FIELDS = [
    (("label",), {"label"}),
    (("probability", "label"), {"probability", "label"}),
    (("probabilities",), {"probabilities"}),
]


@pytest.mark.parametrize(("fields", "names"), FIELDS)
@pytest.mark.parametrize("target", ["out.jsonl", "out.parquet"])
def test_fields_are_those_asked_for(
    model: StubPredictor, tmp_path: Path, fields: tuple[str, ...], names: set[str], target: str
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(20))
    options = JobOptions(fields=fields, prefix="p_", keep=("id",))
    predict_files(path, tmp_path / target, model, options=options)
    found = table(tmp_path / target)
    assert set(found[0]) == {"id", *(f"p_{name}" for name in names)}
    expected = model.predict([str(row["text"]) for row in rows(20)])
    for row, scores in zip(found, expected, strict=True):
        if "label" in names:
            assert row["p_label"] == ("short", "pair", "none")[int(scores.argmax())]
        if "probability" in names:
            assert np.float32(row["p_probability"]) == scores.max()
        if "probabilities" in names:
            assert np.array_equal(list(row["p_probabilities"].values()), scores.tolist()) or (
                np.allclose(list(row["p_probabilities"].values()), scores, rtol=1e-7)
            )


def test_fields_the_model_cannot_give_raise(model: StubPredictor, tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(2))
    with pytest.raises(InputError, match="embedding cannot be written from probabilities"):
        predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(fields=("embedding",)))
    with pytest.raises(InputError, match="unknown field 'score'"):
        JobOptions(fields=("score",))
    with pytest.raises(InputError, match="has the name of a predicted one"):
        predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(keep=("label",)))
    with pytest.raises(InputError, match="lines has no place for kept columns"):
        predict_files(path, tmp_path / "o.txt", model, options=JobOptions(keep=("id",)))


@pytest.mark.parametrize("source", INPUTS)
@pytest.mark.parametrize("target", ["out.jsonl", "out/"])
def test_rejects_are_listed_and_counts_add_up(
    model: StubPredictor, tmp_path: Path, source: str, target: str
) -> None:
    values = rows(100, bad_every=10)
    path = write_input(tmp_path / source, values)
    options = JobOptions(
        text_column="text", keep=("id",), on_error="reject", part_rows=30, output_format="jsonl"
    )
    summary = predict_files(path, f"{tmp_path}/{target}", model, options=options)
    assert (summary.rows_in, summary.rows_out, summary.rows_rejected) == (100, 90, 10)
    if target == "out/":
        parts, lists = (sorted((tmp_path / "out").glob(name)) for name in ("part-*", "_rejects-*"))
        found = [row for part in parts for row in table(part)]
        rejects = [row for file in lists for row in table(file)]
    else:
        found, rejects = table(tmp_path / target), table(tmp_path / "out.jsonl.rejects.jsonl")
    assert [int(row["id"]) for row in found] == [n for n in range(100) if n % 10 != 3]
    first = 2 if source.endswith(("tsv", "csv")) else 1  # a header comes before
    assert [row["line"] for row in rejects] == [n + first for n in range(3, 100, 10)]
    assert {row["file"] for row in rejects} == {str(path)}
    assert all(row["reason"] for row in rejects)


def test_long_texts_are_rejected_by_their_bytes(model: StubPredictor, tmp_path: Path) -> None:
    texts = ["a" * 10, "a" * 11, "é" * 5, "é" * 6, "", "\U0001f600" * 3]
    (tmp_path / "in.txt").write_text("\n".join(texts), "utf-8")
    options = JobOptions(max_text_bytes=10, on_error="reject")
    summary = predict_files(tmp_path / "in.txt", tmp_path / "out.txt", model, options=options)
    rejects = table(tmp_path / "out.txt.rejects.jsonl")
    assert [row["line"] for row in rejects] == [2, 4, 6]
    assert rejects[0]["reason"] == "a text of 11 bytes, more than 10 (--max-text-bytes)"
    assert (summary.rows_in, summary.rows_out) == (6, 3)
    # Without rejects, an older list would tell lies.
    options = JobOptions(overwrite=True)
    predict_files(tmp_path / "in.txt", tmp_path / "out.txt", model, options=options)
    assert not (tmp_path / "out.txt.rejects.jsonl").exists()


def test_truncated_rows_are_counted(model: StubPredictor, tmp_path: Path) -> None:
    singles = [" ".join("a" * n) for n in range(30)]
    (tmp_path / "in.txt").write_text("\n".join(singles) + "\n")
    summary = predict_files(tmp_path / "in.txt", tmp_path / "out.txt", model)
    assert summary.rows_truncated == sum(n + 2 > 16 for n in range(30))
    pairs = [(a, b) for a in range(0, 20, 3) for b in range(0, 20, 3)]
    lines = [f"{' '.join('a' * a)}\t{' '.join('b' * b)}\n" for a, b in pairs]
    (tmp_path / "in.tsv").write_text("".join(lines))
    options = JobOptions(text_column=0, pair_column=1)
    summary = predict_files(tmp_path / "in.tsv", tmp_path / "out.tsv", model, options=options)
    assert summary.rows_truncated == sum(a + b + (3 if b else 2) > 16 for a, b in pairs)


@pytest.mark.parametrize(
    "options",
    [
        {"part_rows": 0},
        {"part_rows": True},
        {"max_text_bytes": -1},
        {"on_error": "ignore"},
        {"overwrite": True, "force": True},
        {"fields": ("label", "label")},
    ],
)
def test_options_that_cannot_be_raise(options: dict[str, Any]) -> None:
    with pytest.raises(BertfastError):
        JobOptions(**options)


def test_long_rows_in_windows_are_pooled_and_not_truncated(
    model: StubPredictor, tmp_path: Path
) -> None:
    texts = [" ".join("abcdefgh"[n % 8] for n in range(count)) for count in range(0, 60, 7)]
    values = [{"id": number, "text": text} for number, text in enumerate(texts)]
    path = write_input(tmp_path / "in.jsonl", values)
    options = JobOptions(overflow="window", stride=2, part_rows=4)
    summary = predict_files(path, tmp_path / "out.jsonl", model, options=options)
    assert (summary.rows_out, summary.rows_truncated) == (len(texts), 0)
    expected = model.predict(texts, overflow="window", stride=2)
    assert not np.array_equal(expected, model.predict(texts))
    for row, scores in zip(table(tmp_path / "out.jsonl"), expected, strict=True):
        np.testing.assert_allclose(list(row["probabilities"].values()), scores, atol=1e-6)


def test_bad_stride_is_refused_before_the_first_row(model: StubPredictor, tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(3))
    with pytest.raises(InputError, match="stride is an integer from 0 to 12"):
        predict_files(path, tmp_path / "o.npy", model,
                      options=JobOptions(overflow="window", stride=13))  # fmt: skip
    assert not (tmp_path / "o.npy").exists()
