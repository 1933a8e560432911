"""Pretraining: the heads against numpy, and whole runs."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.errors import BertfastError, ConfigError, InputError, TrainingError
from bertfast.onnx.oracle import ACTIVATIONS, BertOracle, softmax
from bertfast.tf.checkpoints import CheckpointStore
from bertfast.tf.pretraining_task import PretrainingOptions, prepare_pretraining
from tests.small_bert import random_variables, small_config
from tests.tf.conftest import Arrays, small_batch

tf = pytest.importorskip("tensorflow")

from bertfast.tf.initialization import initialize, snapshot  # noqa: E402
from bertfast.tf.layers import DropoutSeeds  # noqa: E402
from bertfast.tf.model_source import InitialWeights  # noqa: E402
from bertfast.tf.pretraining import (  # noqa: E402
    BertForPreTraining,
    PretrainingMetrics,
    gather_indexes,
)
from bertfast.tf.record_files import (  # noqa: E402
    float_feature,
    int_feature,
    open_records,
    serialize,
)
from bertfast.tf.run_pretraining import run_pretraining  # noqa: E402

WIDTH, PREDICTIONS = 16, 3


def pretraining_batch(config: BertConfig, n_rows: int = 4, seed: int = 0) -> Arrays:
    """Random rows whose last prediction only fills the row."""
    rng = np.random.default_rng(seed)
    batch = small_batch(config, rng.integers(4, WIDTH + 1, n_rows).tolist(), WIDTH, seed)
    del batch["label_ids"], batch["is_real_example"]
    positions = rng.integers(1, 4, (n_rows, PREDICTIONS)).astype(np.int32)
    weights = np.ones((n_rows, PREDICTIONS), np.float32)
    positions[:, -1] = weights[:, -1] = 0
    return batch | {
        "masked_lm_positions": positions,
        "masked_lm_ids": rng.integers(0, config.vocab_size, positions.shape).astype(np.int32),
        "masked_lm_weights": weights,
        "next_sentence_labels": rng.integers(0, 2, (n_rows, 1)).astype(np.int32),
    }


def random_model(config: BertConfig) -> tuple[BertForPreTraining, Arrays]:
    """A model with large random weights, its heads' too."""
    model = BertForPreTraining(config)
    variables = random_variables(config)
    rng = np.random.default_rng(5)
    for name, value in snapshot(model.trainable_variables).items():
        if name.startswith("cls/"):
            variables[name] = rng.normal(0, 0.5, value.shape).astype(np.float32)
    report = initialize(model.trainable_variables, InitialWeights(Path("x"), variables))
    assert not report.fresh
    assert not report.unused
    return model, variables


def head_in_numpy(
    config: BertConfig, variables: Arrays, batch: Arrays
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The words' and the relations' logits in float64, as run_pretraining.py has them."""
    wide = {name: value.astype(np.float64) for name, value in variables.items()}
    inputs = (batch[name] for name in ("input_ids", "input_mask", "segment_ids"))
    outputs = BertOracle(config, wide).run(*inputs)
    rows = np.arange(len(batch["input_ids"]))[:, None]
    x = outputs["sequence_output"][rows, batch["masked_lm_positions"]].reshape(
        -1, config.hidden_size
    )
    scope = "cls/predictions/transform"
    x = x @ wide[f"{scope}/dense/kernel"] + wide[f"{scope}/dense/bias"]
    x = ACTIVATIONS[config.hidden_act](x)
    centred = x - x.mean(-1, keepdims=True)
    x = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + config.layer_norm_eps)
    x = x * wide[f"{scope}/LayerNorm/gamma"] + wide[f"{scope}/LayerNorm/beta"]
    words = x @ wide["bert/embeddings/word_embeddings"].T + wide["cls/predictions/output_bias"]
    relation = "cls/seq_relationship"
    weights, bias = wide[f"{relation}/output_weights"], wide[f"{relation}/output_bias"]
    return words, outputs["pooled_output"] @ weights.T + bias


def cross_entropy(logits: NDArray[Any], ids: NDArray[Any]) -> NDArray[Any]:
    losses: NDArray[Any] = -np.log(softmax(logits)[np.arange(len(ids)), ids])
    return losses


def test_pretraining_logits_losses_and_metrics_equal_numpy() -> None:
    config = small_config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model, variables = random_model(config)
    batch = pretraining_batch(config, 6)
    words, relations = head_in_numpy(config, variables, batch)
    given_words, given_relations = model(batch)
    np.testing.assert_allclose(given_words, words, atol=1e-4)
    np.testing.assert_allclose(given_relations, relations, atol=1e-4)
    ids, labels = batch["masked_lm_ids"].ravel(), batch["next_sentence_labels"].ravel()
    weights = batch["masked_lm_weights"].ravel()
    word_losses, relation_losses = cross_entropy(words, ids), cross_entropy(relations, labels)
    word_loss = (word_losses * weights).sum() / (weights.sum() + 1e-5)
    loss = model.loss(batch, DropoutSeeds(tf.constant([1, 2])))
    assert float(loss) == pytest.approx(word_loss + relation_losses.mean(), rel=1e-5)
    metrics = PretrainingMetrics()
    metrics.add(PretrainingMetrics.batch_sums(model, batch))
    is_real = weights > 0
    assert metrics.n_rows == 6
    assert metrics.result() == pytest.approx(
        {
            "masked_lm_accuracy": np.mean((words.argmax(1) == ids)[is_real]),
            "masked_lm_loss": word_losses[is_real].mean(),
            "next_sentence_accuracy": np.mean(relations.argmax(1) == labels),
            "next_sentence_loss": relation_losses.mean(),
        },
        rel=1e-5,
    )


def test_pretraining_predictions_that_fill_a_row_do_not_count() -> None:
    config = small_config()
    model, _ = random_model(config)
    batch = pretraining_batch(config)
    other = batch | {"masked_lm_ids": batch["masked_lm_ids"].copy()}
    other["masked_lm_ids"][:, -1] += 1
    seeds = [DropoutSeeds(tf.constant([1, 2])) for _ in range(2)]
    assert float(model.loss(batch, seeds[0])) == float(model.loss(other, seeds[1]))


def test_pretraining_variables_have_the_original_names() -> None:
    config = small_config()
    names = set(snapshot(BertForPreTraining(config).trainable_variables))
    heads = {name for name in names if not name.startswith("bert/")}
    assert heads == {
        "cls/predictions/transform/dense/kernel",
        "cls/predictions/transform/dense/bias",
        "cls/predictions/transform/LayerNorm/gamma",
        "cls/predictions/transform/LayerNorm/beta",
        "cls/predictions/output_bias",
        "cls/seq_relationship/output_weights",
        "cls/seq_relationship/output_bias",
    }


def test_gather_indexes_takes_rows_in_order() -> None:
    sequence = tf.constant(np.arange(2 * 4 * 3).reshape(2, 4, 3))
    gathered = gather_indexes(sequence, tf.constant([[0, 3], [1, 1]]))
    assert gathered.numpy().tolist() == [[0, 1, 2], [9, 10, 11], [15, 16, 17], [15, 16, 17]]


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    """Options of a small run, and its files."""
    config = small_config(num_hidden_layers=1)
    path = tmp_path / "bert_config.json"
    path.write_text(config.to_json_string())
    records = tmp_path / "data.tfrecord"
    batch = pretraining_batch(config, 22)
    with open_records([str(records)]) as (writer,):
        for row in range(22):
            features = {
                name: float_feature(array[row].tolist())
                if name == "masked_lm_weights"
                else int_feature(array[row].tolist())
                for name, array in batch.items()
            }
            writer.write(serialize(features))
    return {
        "input_files": (records,),
        "output_dir": tmp_path / "out",
        "bert_config_file": path,
        "max_seq_length": WIDTH,
        "max_predictions_per_seq": PREDICTIONS,
        "train_batch_size": 4,
        "eval_batch_size": 4,
        "learning_rate": 5e-3,
        "num_train_steps": 12,
        "num_warmup_steps": 3,
        "save_checkpoints_steps": 5,
        "do_train": True,
    }


def run(options: dict[str, Any], **changes: Any) -> tuple[dict[str, float | int], list[str]]:
    said: list[str] = []
    given = PretrainingOptions(**(options | changes))
    store = CheckpointStore(given.output_dir, on_message=said.append)
    return run_pretraining(prepare_pretraining(given, store), say=said.append), said


def crc(folder: Path) -> int:
    variables = read_checkpoint(folder, keep_optimizer=True)
    return zlib.crc32(b"".join(variables[name].tobytes() for name in sorted(variables)))


def test_run_pretraining_writes_the_originals_results(
    options: dict[str, Any], tmp_path: Path
) -> None:
    before, _ = run(options, num_train_steps=1, do_eval=True, output_dir=tmp_path / "one")
    after, _ = run(options, num_train_steps=60, do_eval=True, save_checkpoints_steps=100)
    assert after["masked_lm_loss"] < before["masked_lm_loss"]
    lines = (tmp_path / "out" / "eval_results.txt").read_text().splitlines()
    assert [line.split(" = ")[0] for line in lines] == [
        "global_step",
        "loss",
        "masked_lm_accuracy",
        "masked_lm_loss",
        "next_sentence_accuracy",
        "next_sentence_loss",
    ]
    assert after["global_step"] == 60
    assert (tmp_path / "out" / "bert_config.json").is_file()


def test_run_pretraining_resumed_reaches_the_same_bits(
    options: dict[str, Any], tmp_path: Path
) -> None:
    run(options)
    run(options, output_dir=tmp_path / "other")
    expected = crc(tmp_path / "out")
    for path in (tmp_path / "other").glob("model.ckpt-12*"):
        path.unlink()
    data = tmp_path / "other" / "model.ckpt-10.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    _, said = run(options, output_dir=tmp_path / "other")
    assert "resuming at step 5 of 12" in said
    assert crc(tmp_path / "other") == expected


def test_run_pretraining_evaluates_every_row_and_stops_at_max_eval_steps(
    options: dict[str, Any],
) -> None:
    run(options)
    evaluated = {"do_train": False, "do_eval": True}
    whole, _ = run(options, **evaluated)
    untrimmed, _ = run(options, **evaluated, trim_padding=False, eval_batch_size=22)
    assert whole["masked_lm_loss"] == pytest.approx(untrimmed["masked_lm_loss"], rel=1e-5)
    first, _ = run(options, **evaluated, max_eval_steps=1)
    assert first["masked_lm_loss"] != whole["masked_lm_loss"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"do_train": False}, InputError, "At least one of"),
        ({"input_files": (Path("absent"),)}, InputError, "no such file: 'absent'"),
        ({"bert_config_file": None}, ConfigError, "no configuration"),
        ({"max_seq_length": 65}, ConfigError, "Cannot use sequence length 65"),
        ({"max_seq_length": 12}, InputError, "'input_ids' has 16 values"),
        ({"num_train_steps": 0}, InputError, "num_train_steps must be at least 1"),
        ({"num_warmup_steps": -1}, InputError, "num_warmup_steps must be at least 0"),
    ],
)
def test_run_pretraining_refuses_bad_options(
    options: dict[str, Any], changes: dict[str, Any], error: type[BertfastError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(options, **changes)


def test_run_pretraining_refuses_to_resume_another_run(options: dict[str, Any]) -> None:
    run(options, num_train_steps=1)
    with pytest.raises(TrainingError, match="seed 0, now it is 7"):
        run(options, seed=7)
