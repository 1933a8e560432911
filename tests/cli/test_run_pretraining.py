"""`bertfast create-pretraining-data`, then `run-pretraining`, as users run them."""

import importlib.util
from pathlib import Path

import pytest

from bertfast.checkpoint import read_checkpoint
from tests.cli.command import run
from tests.small_bert import random_variables, small_config, write_original

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)

DOCUMENT = "the un a .\na the un the\nun un a the .\nthe a the a un\n"


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Flags of both commands: a small model and instances for it."""
    config = small_config(num_hidden_layers=1)
    model = write_original(tmp_path / "model", config, random_variables(config))
    (tmp_path / "corpus.txt").write_text("\n".join([DOCUMENT] * 8))
    instances = tmp_path / "instances.tfrecord"
    shared = ["--max_seq_length=16", "--max_predictions_per_seq=3"]
    done = run(
        "create-pretraining-data",
        f"--input_file={tmp_path / 'corpus.txt'}",
        f"--output_file={instances}",
        f"--vocab_file={model / 'vocab.txt'}",
        *shared,
    )
    assert done.returncode == 0, done.stderr
    return [
        f"--input_file={instances}",
        f"--init_checkpoint={model / 'bert_model.ckpt'}",
        f"--output_dir={tmp_path / 'out'}",
        *shared,
    ]


def test_pretraining_goes_on_from_a_checkpoint_and_writes_its_results(
    flags: list[str], tmp_path: Path
) -> None:
    steps = ["--num_train_steps=4", "--num_warmup_steps=1", "--train_batch_size=4"]
    steps += ["--max_eval_steps=2", "--save_checkpoints_steps=2", "--learning_rate=1e-3"]
    done = run("run-pretraining", *flags, *steps, "--do_train=true", "--do_eval=true")
    assert done.returncode == 0, done.stderr
    results = dict(
        line.split(" = ") for line in (tmp_path / "out/eval_results.txt").read_text().splitlines()
    )
    assert results["global_step"] == "4"
    assert 0 < float(results["masked_lm_loss"]) < 20
    assert 0 <= float(results["next_sentence_accuracy"]) <= 1
    before = read_checkpoint(tmp_path / "model/bert_model.ckpt")
    after = read_checkpoint(tmp_path / "out")
    name = "bert/embeddings/word_embeddings"
    assert (before[name] != after[name]).any()
    assert "cls/predictions/output_bias" in after
