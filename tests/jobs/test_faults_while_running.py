"""What goes wrong in the middle of `bertfast predict`: exit code 2, one line, parts intact.

The command runs in this process on a stub model, which does the mischief between two batches.
"""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast import cli
from bertfast.jobs import durable, predict_files
from bertfast.jobs.predict import JobOptions
from tests.jobs.stub import StubPredictor, StubSession, rows, stub_predictor, write_input

PART_ROWS = 50
N_ROWS = 2000
GOOD_PARTS = 4


class Mischief(StubSession):
    """Does something when the fifth part is predicted."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(3)
        self._act = act
        self._rows = 0

    def run(
        self,
        output_names: Sequence[str],
        feeds: dict[str, NDArray[np.int32]],
        run_options: Any = None,
    ) -> list[NDArray[np.float32]]:
        self._rows += len(feeds["input_ids"])
        if self._rows > GOOD_PARTS * PART_ROWS:
            self._rows = -N_ROWS
            self._act()
        return super().run(output_names, feeds)


@pytest.fixture
def model(tmp_path: Path) -> StubPredictor:
    return stub_predictor(tmp_path / "bundle")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in.jsonl", rows(N_ROWS))


@pytest.fixture
def predict(
    model: StubPredictor,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, list[str]]]:
    """Run the command with mischief; return its exit code and the lines of standard error."""
    monkeypatch.setattr("bertfast.jobs.predict.DEFAULT_WINDOW", PART_ROWS)
    monkeypatch.setattr("bertfast.cli.predict.Predictor", lambda *a, **k: model)

    def run(act: Callable[[], None]) -> tuple[int, list[str]]:
        object.__setattr__(model._open().runner, "session", Mischief(act))
        names = ["predict", source, "-m", tmp_path / "bundle", "-o", tmp_path / "o.jsonl"]
        code = cli._run([*map(str, names), "--part-rows", str(PART_ROWS), "--quiet"])
        return code, capsys.readouterr().err.splitlines()

    return run


def check_parts(tmp_path: Path, model: StubPredictor, values: list[dict[str, object]]) -> int:
    """Compare each part that is there with an undisturbed job's; return how many there are."""
    model.close()
    whole = write_input(tmp_path / "whole.jsonl", values)
    predict_files(whole, tmp_path / "whole.out.jsonl", model)
    lines = (tmp_path / "whole.out.jsonl").read_bytes().splitlines(keepends=True)
    parts = sorted((tmp_path / "o.jsonl.parts").glob("part-*"))
    for number, part in enumerate(parts):
        expected = lines[number * PART_ROWS : (number + 1) * PART_ROWS]
        assert part.read_bytes() == b"".join(expected)
    assert not list((tmp_path / "o.jsonl.parts").glob(".part-*"))
    assert not (tmp_path / "o.jsonl").exists()
    return len(parts)


def test_input_truncated_while_it_is_read(
    predict: Callable[..., tuple[int, list[str]]],
    model: StubPredictor,
    source: Path,
    tmp_path: Path,
) -> None:
    size = source.stat().st_size
    code, lines = predict(lambda: os.truncate(source, size // 2))
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"bertfast: error: {source} ")
    assert check_parts(tmp_path, model, rows(N_ROWS)) >= GOOD_PARTS - 1


def test_input_replaced_while_it_is_read(
    predict: Callable[..., tuple[int, list[str]]],
    model: StubPredictor,
    source: Path,
    tmp_path: Path,
) -> None:
    def replace() -> None:
        other = write_input(tmp_path / "other.jsonl", rows(10))
        other.replace(source)

    code, lines = predict(replace)
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"bertfast: error: {source} changed while it was read")
    assert check_parts(tmp_path, model, rows(N_ROWS)) >= GOOD_PARTS - 1


def test_model_replaced_while_it_runs_and_put_back(
    predict: Callable[..., tuple[int, list[str]]],
    model: StubPredictor,
    source: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "bundle" / "model.onnx"

    def replace() -> None:
        path.rename(tmp_path / "kept.onnx")
        path.write_bytes((tmp_path / "kept.onnx").read_bytes())

    code, lines = predict(replace)
    assert code == 2
    assert lines == [
        f"bertfast: error: {tmp_path / 'bundle'} was replaced while the job ran; put the old "
        f"model back to resume, or start anew with --overwrite"
    ]
    n_parts = check_parts(tmp_path, model, rows(N_ROWS))
    (tmp_path / "kept.onnx").replace(path)
    summary = predict_files(
        source, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=PART_ROWS)
    )
    assert summary.rows_resumed == n_parts * PART_ROWS
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.out.jsonl").read_bytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES])
def test_output_folder_that_takes_no_more_files(
    predict: Callable[..., tuple[int, list[str]]],
    model: StubPredictor,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    real = durable.create

    def refuse() -> None:
        def create(path: Path) -> Any:
            raise OSError(code, os.strerror(code), str(path))

        monkeypatch.setattr(durable, "create", create)

    exit_code, lines = predict(refuse)
    assert exit_code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"bertfast: error: {tmp_path / 'o.jsonl.parts'}/.part-")
    assert lines[0].endswith(f".tmp: {os.strerror(code)}")
    monkeypatch.setattr(durable, "create", real)
    n_parts = check_parts(tmp_path, model, rows(N_ROWS))
    assert n_parts >= GOOD_PARTS - 3
    summary = predict_files(
        source, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=PART_ROWS)
    )
    assert summary.rows_resumed == n_parts * PART_ROWS
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.out.jsonl").read_bytes()
