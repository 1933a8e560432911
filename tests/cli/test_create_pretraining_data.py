"""`bertfast create-pretraining-data` as a user runs it."""

import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from bertfast.glue.pretraining import create_training_instances
from tests.cli.command import one_line_error, run
from tests.glue.test_pretraining import write_text
from tests.glue.vocabulary import TOKENS, small_tokenizer

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="tensorflow is not installed"
)

COMMAND = "create-pretraining-data"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    write_text(tmp_path)
    (tmp_path / "vocab.txt").write_text("".join(token + "\n" for token in TOKENS))
    return [
        f"--input_file={tmp_path}/*.txt",
        f"--output_file={tmp_path}/one.tfrecord,{tmp_path}/two.tfrecord",
        f"--vocab_file={tmp_path}/vocab.txt",
        "--max_seq_length=16",
        "--max_predictions_per_seq=4",
    ]


def test_command_writes_the_instances_of_the_seed(tmp_path: Path, arguments: list[str]) -> None:
    from bertfast.tf.pretraining_records import write_instance_to_example_files

    arguments[0] = f"--input_file={tmp_path}/text.txt"
    done = run(
        COMMAND, *arguments, "--random_seed=7", "--dupe_factor=3", "--do_whole_word_mask",
        "--short_seq_prob=0.2", "--masked_lm_prob", "0.3",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    instances = create_training_instances(
        [tmp_path / "text.txt"], small_tokenizer(), 16, 3, 0.2, 0.3, 4, random.Random(7),
        do_whole_word_mask=True,
    )  # fmt: skip
    last_line = done.stderr.decode().splitlines()[-1]
    assert last_line.startswith(f"{len(instances)} instances from 1 text files in ")
    expected = [tmp_path / "a", tmp_path / "b"]
    write_instance_to_example_files(instances, small_tokenizer(), 16, 4, expected)
    for path, name in zip(expected, ("one.tfrecord", "two.tfrecord"), strict=True):
        assert (tmp_path / name).read_bytes() == path.read_bytes()


def test_command_takes_patterns_and_switches(tmp_path: Path, arguments: list[str]) -> None:
    done = run(COMMAND, *arguments, "--nodo_lower_case", "--do_whole_word_mask=false", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "two.tfrecord").stat().st_size > 1000


def test_command_names_what_is_wrong_before_any_work(tmp_path: Path, arguments: list[str]) -> None:
    for changed, message in (
        ({0: f"--input_file={tmp_path}/none*"}, f"no such file: '{tmp_path}/none*'"),
        ({1: f"--output_file={tmp_path}/no/x"}, "does not exist; create it first"),
        ({1: f"--output_file={tmp_path}/text.txt"}, "text.txt is both read and written"),
        ({2: f"--vocab_file={tmp_path}/text.txt"}, "has no [UNK]"),
        ({3: "--max_seq_length=4"}, "max_seq_length=4 is too small"),
        ({3: "--do_lower_case=maybe"}, "'maybe' is not a valid boolean"),
    ):
        given = [changed.get(place, argument) for place, argument in enumerate(arguments)]
        assert message in one_line_error(run(COMMAND, *given))
    assert not list(tmp_path.glob("*.tfrecord"))
    assert "Missing option '--vocab_file'" in one_line_error(run(COMMAND, *arguments[:2]))
