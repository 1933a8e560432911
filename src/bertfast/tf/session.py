"""What training, evaluation and prediction have in common: strategy, model, weights, batches."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.config import BertConfig
from bertfast.errors import InputError
from bertfast.tf.batches import bucketed, distribute, trimmed
from bertfast.tf.checkpoints import CheckpointStore, Saved, named_after
from bertfast.tf.failures import computing, writing
from bertfast.tf.initialization import initialize, restore
from bertfast.tf.model_source import InitialWeights
from bertfast.tf.optimization import AdamWeightDecay, LearningRate
from bertfast.tf.options import RunOptions
from bertfast.tf.train_step import LossFunction, TrainStep
from bertfast.tf.training import Schedule, TrainingLoop, trained_variables

Dataset: TypeAlias = Any
Tensor: TypeAlias = Any
Say: TypeAlias = Callable[[str], None]

_COMPUTE_DTYPES = {"off": tf.float32, "bfloat16": tf.bfloat16}
_STEPS_PER_LOOP = 10  # off TPUs, so that reports and Ctrl-C are not late


def compute_dtype(options: RunOptions) -> Any:
    """Return the dtype of products and activations."""
    return _COMPUTE_DTYPES[options.mixed_precision]


def config_values(config: BertConfig) -> dict[str, Any]:
    """Return what a bert_config.json holds, which the original can read if it has the function."""
    values = config.to_dict()
    if values["hidden_act"] == "gelu_tanh":
        values["hidden_act"] = "gelu"  # the original's word for it
    return values


def check_batch_size(name: str, batch_size: int, strategy: Any, n_parts: int = 1) -> None:
    """Check that a batch can be split between the strategy's replicas.

    Raises:
        InputError: it cannot.
    """
    n_replicas = strategy.num_replicas_in_sync
    if batch_size % (n_replicas * n_parts):
        parts = f" and {n_parts} parts" if n_parts > 1 else ""
        raise InputError(
            f"{name} {batch_size} cannot be split equally between {n_replicas} devices{parts}"
        )


def start_weights(
    model: Any, initial: InitialWeights | None, saved: Saved | None, say: Say
) -> None:
    """Give the model the weights of the last checkpoint, else the initial ones."""
    if saved:
        with named_after(saved.prefix):
            restore(model.trainable_variables, saved.variables)
        say(f"weights of {saved.prefix}")
    elif initial:
        with named_after(initial.checkpoint):
            report = initialize(model.trainable_variables, initial)
        for line in report.lines():
            say(line)


def train(
    model: Any,
    loss: LossFunction,
    rate: LearningRate,
    open_batches: Callable[[int, int], Dataset],
    options: RunOptions,
    *,
    store: CheckpointStore,
    saved: Saved | None,
    say: Say,
) -> int:
    """Train a model in the current strategy's scope, on from a checkpoint; return the last step.

    Args:
        model: has `trainable_variables`, which already hold the weights.
        loss: of a batch and the seeds of its dropouts.
        rate: the learning rate by step.
        open_batches: opens the stream of training batches of a size, without the first so many.
        options: of the run.
        store: gets the checkpoints.
        saved: the checkpoint to go on from, or None.
        say: called with lines of text.

    Raises:
        BertfastError: a subclass; checkpoints that were saved stay intact.
    """
    strategy, n_parts = tf.distribute.get_strategy(), options.gradient_accumulation_steps
    check_batch_size("train_batch_size", options.train_batch_size, strategy, n_parts)
    optimizer = AdamWeightDecay(model.trainable_variables, rate)
    if saved:
        with named_after(saved.prefix):
            restore(trained_variables(optimizer), saved.variables)
        say(f"resuming at step {saved.step} of {rate.n_steps}")
    step = TrainStep(loss, optimizer, seed=options.seed, n_accumulations=n_parts)
    loop_steps = options.iterations_per_loop
    schedule = Schedule(
        n_steps=rate.n_steps,
        save_every=options.save_checkpoints_steps,
        steps_per_loop=loop_steps if options.devices.is_tpu else min(loop_steps, _STEPS_PER_LOOP),
        batch_size=options.train_batch_size,
    )
    loop = TrainingLoop(step, optimizer, store, schedule, summary_dir=options.output_dir, say=say)
    loop.run(lambda skip: training_batches(open_batches, options, skip))
    return int(optimizer.global_step.numpy())


def training_batches(
    open_batches: Callable[[int, int], Dataset], options: RunOptions, skip: int
) -> Dataset:
    """Return training batches, shaped as the options say, without the first `skip`."""
    if options.bucket_by_length:
        batches = bucketed(open_batches, options.train_batch_size, skip, options.seed)
    else:
        batches = open_batches(options.train_batch_size, skip)
    return trimmed(batches) if options.trims_padding else batches


def run_batches(
    function: Callable[[dict[str, Tensor]], Tensor], batches: Dataset, options: RunOptions
) -> Iterator[tuple[dict[str, list[Tensor]], list[Tensor]]]:
    """Run a function over batches on all replicas; yield each batch and its results by replica."""
    strategy = tf.distribute.get_strategy()
    shaped = trimmed(batches) if options.trims_padding else batches
    run = tf.function(lambda batch: strategy.run(function, args=(batch,)), reduce_retracing=True)
    for batch in distribute(shaped, strategy):
        with computing():
            results = strategy.experimental_local_results(run(batch))
        parts = {
            name: list(strategy.experimental_local_results(tensor))
            for name, tensor in batch.items()
        }
        yield parts, list(results)


def write_scalars(folder: Path, values: dict[str, float], step: int) -> None:
    """Write an evaluation's metrics for TensorBoard."""
    with writing(folder):
        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step)
        writer.close()


def write_metrics(path: Path, values: dict[str, float | int], say: Say) -> None:
    """Write the original's `eval_results.txt`: a line "name = value" for each, sorted."""
    lines = [f"{name} = {values[name]}" for name in sorted(values)]
    with writing(path):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    say(f"***** Eval results ***** ({path})")
    for line in lines:
        say(f"  {line}")
