"""`bertfast run-classifier`: fine-tune, evaluate and predict."""

from pathlib import Path
from typing import Any

import click

from bertfast.cli.flags import FlagsCommand, bool_flag, require_tensorflow
from bertfast.cli.run_options import flag, make_devices, path_flag, run_options, speaker
from bertfast.cli.task_options import task_options


@click.command(cls=FlagsCommand)
@path_flag("data_dir", "Folder of the task's TSV files.", required=True)
@task_options
@path_flag("vocab_file", "Vocabulary [vocab.txt beside --init_checkpoint].")
@bool_flag("do_lower_case", True, "Lower the text: true for uncased models, false for cased ones.")
@run_options
@bool_flag("do_predict", False, "Predict the test set.")
@flag("predict_batch_size", 8, "Rows a prediction batch.")
@flag("num_train_epochs", 3.0, "Passes over the training set.")
@flag("warmup_proportion", 0.1, "Part of the steps in which the learning rate rises.")
@bool_flag(
    "tokenize_in_graph", False, "Write texts, and tokenize them while they are read (TF-Text)."
)
def run_classifier(
    *, quiet: bool, output_dir: Path, labels: list[str] | None, **values: Any
) -> None:
    """Fine-tune a BERT on a task of sentences or pairs of them, evaluate it, predict with it.

    The flags are those of the original run_classifier.py, and so are the results in
    OUTPUT_DIR: train.tf_record, checkpoints, eval_results.txt, test_results.tsv. A run that was
    interrupted goes on from its last good checkpoint with the same batches.
    """
    from bertfast.tf.checkpoints import CheckpointStore
    from bertfast.tf.classifier_task import ClassifierOptions, prepare_classifier

    say = speaker(quiet)
    devices = make_devices(values)
    options = ClassifierOptions(
        output_dir=output_dir,
        devices=devices,
        labels=None if labels is None else tuple(labels),
        **values,
    )
    store = CheckpointStore(output_dir, keep=options.keep_checkpoint_max, on_message=say)
    require_tensorflow("run-classifier")
    task = prepare_classifier(options, store)

    from bertfast.tf.run_classifier import run_classifier

    run_classifier(task, say=say)
