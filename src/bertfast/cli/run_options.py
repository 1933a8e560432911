"""The options that `run-classifier` and `run-pretraining` share: the original flags and ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bertfast.cli.flags import bool_flag
from bertfast.tf.devices import STRATEGIES, Devices
from bertfast.tf.options import MIXED_PRECISIONS

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

PATH = click.Path(path_type=Path)


def flag(name: str, default: float | str, text: str) -> Callable[[Any], Any]:
    """Return a decorator that adds a flag of the default's type, default shown."""
    return click.option(f"--{name}", default=default, show_default=True, help=text)


def path_flag(name: str, text: str, *, required: bool = False) -> Callable[[Any], Any]:
    """Return a decorator that adds a flag for a path."""
    return click.option(f"--{name}", type=PATH, required=required, metavar="PATH", help=text)


_MODEL = (
    path_flag("output_dir", "Folder of checkpoints and results.", required=True),
    path_flag("bert_config_file", "Configuration [the one beside --init_checkpoint]."),
    path_flag(
        "init_checkpoint",
        "Weights to start from: an original checkpoint's prefix, or a folder, also of Hugging "
        "Face's with safetensors.",
    ),
    flag("max_seq_length", 128, "Tokens a row, padding included."),
)
_TRAINING = (
    bool_flag("do_train", False, "Train, on from the last good checkpoint in --output_dir."),
    bool_flag("do_eval", False, "Evaluate."),
    flag("train_batch_size", 32, "Rows a step, over all devices."),
    flag("eval_batch_size", 8, "Rows an evaluation batch."),
    flag("learning_rate", 5e-5, "Peak of Adam's learning rate."),
    flag("save_checkpoints_steps", 1000, "Steps between checkpoints."),
    flag("iterations_per_loop", 1000, "Steps that a TPU runs before it reports."),
)
_DEVICES = (
    bool_flag("use_tpu", False, "Run on a TPU."),
    click.option("--tpu_name", help="The TPU's name or grpc:// address."),
    click.option("--tpu_zone", help="The TPU's zone [from the metadata]."),
    click.option("--gcp_project", help="The TPU's project [from the metadata]."),
    click.option("--master", help="The TPU's address, if it has no name."),
    flag("num_tpu_cores", 8, "Cores of the TPU."),
    click.option(
        "--strategy",
        type=click.Choice(STRATEGIES),
        default="auto",
        show_default=True,
        help="auto: the TPU with --use_tpu, all GPUs if there are several, else one device.",
    ),
    flag("cpu_devices", 1, "Split the CPU into logical devices, to try out mirrored."),
)
_OURS = (
    flag("seed", 0, "Of fresh weights, dropout and the order of the rows."),
    flag("gradient_accumulation_steps", 1, "Parts a batch is run in, to need less memory."),
    click.option(
        "--mixed_precision",
        type=click.Choice(MIXED_PRECISIONS),
        default="off",
        show_default=True,
        help="bfloat16 products and activations, for newer GPUs and TPUs.",
    ),
    click.option(
        "--trim_padding",
        type=click.BOOL,
        help="Cut each batch to its longest row [true, but false on a TPU].",
    ),
    bool_flag("bucket_by_length", False, "Train on batches of rows of similar lengths: faster."),
    flag("keep_checkpoint_max", 5, "Checkpoints that are kept."),
    click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors."),
)


def run_options(command: Command) -> Command:
    """Add the shared options; `make_devices` reads those of devices out."""
    for option in reversed((*_MODEL, *_TRAINING, *_DEVICES, *_OURS)):
        command = option(command)
    return command


def make_devices(values: dict[str, Any]) -> Devices:
    """Take the options of devices out of a command's `values`.

    Raises:
        DeviceError: they contradict each other.
    """
    names = ("strategy", "use_tpu", "tpu_name", "tpu_zone", "gcp_project", "master")
    taken = {name: values.pop(name) for name in names}
    return Devices(
        **taken,
        num_tpu_cores=values.pop("num_tpu_cores"),
        n_cpu_devices=values.pop("cpu_devices"),
    )


def speaker(quiet: bool) -> Callable[[str], None]:
    """Return what prints a run's lines: on standard error, or nowhere."""
    return (lambda _: None) if quiet else (lambda line: click.echo(line, err=True))
