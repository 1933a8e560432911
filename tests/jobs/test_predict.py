import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bertfast.errors import BundleError, InputError
from bertfast.jobs import predict_file
from bertfast.jobs.readers import READERS
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
    summary = predict_file(tmp_path / "in.txt", tmp_path / "out.npy", embedder)
    result = np.load(tmp_path / "out.npy")
    assert np.array_equal(result, embedder.predict(texts))
    assert summary.rows == len(texts)
    assert summary.tokens == int(result[:, 1].sum())
    assert summary.rows_per_second == pytest.approx(summary.rows / summary.seconds)


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
    predict_file(source, target, classifier, text_column="one", pair_column="two")
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    expected = classifier.predict(["a b", "d"], ["c", ""])
    assert [row["label"] for row in rows] == ["short", "short"]
    assert [list(row["probabilities"]) for row in rows] == [list(LABELS)] * 2
    numbers = np.array([list(row["probabilities"].values()) for row in rows], np.float32)
    assert np.array_equal(numbers, expected)


def test_model_may_be_a_path(embedder: Predictor, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    predict_file(tmp_path / "in.txt", tmp_path / "out.npy", embedder.bundle.path)
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
    summary = predict_file(tmp_path / "in.txt", tmp_path / "out.npy", embedder)
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.array(rows).reshape(-1, 4))
    assert summary.rows == len(rows)


def test_file_with_a_bad_row_leaves_the_old_output(embedder: Predictor, tmp_path: Path) -> None:
    rows = ['{"text": "a"}'] * 9000 + ['{"text": null}']
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    (tmp_path / "out.jsonl").write_text("old")
    with pytest.raises(InputError, match=r"in\.jsonl line 9001: 'text' is null, expected a string"):
        predict_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", embedder)
    assert (tmp_path / "out.jsonl").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_file_that_cannot_hold_the_predictions_raises(embedder: Predictor, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    with pytest.raises(InputError, match="pooled_output cannot be written as tsv"):
        predict_file(tmp_path / "in.txt", tmp_path / "out.tsv", embedder)


def test_output_that_is_the_input_raises(embedder: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n')
    (tmp_path / "link.jsonl").symlink_to(path)
    for target in (path, tmp_path / "link.jsonl"):
        with pytest.raises(InputError, match="is the input itself"):
            predict_file(path, target, embedder)
    assert path.read_text() == '{"text": "a"}\n'


def test_input_folder_raises(embedder: Predictor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name a file to read"):
        predict_file(tmp_path, tmp_path / "out.npy", embedder, input_format="lines")


def test_missing_input_and_missing_model_raise(tmp_path: Path, embedder: Predictor) -> None:
    with pytest.raises(FileNotFoundError):
        predict_file(tmp_path / "in.txt", tmp_path / "out.npy", embedder)
    (tmp_path / "in.txt").write_text("a\n")
    with pytest.raises(BundleError):
        predict_file(tmp_path / "in.txt", tmp_path / "out.npy", tmp_path / "model")
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
    summary = predict_file(
        tmp_path / "in",
        tmp_path / "out.npy",
        embedder,
        input_format=file_format,
        progress=progress,
    )
    assert (progress.rows, progress.tokens) == (summary.rows, summary.tokens)
    assert progress.totals[-1] == 20_000
    assert len(progress.totals) > 10
    # Reading runs up to one buffer ahead of the rows that it has given.
    assert all(abs(total - 20_000) < 20_000 * 0.6 for total in progress.totals)
    assert abs(progress.totals[-3] - 20_000) < 2500


def test_job_reads_one_window_ahead_at_most(
    embedder: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Recorder()
    ahead: list[int] = []

    def rows(*arguments: object) -> Iterator[str]:
        for number in range(30_000):
            ahead.append(number - progress.rows)
            yield "a"

    monkeypatch.setitem(READERS, "lines", rows)
    (tmp_path / "in.txt").write_text("")
    predict_file(tmp_path / "in.txt", tmp_path / "out.npy", embedder, progress=progress)
    assert np.load(tmp_path / "out.npy").shape == (30_000, 4)
    assert max(ahead) < 2 * DEFAULT_WINDOW
