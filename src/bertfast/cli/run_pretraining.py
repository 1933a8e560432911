"""`bertfast run-pretraining`: masked words and next sentences."""

from pathlib import Path
from typing import Any

import click

from bertfast.cli.create_pretraining_data import find_files
from bertfast.cli.flags import FlagsCommand, require_tensorflow
from bertfast.cli.run_options import flag, make_devices, run_options, speaker


@click.command(cls=FlagsCommand)
@click.option(
    "--input_file",
    required=True,
    metavar="FILE,...",
    help="TFRecord files or patterns, of create-pretraining-data.",
)
@run_options
@flag("max_predictions_per_seq", 20, "Masked tokens of a row, as the files were written with.")
@flag("num_train_steps", 100_000, "Training steps.")
@flag("num_warmup_steps", 10_000, "Steps in which the learning rate rises.")
@flag("max_eval_steps", 100, "Evaluation batches at most.")
def run_pretraining(*, quiet: bool, input_file: str, output_dir: Path, **values: Any) -> None:
    """Train a BERT on masked words and next sentences, from scratch or from a checkpoint.

    The flags are those of the original run_pretraining.py, and so are the results in
    OUTPUT_DIR: checkpoints and eval_results.txt. A run that was interrupted goes on from its
    last good checkpoint with the same batches.
    """
    from bertfast.tf.checkpoints import CheckpointStore
    from bertfast.tf.pretraining_task import PretrainingOptions, prepare_pretraining

    say = speaker(quiet)
    devices = make_devices(values)
    files = tuple(Path(path) for path in find_files(input_file))
    options = PretrainingOptions(
        input_files=files, output_dir=output_dir, devices=devices, **values
    )
    store = CheckpointStore(output_dir, keep=options.keep_checkpoint_max, on_message=say)
    require_tensorflow("run-pretraining")
    task = prepare_pretraining(options, store)

    from bertfast.tf.run_pretraining import run_pretraining

    run_pretraining(task, say=say)
