"""Whole runs of the classifier in this process: results, resume, the road to an export."""

import dataclasses
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from bertfast.errors import BertfastError, CheckpointError, InputError, TrainingError
from bertfast.glue.examples import InputExample
from bertfast.glue.metrics import task_metrics
from bertfast.onnx.oracle import BertOracle, softmax
from bertfast.tf.checkpoints import CheckpointStore
from bertfast.tf.classifier_task import ClassifierOptions, ClassifierTask, prepare_classifier
from tests.small_bert import random_variables, small_config, write_hugging_face, write_original
from tests.tf.conftest import Arrays

tf = pytest.importorskip("tensorflow")

from bertfast.tf.run_classifier import run_classifier  # noqa: E402

Run = Callable[..., "tuple[ClassifierTask, dict[str, float | int], list[str]]"]


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """A BERT of one layer as Google releases them."""
    config = small_config(num_hidden_layers=1)
    return write_original(tmp_path / "model", config, random_variables(config))


@pytest.fixture
def from_scratch(model_dir: Path) -> dict[str, Path | None]:
    """Options that take the sizes and the vocabulary of the model, but not its weights."""
    return {
        "init_checkpoint": None,
        "bert_config_file": model_dir / "bert_config.json",
        "vocab_file": model_dir / "vocab.txt",
    }


@pytest.fixture
def run(tmp_path: Path, task_dir: Path, model_dir: Path) -> Run:
    """Run with these options changed; gives the task, the metrics and what was said."""

    def run_with(
        on_message: Callable[[str], None] | None = None, **changes: Any
    ) -> tuple[ClassifierTask, dict[str, float | int], list[str]]:
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            if on_message:
                on_message(line)

        values: dict[str, Any] = {
            "task_name": "CoLA",
            "data_dir": task_dir,
            "output_dir": tmp_path / "out",
            "init_checkpoint": model_dir,
            "max_seq_length": 16,
            "train_batch_size": 8,
            "eval_batch_size": 4,
            "num_train_epochs": 2.0,
            "learning_rate": 1e-2,
            "save_checkpoints_steps": 4,
            "do_train": True,
        }
        options = ClassifierOptions(**(values | changes))
        task = prepare_classifier(options, CheckpointStore(options.output_dir, on_message=say))
        return task, run_classifier(task, say=say), said

    return run_with


def weights_crc(folder: Path) -> int:
    """A checksum of every variable of the latest checkpoint, slots and step included."""
    variables = read_checkpoint(folder, keep_optimizer=True)
    return zlib.crc32(b"".join(variables[name].tobytes() for name in sorted(variables)))


def test_run_trains_evaluates_and_predicts_with_the_originals_files(
    run: Run, from_scratch: dict[str, Path | None], tmp_path: Path
) -> None:
    options = {"do_eval": True, "do_predict": True, "num_train_epochs": 20.0}
    task, metrics, _ = run(learning_rate=3e-3, **options, **from_scratch)
    folder = tmp_path / "out"
    names = {path.name for path in folder.iterdir()}
    assert {"train.tf_record", "eval.tf_record", "eval_results.txt", "test_results.tsv"} <= names
    assert {"checkpoint", "model.ckpt-100.index", "bert_config.json", "vocab.txt"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert list((folder / "eval").glob("events.out.tfevents*"))
    lines = (folder / "eval_results.txt").read_text().splitlines()
    assert [line.split(" = ")[0] for line in lines] == [
        "eval_accuracy",
        "eval_loss",
        "eval_matthews_correlation",
        "global_step",
        "loss",
    ]
    assert {key: float(value) for key, value in (line.split(" = ") for line in lines)} == metrics
    assert metrics["global_step"] == 100
    assert metrics["eval_accuracy"] > 0.7  # most "cat"s are found
    rows = [line.split("\t") for line in (folder / "test_results.tsv").read_text().splitlines()]
    assert len(rows) == len(task.test_examples) == 11
    logits = logits_in_numpy(task, task.test_examples, read_checkpoint(folder))
    np.testing.assert_allclose(np.array(rows, float), softmax(logits), atol=1e-5)


def test_run_that_tokenizes_in_the_graph_gives_the_same_weights(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow_text")
    from bertfast.tf import graph_tokenizer

    built = []

    class Counted(graph_tokenizer.GraphTokenizer):
        def __init__(self, *arguments: Any) -> None:
            built.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(graph_tokenizer, "GraphTokenizer", Counted)
    results = []
    for in_graph in (False, True):
        folder = tmp_path / f"in_graph_{in_graph}"
        _, metrics, _ = run(
            output_dir=folder, tokenize_in_graph=in_graph, do_eval=True, do_predict=True
        )
        scores = (folder / "test_results.tsv").read_bytes()
        results.append((weights_crc(folder), metrics, scores))
    assert results[0] == results[1]
    assert len(built) == 1  # for training, evaluation and prediction together


def test_run_reports_what_it_took_from_the_checkpoint(run: Run) -> None:
    _, _, said = run(num_train_epochs=0.2)
    assert said[0].endswith("bert_model.ckpt: 23 variables loaded")
    assert said[1] == "freshly initialised: output_bias, output_weights"


def logits_in_numpy(
    task: ClassifierTask, examples: Sequence[InputExample], variables: Arrays
) -> NDArray[np.float64]:
    """Logits of examples by the numpy oracle, unpadded, row by row."""
    oracle = BertOracle(task.config, variables)
    logits = []
    for example in examples:
        row = task.tokenizer([example.text_a], max_length=task.options.max_seq_length)
        inputs = (row.input_ids, row.input_mask, row.segment_ids)
        outputs = oracle.run(*(array.astype(np.int32) for array in inputs))
        logits.append(outputs["logits"][0])
    return np.array(logits)


def test_run_evaluates_every_example_once_exactly(run: Run, tmp_path: Path) -> None:
    # 11 examples in batches of 4: the last is filled with padding examples.
    task, metrics, _ = run(do_eval=True)
    logits = logits_in_numpy(task, task.dev_examples, read_checkpoint(tmp_path / "out"))
    labels = [int(str(example.label)) for example in task.dev_examples]
    losses = -np.log(softmax(logits)[np.arange(11), labels])
    assert metrics["eval_loss"] == pytest.approx(losses.mean(), rel=1e-4)
    for name, value in task_metrics("cola", labels, logits.argmax(1)).items():
        assert metrics[f"eval_{name}"] == value


def test_run_numbers_do_not_depend_on_trimming(run: Run, tmp_path: Path) -> None:
    _, metrics, _ = run(do_eval=True)
    again = {"do_train": False, "do_eval": True, "init_checkpoint": None}
    config = {"bert_config_file": tmp_path / "out" / "bert_config.json"}
    files = {"vocab_file": tmp_path / "out" / "vocab.txt"}
    _, untrimmed, said = run(**again, **config, **files, trim_padding=False)
    assert untrimmed["global_step"] == 10
    assert untrimmed["eval_loss"] == pytest.approx(metrics["eval_loss"], rel=1e-5)
    assert any("weights of" in line for line in said)


class Stopped(Exception):  # noqa: N818
    """Ends a run as a signal would."""


def stop_after(checkpoint: str) -> Callable[[str], None]:
    def on_message(line: str) -> None:
        if line.endswith(checkpoint):
            raise Stopped

    return on_message


@pytest.mark.parametrize("changes", [{}, {"bucket_by_length": True}])
def test_run_resumed_reaches_the_same_bits(
    run: Run, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run(**changes)
    with pytest.raises(Stopped):
        run(stop_after("model.ckpt-4"), output_dir=tmp_path / "stopped", **changes)
    assert CheckpointStore(tmp_path / "stopped").steps() == [4]
    _, _, said = run(output_dir=tmp_path / "stopped", **changes)
    assert "resuming at step 4 of 10" in said
    assert weights_crc(tmp_path / "stopped") == weights_crc(tmp_path / "out")


def test_run_resumes_from_the_one_before_a_damaged_one(run: Run, tmp_path: Path) -> None:
    run()
    expected = weights_crc(tmp_path / "out")
    data = tmp_path / "out" / "model.ckpt-10.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-100])
    _, _, said = run()
    assert said[0].startswith("model.ckpt-10 is damaged and passed over: ")
    assert said[1] == "falling back to model.ckpt-8"
    assert "resuming at step 8 of 10" in said
    assert weights_crc(tmp_path / "out") == expected


def test_run_that_is_done_trains_no_more(run: Run, tmp_path: Path) -> None:
    run()
    before = weights_crc(tmp_path / "out")
    _, _, said = run()
    assert any(line.startswith("training is done") for line in said)
    assert weights_crc(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "seed 0, now it is 1"),
        ({"train_batch_size": 4}, "train_batch_size 8, now it is 4"),
        ({"max_seq_length": 12}, "max_seq_length 16, now it is 12"),
        ({"bucket_by_length": True}, "bucket_by_length False, now it is True"),
    ],
)
def test_run_refuses_to_resume_another_run(run: Run, changes: dict[str, Any], named: str) -> None:
    run(num_train_epochs=0.4)
    with pytest.raises(TrainingError, match=named):
        run(**changes)


def test_run_seed_decides_the_weights(run: Run, tmp_path: Path) -> None:
    for seed in (1, 2):
        run(seed=seed, output_dir=tmp_path / str(seed), num_train_epochs=0.4)
    assert weights_crc(tmp_path / "1") != weights_crc(tmp_path / "2")


def test_run_whose_loss_is_no_number_says_so(run: Run) -> None:
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step .*--learning_rate"):
        run(learning_rate=1e30)


def test_run_from_hugging_face_and_back_out_to_an_export(
    run: Run, tmp_path: Path, task_dir: Path
) -> None:
    from bertfast import Predictor, export_bundle

    config = small_config(num_hidden_layers=1, hidden_act="gelu_erf")
    folder = write_hugging_face(tmp_path / "hf", config, random_variables(config))
    task, metrics, _ = run(init_checkpoint=folder, do_eval=True)
    assert task.config.hidden_act == "gelu_erf"
    bundle = export_bundle(tmp_path / "out", tmp_path / "bundle", gate_inputs=20)
    manifest = bundle.manifest
    assert manifest.labels == ("0", "1")
    assert manifest.config.hidden_act == "gelu_erf"
    assert (manifest.do_lower_case, manifest.max_length) == (True, 16)
    predicted = Predictor(bundle.path).predict([e.text_a for e in task.dev_examples])
    labels = [int(str(example.label)) for example in task.dev_examples]
    assert metrics["eval_accuracy"] == np.mean(np.asarray(predicted).argmax(1) == labels)


def test_run_config_is_the_originals_word_for_tanh_gelu(run: Run, tmp_path: Path) -> None:
    run(num_train_epochs=0.2)
    values = json.loads((tmp_path / "out" / "bert_config.json").read_text())
    assert values["hidden_act"] == "gelu"
    assert values["id2label"] == {"0": "0", "1": "1"}


def test_run_predicts_with_a_trained_init_checkpoint(run: Run, tmp_path: Path) -> None:
    run()
    evaluated = {"do_train": False, "do_eval": True, "output_dir": tmp_path / "other"}
    _, metrics, _ = run(**evaluated, init_checkpoint=tmp_path / "out")
    assert metrics["global_step"] == 0
    assert not CheckpointStore(tmp_path / "other").steps()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"do_train": False}, InputError, "At least one of `do_train`"),
        ({"do_train": False, "do_eval": True}, CheckpointError, "has no classifier"),
        ({"train_batch_size": 100}, InputError, "40 training examples make no step"),
        ({"gradient_accumulation_steps": 3}, InputError, "cannot be split into"),
        ({"learning_rate": float("nan")}, InputError, "learning_rate must be"),
        ({"mixed_precision": "int4"}, InputError, "mixed_precision must be one of"),
        ({"num_train_epochs": 0.0}, InputError, "num_train_epochs must be above 0"),
        ({"warmup_proportion": 1.5}, InputError, "warmup_proportion must be from 0 to 1"),
        ({"eval_batch_size": 0}, InputError, "eval_batch_size must be at least 1"),
    ],
)
def test_run_refuses_bad_options(
    run: Run, changes: dict[str, Any], error: type[BertfastError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(**changes)


def test_run_init_checkpoint_with_other_labels_is_refused(run: Run, tmp_path: Path) -> None:
    config = small_config(num_hidden_layers=1)
    folder = write_original(tmp_path / "mnli", config, random_variables(config, n_labels=3))
    with pytest.raises(CheckpointError, match=r"output_weights has shape \[3, 24\].*2 labels"):
        run(init_checkpoint=folder)


def test_run_options_are_immutable(run: Run) -> None:
    task, _, _ = run(num_train_epochs=0.2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.options.seed = 3  # type: ignore[misc]
