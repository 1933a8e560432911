import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bertfast.errors import BundleError, InputError
from bertfast.jobs import JobOptions, predict_files
from bertfast.jobs.readers import LineReader
from bertfast.jobs.sources import READERS
from bertfast.runtime import Predictor
from bertfast.runtime.windows import DEFAULT_WINDOW
from tests.runtime.probe_model import LABELS, write_probe_bundle


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(write_probe_bundle(tmp_path_factory.mktemp("job") / "bundle"), threads=1)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("job") / "bundle"
    return Predictor(write_probe_bundle(folder, default_output="probabilities"), threads=1)


def test_file_of_lines_becomes_an_array_in_the_same_order(
    embedder: Predictor, tmp_path: Path
) -> None:
    texts = [" ".join("abcdefgh"[: number * 7 % 9]) for number in range(10_000)]
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n")
    summary = predict_files(tmp_path / "in.txt", tmp_path / "out.npy", embedder)
    result = np.load(tmp_path / "out.npy")
    assert np.array_equal(result, embedder.predict(texts))
    assert summary.rows_in == summary.rows_out == len(texts)
    assert summary.tokens == int(result[:, 1].sum())
    assert summary.rows_per_second == pytest.approx(summary.rows_in / summary.seconds)


@pytest.mark.parametrize("file_format", ["tsv", "csv", "jsonl"])
def test_file_of_pairs_gives_labels_and_probabilities(
    classifier: Predictor, tmp_path: Path, file_format: str
) -> None:
    tables = {
        "tsv": "id\tone\ttwo\n0\ta b\tc\n1\td\t\n",
        "csv": 'id,one,two\r\n0,"a b",c\r\n1,d,\r\n',
        "jsonl": '{"one": "a b", "two": "c"}\n{"one": "d", "two": ""}\n',
    }
    source, target = tmp_path / f"in.{file_format}", tmp_path / "out.jsonl"
    source.write_text(tables[file_format], newline="")
    options = JobOptions(text_column="one", pair_column="two")
    predict_files(source, target, classifier, options=options)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    expected = classifier.predict(["a b", "d"], ["c", ""])
    assert [row["label"] for row in rows] == ["short", "short"]
    assert [list(row["probabilities"]) for row in rows] == [list(LABELS)] * 2
    numbers = np.array([list(row["probabilities"].values()) for row in rows], np.float32)
    assert np.array_equal(numbers, expected)


def test_model_may_be_a_path(embedder: Predictor, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    predict_files(tmp_path / "in.txt", tmp_path / "out.npy", embedder.bundle.path)
    assert np.load(tmp_path / "out.npy").tolist() == [[9, 3, 0, 2]]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", [[5, 2, 0, 2]]),
        (b"\n", [[5, 2, 0, 2]]),
        (b"\xef\xbb\xbfa\r\n\x00b\x00\xff\r\nc", [[9, 3, 0, 2], [10, 3, 0, 2], [11, 3, 0, 2]]),
    ],
)
def test_file_of_awkward_bytes_is_predicted(
    embedder: Predictor, tmp_path: Path, data: bytes, rows: list[list[float]]
) -> None:
    (tmp_path / "in.txt").write_bytes(data)
    summary = predict_files(tmp_path / "in.txt", tmp_path / "out.npy", embedder)
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.array(rows).reshape(-1, 4))
    assert summary.rows_in == summary.rows_out == len(rows)


def test_file_with_a_bad_row_leaves_the_old_output(embedder: Predictor, tmp_path: Path) -> None:
    rows = ['{"text": "a"}'] * 9000 + ['{"text": null}']
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    (tmp_path / "out.jsonl").write_text("old")
    with pytest.raises(InputError, match=r"in\.jsonl line 9001: 'text' is null, expected a string"):
        predict_files(
            tmp_path / "in.jsonl",
            tmp_path / "out.jsonl",
            embedder,
            options=JobOptions(overwrite=True),
        )
    assert (tmp_path / "out.jsonl").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_file_that_cannot_hold_the_predictions_raises(embedder: Predictor, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    with pytest.raises(InputError, match="pooled_output cannot be written as tsv"):
        predict_files(tmp_path / "in.txt", tmp_path / "out.tsv", embedder)


def test_output_that_is_the_input_raises(embedder: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n')
    (tmp_path / "link.jsonl").symlink_to(path)
    for target in (path, tmp_path / "link.jsonl"):
        with pytest.raises(InputError, match="is the input itself"):
            predict_files(path, target, embedder)
    assert path.read_text() == '{"text": "a"}\n'


def test_input_folder_raises(embedder: Predictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder without files of a known format"):
        predict_files(tmp_path, tmp_path / "out.npy", embedder)


def test_missing_input_and_missing_model_raise(tmp_path: Path, embedder: Predictor) -> None:
    with pytest.raises(FileNotFoundError):
        predict_files(tmp_path / "in.txt", tmp_path / "out.npy", embedder)
    (tmp_path / "in.txt").write_text("a\n")
    with pytest.raises(BundleError):
        predict_files(tmp_path / "in.txt", tmp_path / "out.npy", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


class Recorder:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.rows = self.tokens = 0
        self.totals: list[int] = []

    def advance(self, n_rows: int, n_tokens: int) -> None:
        self.rows += n_rows
        self.tokens += n_tokens

    def set_total(self, n_rows: int) -> None:
        self.totals.append(n_rows)


@pytest.mark.parametrize("file_format", sorted(READERS))
def test_progress_estimates_the_total_and_ends_exact(
    embedder: Predictor, tmp_path: Path, file_format: str
) -> None:
    rows = {"lines": "a b", "tsv": "a b", "csv": '"a b"', "jsonl": '{"text": "a b"}'}
    (tmp_path / "in").write_text(f"{rows[file_format]}\n" * 20_000)
    progress = Recorder()
    summary = predict_files(
        tmp_path / "in",
        tmp_path / "out.npy",
        embedder,
        options=JobOptions(input_format=file_format),
        progress=progress,
    )
    assert (progress.rows, progress.tokens) == (summary.rows_out, summary.tokens)
    assert progress.totals[-1] == 20_000
    assert len(progress.totals) >= 4
    # Reading runs up to one buffer ahead of the rows that it has given.
    assert all(abs(total - 20_000) < 20_000 * 0.6 for total in progress.totals)
    assert abs(progress.totals[-2] - 20_000) < 4096


def test_job_reads_a_few_windows_ahead_at_most(
    embedder: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Recorder()
    ahead: list[int] = []

    class Watched(LineReader):
        def texts(self) -> Iterator[str | None]:
            for number, text in enumerate(super().texts()):
                ahead.append(number - progress.rows)
                yield text

    monkeypatch.setitem(READERS, "lines", Watched)
    (tmp_path / "in.txt").write_text("a\n" * 60_000)
    predict_files(tmp_path / "in.txt", tmp_path / "out.npy", embedder, progress=progress)
    assert np.load(tmp_path / "out.npy").shape == (60_000, 4)
    # One is predicted, one tokenized, two wait, one is cut.
    assert max(ahead) <= 5 * DEFAULT_WINDOW
