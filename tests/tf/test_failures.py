"""What TensorFlow and the disk refuse becomes one line."""

from pathlib import Path

import pytest

from bertfast.errors import InputError, TrainingError

tf = pytest.importorskip("tensorflow")

from bertfast.tf.failures import computing, writing  # noqa: E402


def test_computing_says_what_to_do_about_memory() -> None:
    message = r"too little memory .*--gradient_accumulation_steps \(OOM\)"
    with pytest.raises(TrainingError, match=message), computing():
        raise tf.errors.ResourceExhaustedError(None, None, "OOM\ndetails")


def test_computing_gives_the_first_line_of_other_failures() -> None:
    with (
        pytest.raises(TrainingError, match=r"^a step failed: .*indices = 5 is") as caught,
        computing(),
    ):
        tf.gather(tf.zeros([2]), 5, name="words")
    assert "\n" not in str(caught.value)


def test_writing_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "eval_results.txt"
    message = r"cannot write .*eval_results.txt: No such file"
    with pytest.raises(InputError, match=message), writing(path):
        path.write_text("x")
    with pytest.raises(InputError, match=f"cannot write {tmp_path}: .*"), writing(tmp_path):
        tf.io.write_file(str(tmp_path), "a folder")
