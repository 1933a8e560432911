"""Options that training and pretraining have in common, with the original flags' names."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from bertfast.errors import ConfigError, InputError
from bertfast.tf.devices import Devices

MIXED_PRECISIONS = ("off", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of a run that trains, evaluates, or both; checked on construction.

    Attributes:
        output_dir: folder of checkpoints and results; created.
        bert_config_file: configuration; None for the one beside `init_checkpoint`.
        init_checkpoint: checkpoint or folder whose weights are taken at step 0.
        max_seq_length: tokens a row, padding included.
        do_train: train, from the last good checkpoint in `output_dir` if there is one.
        do_eval: evaluate afterwards.
        train_batch_size: rows a step, over all devices and accumulated parts.
        eval_batch_size: rows a batch.
        learning_rate: its peak.
        save_checkpoints_steps: steps between checkpoints.
        iterations_per_loop: steps that a TPU runs before it reports.
        seed: of fresh weights, dropout and the order of the rows.
        gradient_accumulation_steps: parts in which a batch is run, to need less memory.
        mixed_precision: "off", or "bfloat16" for products and activations.
        trim_padding: cut each batch to its longest row; None: not on a TPU.
        bucket_by_length: train on batches of similar lengths.
        keep_checkpoint_max: how many checkpoints are kept.
        devices: where to run.

    Raises:
        InputError: an option out of its range.

    Example:
        >>> from pathlib import Path
        >>> RunOptions(output_dir=Path("out"), max_seq_length=64).trims_padding
        True
    """

    output_dir: Path
    bert_config_file: Path | None = None
    init_checkpoint: Path | None = None
    max_seq_length: int = 128
    do_train: bool = False
    do_eval: bool = False
    train_batch_size: int = 32
    eval_batch_size: int = 8
    learning_rate: float = 5e-5
    save_checkpoints_steps: int = 1000
    iterations_per_loop: int = 1000
    seed: int = 0
    gradient_accumulation_steps: int = 1
    mixed_precision: str = "off"
    trim_padding: bool | None = None
    bucket_by_length: bool = False
    keep_checkpoint_max: int = 5
    devices: Devices = field(default_factory=Devices)

    def __post_init__(self) -> None:
        for name in (
            "train_batch_size",
            "eval_batch_size",
            "save_checkpoints_steps",
            "iterations_per_loop",
            "gradient_accumulation_steps",
            "keep_checkpoint_max",
        ):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("max_seq_length", self.max_seq_length, 3)  # [CLS], a piece, [SEP]
        check_at_least("seed", self.seed, 0)
        if not (math.isfinite(self.learning_rate) and self.learning_rate >= 0):
            raise InputError(f"learning_rate must be a number from 0, got {self.learning_rate}")
        if self.mixed_precision not in MIXED_PRECISIONS:
            raise InputError(
                f"mixed_precision must be one of {', '.join(MIXED_PRECISIONS)}, "
                f"got {self.mixed_precision!r}"
            )
        parts = self.gradient_accumulation_steps
        if self.train_batch_size % parts:
            raise InputError(
                f"train_batch_size {self.train_batch_size} cannot be split into "
                f"gradient_accumulation_steps {parts} parts"
            )

    @property
    def trims_padding(self) -> bool:
        """Whether batches are cut to their longest row; a TPU wants every shape the same."""
        return not self.devices.is_tpu if self.trim_padding is None else self.trim_padding


def check_at_least(name: str, value: int, least: int) -> None:
    """Check an integer option.

    Raises:
        InputError: it is smaller.
    """
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")


def check_length(max_seq_length: int, max_position_embeddings: int) -> None:
    """Check that the model has a position for every token of a row.

    Raises:
        ConfigError: it has fewer; the original's words.
    """
    if max_seq_length > max_position_embeddings:
        raise ConfigError(
            f"Cannot use sequence length {max_seq_length} because the BERT model was only "
            f"trained up to sequence length {max_position_embeddings}"
        )


def prepare_output_dir(folder: Path) -> None:
    """Create the output folder, and check that files can be written into it.

    Raises:
        InputError: it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot create output_dir {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"output_dir {folder} is not writable")
