import contextlib
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from bertfast.runtime import Predictor
from tests.cli.command import TIMEOUT_SECONDS, one_line_error, run, start
from tests.runtime.probe_model import write_probe_bundle


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_probe_bundle(tmp_path_factory.mktemp("cli") / "bundle")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "bundle"
    return write_probe_bundle(folder, default_output="probabilities")


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """An input that takes far longer to predict than any test waits."""
    path = tmp_path / "endless.txt"
    path.write_bytes(b"a b c d e f g h a b c d\n" * 3_000_000)
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_predict_lines_to_an_array(embedder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\na b\n\nb c d\n")
    done = run("predict", tmp_path / "in.txt", "--model", embedder, "-o", tmp_path / "out.npy")
    assert (done.returncode, done.stdout) == (0, b"")
    summary = done.stderr.decode()
    assert summary.startswith("4 rows, 14 tokens in ")
    first, second = summary.splitlines()
    assert first.endswith(f"rows/s; written to {tmp_path / 'out.npy'}")
    assert second == "rows in 4 = out 4 + rejected 0; truncated 0"
    expected = Predictor(embedder).predict(["a", "a b", "", "b c d"])
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)


def test_predict_long_texts_in_windows(embedder: Path, tmp_path: Path) -> None:
    text = "a b c d e f g h " * 4
    (tmp_path / "in.txt").write_text(f"{text}\na\n")
    options = ("--model", embedder, "--overflow", "window", "--stride", "3")
    done = run("predict", tmp_path / "in.txt", *options, "-o", tmp_path / "out.npy")
    assert done.returncode == 0, done.stderr
    assert b"out 2 + rejected 0; truncated 0" in done.stderr
    expected = Predictor(embedder).predict([text, "a"], overflow="window", stride=3)
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
    done = run("predict", tmp_path / "in.txt", *options[:2], "--stride", "3", "-o", "-")
    assert one_line_error(done).endswith("stride goes with overflow='window'")


def test_predict_pairs_by_name_to_tsv(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,one,two\n0,"a, b","c\nd"\n1,e,\n')
    columns = ("--text-column", "one", "--pair-column", "two")
    done = run(
        "predict", tmp_path / "in.csv", "-m", classifier, "-o", tmp_path / "out.tsv", *columns
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert rows[0] == ["label", "short", "pair", "none"]
    expected = Predictor(classifier).predict(["a, b", "e"], ["c\nd", ""])
    assert np.array_equal(np.array([row[1:] for row in rows[1:]], np.float32), expected)


def test_predict_column_of_digits_is_a_number(embedder: Path) -> None:
    done = run(
        "predict", "-", "--format", "tsv", "-m", embedder, "-o", "-", "--text-column", "1",
        "--header", stdin=b"0\t1\nx\ta\n",
    )  # fmt: skip
    assert [json.loads(line)["embedding"] for line in done.stdout.splitlines()] == [[9, 3, 0, 2]]


def test_predict_standard_input_to_standard_output(embedder: Path) -> None:
    done = run("predict", "-", "-m", embedder, "-o", "-", "--quiet", stdin=b"a\r\nb")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b'{"embedding": [9, 3, 0, 2]}\n{"embedding": [10, 3, 0, 2]}\n'


def test_predict_of_nothing_writes_an_empty_output(embedder: Path) -> None:
    done = run("predict", "-", "-m", embedder, "-o", "-")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"0 rows, 0 tokens in ")


def test_predict_options_reach_the_model(embedder: Path) -> None:
    done = run(
        "predict", "-", "-m", embedder, "-o", "-", "--max-length", "4", "--token-budget", "3",
        "--threads", "1", "--device", "cpu", stdin=b"a b c d e\n",
    )  # fmt: skip
    assert json.loads(done.stdout)["embedding"] == [14, 4, 0, 2]


def test_predict_progress_is_a_bar_on_a_terminal_only(embedder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a b c\n" * 20_000)
    arguments = ("predict", tmp_path / "in.txt", "-m", embedder, "-o", tmp_path / "out.npy")
    plain = run(*arguments)
    assert b"\x1b" not in plain.stderr
    ours, theirs = pty.openpty()
    process = start(*arguments, "--overwrite", stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # Linux reports the end of a terminal as an error
        while chunk := os.read(ours, 4096):
            seen += chunk
    os.close(ours)
    process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    assert b"20000/20000" in seen
    assert b"20,000 rows, " in seen


BAD_ROWS = {
    "null.jsonl": (b'{"text": "a"}\n{"text": null}\n', "line 2: 'text' is null, expected a string"),
    "nan.jsonl": (b'{"text": NaN}\n', "line 1: 'text' is a number, expected a string"),
    "key.jsonl": (b'{"label": "a"}\n', "line 1: no key 'text'; it has 'label'"),
    "broken.jsonl": (b'{"text": "a"\n', "line 1: not JSON: Expecting ',' delimiter"),
    "open.csv": (b'a\n"b\nc\n', "line 2: not CSV: unexpected end of data"),
    "utf16.txt": ("a\n".encode("utf-16"), "is UTF-16; convert it to UTF-8"),
}


@pytest.mark.parametrize("name", sorted(BAD_ROWS))
def test_predict_bad_row_is_one_line_with_its_place(
    embedder: Path, tmp_path: Path, name: str
) -> None:
    data, message = BAD_ROWS[name]
    (tmp_path / name).write_bytes(data)
    done = run("predict", tmp_path / name, "-m", embedder, "-o", tmp_path / "out.npy")
    assert one_line_error(done).startswith(f"{tmp_path / name} {message}")
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text-column", "nowhere"], "in.tsv: no column 'nowhere' in the header: 'id', 'text'"),
        (["--text-column", "2"], "in.tsv line 1: 2 columns, but column 2 (counted from 0)"),
        (["--pair-column", "2"], "in.tsv line 1: 2 columns, but column 2 (counted from 0)"),
        (["--text-column", "text", "--no-header"], "column 'text' is a name, but the file is said"),
        (["--device", "tpu"], 'unknown device \'tpu\': pass "cpu", "cuda" or "cuda:N"'),
        (["--max-length", "65"], "max_length is an integer from 2 to 64"),
        (
            ["--output-format", "tsv"],
            "pooled_output cannot be written as tsv; use jsonl, parquet or",
        ),
        (["--format", "lines", "--header"], "in.tsv: plain lines have no columns"),
    ],
)
def test_predict_bad_option_is_one_line(
    embedder: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "in.tsv").write_text("id\ttext\n0\ta\n")
    done = run("predict", "in.tsv", "-m", embedder, "-o", "out.jsonl", *options, cwd=tmp_path)
    assert one_line_error(done).startswith(message)
    assert names_in(tmp_path) == ["in.tsv"]


def test_predict_cuda_without_a_gpu_is_one_line(embedder: Path) -> None:
    done = run("predict", "-", "-m", embedder, "-o", "-", "--device", "cuda", stdin=b"a\n")
    if done.returncode == 0:
        pytest.skip("CUDA works here")
    assert one_line_error(done).startswith("device 'cuda'")


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("nowhere.txt", "out.npy", "nowhere.txt: No such file or directory"),
        (".", "out.npy", "in.parquet is parquet, but in.txt is lines; one job reads one"),
        ("*.tsv", "out.npy", "*.tsv matches no file"),
        ("in.parquet", "out.npy", "in.parquet is not a Parquet file: "),
        ("in.txt", "out.xml", "out.xml: no format is known for the extension '.xml'"),
        ("in.txt", "nowhere/out.npy", "nowhere/out.npy: the folder "),
        ("in.txt", "in.txt", "in.txt is the input itself; write to another file"),
    ],
)
def test_predict_bad_path_is_one_line(
    embedder: Path, tmp_path: Path, source: str, target: str, message: str
) -> None:
    for name in ("in.txt", "in.parquet"):
        (tmp_path / name).write_text("a\n")
    done = run("predict", source, "-m", embedder, "-o", target, cwd=tmp_path)
    assert one_line_error(done).startswith(message)
    assert names_in(tmp_path) == ["in.parquet", "in.txt"]


@pytest.mark.parametrize("damage", ["no folder", "empty", "no model", "truncated", "manifest"])
def test_predict_bad_model_is_one_line(tmp_path: Path, damage: str) -> None:
    model = tmp_path / "model"
    if damage == "empty":
        model.mkdir()
    elif damage != "no folder":
        write_probe_bundle(model)
    content = (model / "model.onnx").read_bytes() if (model / "model.onnx").exists() else b""
    if damage == "no model":
        (model / "model.onnx").unlink()
    elif damage == "truncated":
        (model / "model.onnx").write_bytes(content[: len(content) // 2])
    elif damage == "manifest":
        (model / "bertfast.json").write_text("{")
    done = run("predict", "-", "-m", model, "-o", "-", stdin=b"a\n")
    assert str(model) in one_line_error(done)
    assert done.stdout == b""


def test_predict_read_only_output_folder_is_one_line(embedder: Path) -> None:
    done = run("predict", "-", "-m", embedder, "-o", "/proc/out.jsonl", stdin=b"a\n")
    assert "No such file or directory" in one_line_error(done)


def test_predict_full_disk_is_one_line(embedder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = run(
        "predict", "-", "-m", embedder, "-o", "/dev/full", "--output-format", "jsonl", stdin=b"a\n"
    )
    assert one_line_error(done) == "No space left on device"


def wait_for_output(
    folder: Path, process: "subprocess.Popen[bytes]", at_least_bytes: int = 0
) -> None:
    """Wait until the output has been begun, empty or with some bytes."""
    for _ in range(TIMEOUT_SECONDS * 20):
        parts = folder.glob("*.parts/.part-*.tmp")
        if any(part.stat().st_size >= at_least_bytes for part in parts):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no output was begun")


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_predict_signal_before_the_first_part_leaves_nothing(
    embedder: Path, endless: Path, sent: signal.Signals, code: int
) -> None:
    folder = endless.parent
    arguments = ("predict", endless, "-m", embedder, "-o", folder / "out.jsonl")
    process = start(*arguments, "--part-rows", "10000000")
    wait_for_output(folder, process, at_least_bytes=1)
    sent_at = time.monotonic()
    process.send_signal(sent)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert time.monotonic() - sent_at < 5  # one second, on a machine that is not busy
    assert (process.returncode, errors) == (code, b"")
    assert names_in(folder) == ["endless.txt"]


def test_predict_sigint_while_waiting_for_input_ends_at_once(
    embedder: Path, tmp_path: Path
) -> None:
    process = start("predict", "-", "-m", embedder, "-o", tmp_path / "out.npy")
    time.sleep(3)  # until it has opened the model and waits for the first line
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    # Standard input stays open: the command must not wait for it.
    process.wait(timeout=TIMEOUT_SECONDS)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, b"")
    assert names_in(tmp_path) == []


def test_predict_into_a_closed_pipe_ends_quietly(embedder: Path, endless: Path) -> None:
    process = start("predict", endless, "-m", embedder, "-o", "-", "--quiet")
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"embedding": ')
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, errors) == (141, b"")


def test_predict_signal_keeps_complete_parts_and_the_same_command_goes_on(
    embedder: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{'a b c d '[: n % 9]}\n" for n in range(150_000)))
    arguments = ("predict", tmp_path / "in.txt", "-m", embedder, "--part-rows", "20000")
    process = start(*arguments, "-o", tmp_path / "out.csv.jsonl")
    for _ in range(TIMEOUT_SECONDS * 20):
        if list(tmp_path.glob("*.parts/part-*")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    assert b" rows are done and kept: run the same command again to go on\n" in errors
    done = run(*arguments, "-o", tmp_path / "out.csv.jsonl")
    assert done.returncode == 0, done.stderr
    assert b"rows in 150,000 (" in done.stderr
    assert run(*arguments, "-o", tmp_path / "whole.jsonl").returncode == 0
    assert (tmp_path / "out.csv.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert names_in(tmp_path) == ["in.txt", "out.csv.jsonl", "whole.jsonl"]


def test_predict_rejects_are_counted_listed_and_summed_up(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,text\n7,a b\n8\n9,"c"d\n10,e\n')
    done = run(
        "predict", "in.csv", "-m", classifier, "-o", "out.csv", "--text-column", "text",
        "--keep", "id", "--fields", "label,probability", "--on-error", "reject",
        "--json-summary", "-", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split(",")[:2] for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert rows == [["id", "label"], ["7", "short"], ["10", "short"]]
    rejects = [
        json.loads(line) for line in (tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()
    ]
    assert [(row["file"], row["line"]) for row in rejects] == [("in.csv", 3), ("in.csv", 4)]
    summary = json.loads(done.stdout)
    assert (summary["rows_in"], summary["rows_out"], summary["rows_rejected"]) == (4, 2, 2)
    assert b"rows in 4 = out 2 + rejected 2; truncated 0" in done.stderr
    assert b"rejected rows are listed in out.csv.rejects.jsonl" in done.stderr


def test_predict_existing_output_is_kept_unless_told_to_overwrite(
    embedder: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    (tmp_path / "out.jsonl").write_text("old")
    arguments = ("predict", "in.txt", "-m", embedder, "-o", "out.jsonl")
    assert one_line_error(run(*arguments, cwd=tmp_path)) == (
        "out.jsonl exists; replace it with --overwrite"
    )
    assert run(*arguments, "--overwrite", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out.jsonl").read_text() == '{"embedding": [9, 3, 0, 2]}\n'


def test_predict_unwritable_folder_is_one_line(embedder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    done = run("predict", tmp_path / "in.txt", "-m", embedder, "-o", "/proc/out.jsonl")
    assert "/proc/out.jsonl.parts" in one_line_error(done)


def test_predict_workers_and_max_memory(embedder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a b c\n" * 50)
    common = ("predict", source, "--model", embedder, "--threads", "2", "-o")
    done = run(*common, tmp_path / "out.npy", "--workers", "2", "--max-memory", "50MB")
    assert done.returncode == 0, done.stderr
    expected = Predictor(embedder, threads=1).predict(["a b c"] * 50)
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
    little = run(*common, tmp_path / "other.npy", "--max-memory", "1kB")
    assert "max_memory of 1,000 bytes is too small for one text" in one_line_error(little)
    wrong = run(*common, tmp_path / "other.npy", "--max-memory", "lots")
    assert "a number of bytes or a size like \"500MB\", got 'lots'" in one_line_error(wrong)
