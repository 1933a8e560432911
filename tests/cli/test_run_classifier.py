"""`bertfast run-classifier` as users run it: flags, one-line errors, killed runs."""

import importlib.util
import shutil
import signal
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from bertfast.checkpoint import read_checkpoint
from bertfast.tf.checkpoints import CheckpointStore
from tests.cli.command import one_line_error, run, start
from tests.small_bert import random_variables, small_config, write_original
from tests.tf.conftest import write_cola

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)

WAIT_SECONDS = 120


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, str | Path]:
    """Flags of a run of ten steps that saves after every one."""
    write_cola(tmp_path / "data")
    config = small_config(num_hidden_layers=1)
    model = write_original(tmp_path / "model", config, random_variables(config))
    return {
        "--task_name": "CoLA",
        "--data_dir": tmp_path / "data",
        "--vocab_file": model / "vocab.txt",
        "--bert_config_file": model / "bert_config.json",
        "--init_checkpoint": model / "bert_model.ckpt",
        "--output_dir": tmp_path / "out",
        "--max_seq_length": "16",
        "--train_batch_size": "8",
        "--num_train_epochs": "2.0",
        "--save_checkpoints_steps": "1",
        "--keep_checkpoint_max": "100",
    }


def flags(arguments: dict[str, str | Path]) -> list[str]:
    return [f"{name}={value}" for name, value in arguments.items()]


def weights_crc(folder: Path) -> int:
    variables = read_checkpoint(folder, keep_optimizer=True)
    return zlib.crc32(b"".join(variables[name].tobytes() for name in sorted(variables)))


def test_run_classifier_killed_and_resumed_reaches_the_same_bits(
    arguments: dict[str, str | Path], tmp_path: Path
) -> None:
    done = run("run-classifier", *flags(arguments), "--do_train=true")
    assert done.returncode == 0, done.stderr
    assert b"step 10 of 10" in done.stderr
    arguments["--output_dir"] = killed = tmp_path / "killed"
    process = start("run-classifier", *flags(arguments), "--do_train", stderr=subprocess.DEVNULL)
    try:
        kill_when_saved(process, killed)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    n_done = CheckpointStore(killed).steps()[-1]
    assert n_done < 10
    resumed = run("run-classifier", *flags(arguments), "--do_train", "--do_eval")
    assert resumed.returncode == 0, resumed.stderr
    assert b"resuming at step" in resumed.stderr
    assert weights_crc(killed) == weights_crc(tmp_path / "out")
    assert "eval_accuracy = " in (killed / "eval_results.txt").read_text()
    assert not list(killed.glob(".saving*"))


def kill_when_saved(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Kill the run as soon as its third checkpoint begins to be written."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / ".saving-3").exists() or len(CheckpointStore(folder).steps()) >= 3:
            process.send_signal(signal.SIGKILL)
            return
        time.sleep(0.002)
    raise AssertionError("the run ended, or never saved")


def test_run_classifier_quiet_says_nothing(arguments: dict[str, str | Path]) -> None:
    arguments["--num_train_epochs"] = "0.2"
    done = run("run-classifier", *flags(arguments), "--do_train", "--nodo_eval", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert b"step" not in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--task_name": "none"}, "no task 'none'"),
        ({"--data_dir": "absent"}, "cannot read 'absent/train.tsv'"),
        ({"--vocab_file": "absent"}, "absent"),
        ({"--bert_config_file": "absent"}, "cannot read 'absent'"),
        ({"--init_checkpoint": "absent"}, "no such checkpoint: absent"),
        ({"--max_seq_length": "65"}, "Cannot use sequence length 65 because the BERT model was"),
        ({"--max_seq_length": "2"}, "max_seq_length must be at least 3"),
        ({"--train_batch_size": "0"}, "train_batch_size must be at least 1"),
        ({"--output_dir": "/proc/none"}, "cannot create output_dir /proc/none"),
        ({"--strategy": "magic"}, "Invalid value for '--strategy'"),
        ({"--do_lower_case": "perhaps"}, "Invalid value for '--do_lower_case'"),
    ],
)
def test_run_classifier_bad_flag_is_one_line_before_any_work(
    arguments: dict[str, str | Path], tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    done = run("run-classifier", *flags({**arguments, **changes}), "--do_train", cwd=tmp_path)
    assert message in one_line_error(done)
    assert not list((tmp_path / "out").glob("*"))


def test_run_classifier_without_a_job_is_the_originals_message(
    arguments: dict[str, str | Path],
) -> None:
    done = run("run-classifier", *flags(arguments))
    assert "At least one of `do_train`, `do_eval` or `do_predict`" in one_line_error(done)


def test_run_classifier_bad_data_names_file_and_line(
    arguments: dict[str, str | Path], tmp_path: Path
) -> None:
    train = tmp_path / "data" / "train.tsv"
    lines = train.read_text().splitlines()
    for content, message in (
        ("", "is empty"),
        ("\n".join([*lines[:3], "x\t7\t\tthe cat"]), "train.tsv line 4: unknown label '7'"),
        ("\n".join([lines[0], "one column"]), "train.tsv line 2: 1 column"),
    ):
        train.write_text(content)
        assert message in one_line_error(run("run-classifier", *flags(arguments), "--do_train"))


def test_run_classifier_casing_that_contradicts_the_checkpoint_is_refused(
    arguments: dict[str, str | Path], tmp_path: Path
) -> None:
    named = tmp_path / "cased_L-12_H-768_A-12"
    shutil.copytree(tmp_path / "model", named)
    arguments["--init_checkpoint"] = named / "bert_model.ckpt"
    error = one_line_error(run("run-classifier", *flags(arguments), "--do_train"))
    assert "do_lower_case" in error
    assert "cased_L-12_H-768_A-12" in error
    (tmp_path / "model" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    arguments["--init_checkpoint"] = tmp_path / "model" / "bert_model.ckpt"
    error = one_line_error(run("run-classifier", *flags(arguments), "--do_train"))
    assert "--do_lower_case=true contradicts" in error


def test_run_classifier_damaged_init_checkpoint_is_refused(
    arguments: dict[str, str | Path], tmp_path: Path
) -> None:
    data = tmp_path / "model" / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-40])
    error = one_line_error(run("run-classifier", *flags(arguments), "--do_train"))
    assert "truncated" in error


@pytest.mark.parametrize("command", ["run-classifier", "run-pretraining"])
def test_help_names_the_original_flags_and_is_fast(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    for flag in ("bert_config_file", "init_checkpoint", "use_tpu", "tpu_name", "tpu_zone"):
        assert f"--{flag}".encode() in done.stdout
    for flag in ("gcp_project", "master", "num_tpu_cores", "iterations_per_loop", "do_train"):
        assert f"--{flag}".encode() in done.stdout


def test_run_pretraining_bad_input_is_one_line(tmp_path: Path) -> None:
    output = f"--output_dir={tmp_path / 'out'}"
    done = run("run-pretraining", "--input_file=absent*.tfrecord", output, "--do_train")
    assert "no such file: 'absent*.tfrecord'" in one_line_error(done)
