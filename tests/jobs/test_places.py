"""What stands where a job would write or read is never lost: inputs, others' files, streams."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertfast.errors import InputError
from bertfast.jobs import JobOptions, predict_files

ROWS = "guten Tag\nΚαλημέρα!\n"
COMMAND = [sys.executable, "-m", "bertfast", "predict", "-q", "--threads", "1"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_text(ROWS)
    return path


def _command(arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command through a shell, for its redirections."""
    shell = ["bash", "-c", f'"$@" {arguments}', "bash", *COMMAND]
    return subprocess.run(
        shell, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_rejects_that_would_replace_the_input_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is an input"):
        predict_files(source, tmp_path / "o.tsv", options=JobOptions(rejects=str(source)))
    assert source.read_text() == ROWS
    rejected = tmp_path / "o.csv.rejects.jsonl"
    rejected.write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match="is an input"):
        predict_files(rejected, tmp_path / "o.csv")
    assert rejected.exists()


def test_rejects_that_are_the_output_are_refused(source: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "o.tsv")
    with pytest.raises(InputError, match="is the output itself"):
        predict_files(source, output, options=JobOptions(rejects=output))


def test_rejects_that_exist_are_replaced_with_overwrite_only(source: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("precious")
    with pytest.raises(InputError, match="exists; replace it with --overwrite"):
        predict_files(source, tmp_path / "o.tsv", options=JobOptions(rejects=str(notes)))
    assert notes.read_text() == "precious"


def test_rejects_in_a_missing_folder_are_refused_at_once(source: Path, tmp_path: Path) -> None:
    rejects = str(tmp_path / "none" / "r.jsonl")
    with pytest.raises(InputError, match="does not exist"):
        predict_files(source, tmp_path / "o.tsv", options=JobOptions(rejects=rejects))


def test_output_whose_rejects_have_too_long_a_name_is_refused_at_once(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="too long"):
        predict_files(source, tmp_path / ("a" * 244 + ".csv"))
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("mark", [None, "_SUCCESS"])
def test_folder_of_parts_of_another_program_is_refused(
    source: Path, tmp_path: Path, mark: str | None
) -> None:
    folder = tmp_path / "spark"
    folder.mkdir()
    (folder / "part-00000.parquet").write_text("precious")
    if mark is not None:
        (folder / mark).touch()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds other files"):
            predict_files(source, folder, options=JobOptions(overwrite=overwrite))
    assert (folder / "part-00000.parquet").read_text() == "precious"


def test_input_among_the_parts_of_the_output_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "o.csv.parts"
    folder.mkdir()
    (folder / "part-aa.txt").write_text(ROWS)
    with pytest.raises(InputError, match="keeps its parts"):
        predict_files(folder / "part-aa.txt", tmp_path / "o.csv")
    assert (folder / "part-aa.txt").read_text() == ROWS


def test_output_without_a_name_or_in_a_loop_of_links_is_one_line(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="empty"):
        predict_files(source, "")
    (tmp_path / "loop").symlink_to("loop")
    done = _command("in.txt -o loop/x.tsv", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_output_to_the_name_of_a_pipe_is_a_stream(source: Path, tmp_path: Path) -> None:
    done = _command("in.txt -o /dev/stdout --output-format lines | cat", tmp_path)
    assert (done.stdout, done.stderr) == ("de\nel\n", "")
    done = _command("in.txt -o >(cat) --output-format lines | cat", tmp_path)
    assert (done.stdout, done.stderr) == ("de\nel\n", "")


def test_standard_output_that_is_the_input_is_refused(source: Path, tmp_path: Path) -> None:
    done = _command("in.txt -o - --output-format lines >> in.txt", tmp_path)
    assert done.returncode == 2
    assert "is the output itself" in done.stderr
    assert source.read_text() == ROWS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("in.txt -o - >&-", "standard output is closed"),
        ("in.txt -o o.tsv --json-summary - >&-", "standard output is closed"),
        ("- -o o.tsv <&-", "standard input is closed"),
        ("in.txt -o o.tsv --json-summary in.txt", "is an input or the output"),
        ("in.txt -o o.tsv --json-summary o.tsv", "is an input or the output"),
        ("in.txt -o o.tsv --json-summary none/s.json", "does not exist"),
    ],
)
def test_stream_or_summary_that_cannot_be_used_is_one_line(
    source: Path, tmp_path: Path, arguments: str, message: str
) -> None:
    done = _command(arguments, tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["in.txt"]  # noqa: PTH208
    assert source.read_text() == ROWS


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_job_with_closed_streams_that_it_does_not_need_is_done(
    source: Path, tmp_path: Path, closed: str
) -> None:
    done = _command(f"in.txt -o o.txt {closed}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "o.txt").read_text() == "de\nel\n"
