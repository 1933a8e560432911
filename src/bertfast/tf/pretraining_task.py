"""Everything a pretraining run must know, found and checked before any long work.

Without TensorFlow, as `classifier_task`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertfast.checkpoint import check_variables
from bertfast.config import BertConfig
from bertfast.errors import CheckpointError, InputError
from bertfast.tf.checkpoints import CheckpointStore, Saved, named_after
from bertfast.tf.model_source import InitialWeights, find_config, read_initial_weights
from bertfast.tf.options import RunOptions, check_at_least, check_length, prepare_output_dir
from bertfast.tf.run_record import check_same_run


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingOptions(RunOptions):
    """Options of `run_pretraining`, by the original flags' names.

    Attributes:
        input_files: TFRecord files of pretraining instances; the original's input_file.
        max_predictions_per_seq: masked tokens of a row.
        num_train_steps: steps of the whole training.
        num_warmup_steps: steps in which the learning rate rises.
        max_eval_steps: evaluation batches at most.

    Example:
        >>> from pathlib import Path
        >>> options = PretrainingOptions(
        ...     input_files=(Path("texts.tfrecord"),), output_dir=Path("out"), do_train=True,
        ...     bert_config_file=Path("bert_config.json"), num_train_steps=1000,
        ... )
        >>> options.max_predictions_per_seq
        20
    """

    input_files: tuple[Path, ...]
    max_predictions_per_seq: int = 20
    num_train_steps: int = 100_000
    num_warmup_steps: int = 10_000
    max_eval_steps: int = 100

    def __post_init__(self) -> None:
        RunOptions.__post_init__(self)
        if not (self.do_train or self.do_eval):
            raise InputError("At least one of `do_train` or `do_eval` must be True.")
        if not self.input_files:
            raise InputError("no input file is given")
        for name in ("max_predictions_per_seq", "num_train_steps", "max_eval_steps"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("num_warmup_steps", self.num_warmup_steps, 0)


@dataclass(frozen=True, slots=True, eq=False)
class PretrainingTask:
    """A run, ready to start.

    `saved` is the last good checkpoint in the output directory; `initial` the weights to start
    from if there is none.

    Example:
        >>> task = prepare_pretraining(options, store)   # doctest: +SKIP
        >>> task.saved is None   # so it starts at step 0  # doctest: +SKIP
        True
    """

    options: PretrainingOptions
    config: BertConfig
    initial: InitialWeights | None
    saved: Saved | None
    store: CheckpointStore

    def settings(self) -> dict[str, Any]:
        """Return what decides the batches, for `training.json`."""
        options = self.options
        files = {path.name: path.stat().st_size for path in options.input_files}
        return {
            "input_files": files,
            "max_seq_length": options.max_seq_length,
            "max_predictions_per_seq": options.max_predictions_per_seq,
            "train_batch_size": options.train_batch_size,
            "seed": options.seed,
            "bucket_by_length": options.bucket_by_length,
        }


def prepare_pretraining(options: PretrainingOptions, store: CheckpointStore) -> PretrainingTask:
    """Find and check all that a run needs.

    Raises:
        BertfastError: a subclass that says which option or file is wrong.

    Example:
        >>> store = CheckpointStore(options.output_dir)   # doctest: +SKIP
        >>> task = prepare_pretraining(options, store)    # doctest: +SKIP
    """
    config = find_config(options.bert_config_file, options.init_checkpoint)
    check_length(options.max_seq_length, config.max_position_embeddings)
    for path in options.input_files:
        if not path.is_file():
            raise InputError(f"no such file: {str(path)!r}")
    prepare_output_dir(options.output_dir)
    task = PretrainingTask(
        options=options,
        config=config,
        initial=read_initial_weights(options.init_checkpoint, config),
        saved=store.latest(),
        store=store,
    )
    if task.saved:
        with named_after(task.saved.prefix):
            check_variables(task.saved.variables, config)
        if options.do_train:
            check_same_run(options.output_dir, task.settings())
    elif not options.do_train and task.initial is None:
        raise CheckpointError(
            f"{options.output_dir} holds no checkpoint to evaluate; pass --do_train or "
            "--init_checkpoint"
        )
    return task
