"""Trains and evaluates on masked words and next sentences: the original's run_pretraining.py.

Its output folder:

    model.ckpt-*        checkpoints             bert_config.json: beside them, for an export
    eval_results.txt    the original's metrics
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.errors import InputError
from bertfast.tf.distribution import make_strategy
from bertfast.tf.failures import writing
from bertfast.tf.optimization import LearningRate
from bertfast.tf.pretraining import BertForPreTraining, PretrainingMetrics
from bertfast.tf.pretraining_records import pretraining_pipeline
from bertfast.tf.pretraining_task import PretrainingOptions, PretrainingTask
from bertfast.tf.run_record import write_record
from bertfast.tf.session import (
    check_batch_size,
    compute_dtype,
    config_values,
    run_batches,
    start_weights,
    train,
    write_metrics,
    write_scalars,
)

Say: TypeAlias = Callable[[str], None]
Dataset: TypeAlias = Any


def run_pretraining(task: PretrainingTask, *, say: Say) -> dict[str, float | int]:
    """Do what the task's options say; return the evaluation's metrics, empty without one.

    Args:
        task: found and checked by `prepare_pretraining`.
        say: called with lines of text for the user.

    Raises:
        BertfastError: a subclass; checkpoints that were saved stay intact.

    Example:
        >>> from bertfast.tf.pretraining_task import prepare_pretraining
        >>> task = prepare_pretraining(options, store)            # doctest: +SKIP
        >>> run_pretraining(task, say=print)   # without do_eval  # doctest: +SKIP
        {}
    """
    options = task.options
    strategy = make_strategy(options.devices)
    if options.do_eval:
        check_batch_size("eval_batch_size", options.eval_batch_size, strategy)
    metrics: dict[str, float | int] = {}
    with strategy.scope():
        model = BertForPreTraining(
            task.config,
            use_one_hot_embeddings=options.devices.is_tpu,
            compute_dtype=compute_dtype(options),
            seed=options.seed,
        )
        start_weights(model, task.initial, task.saved, say)
        step = task.saved.step if task.saved else 0
        if options.do_train:
            step = _train(model, task, say)
        if options.do_eval:
            metrics = _evaluate(model, task, step, say)
    return metrics


def _train(model: BertForPreTraining, task: PretrainingTask, say: Say) -> int:
    options = task.options
    say(f"***** Running training ***** (batch size {options.train_batch_size})")
    with writing(options.output_dir):
        write_record(options.output_dir, task.settings())
        text = json.dumps(config_values(task.config), indent=2, sort_keys=True) + "\n"
        (options.output_dir / "bert_config.json").write_text(text, encoding="utf-8")
    return train(
        model,
        model.loss,
        LearningRate(options.learning_rate, options.num_train_steps, options.num_warmup_steps),
        lambda size, skip: _batches(task, size, is_training=True, skip=skip),
        options,
        store=task.store,
        saved=task.saved,
        say=say,
    )


def _evaluate(
    model: BertForPreTraining, task: PretrainingTask, step: int, say: Say
) -> dict[str, float | int]:
    """Measure on at most `max_eval_steps` batches from the start of the files.

    The loss is what training minimises: the masked words' and the next sentence's, summed.
    """
    options = task.options
    say(f"***** Running evaluation ***** (batch size {options.eval_batch_size})")
    batches = _batches(task, options.eval_batch_size, is_training=False)
    metrics = PretrainingMetrics()
    score = partial(PretrainingMetrics.batch_sums, model)
    for _, by_replica in run_batches(score, batches.take(options.max_eval_steps), options):
        for sums in by_replica:
            metrics.add(sums)
    if not metrics.n_rows:
        raise InputError(
            f"the input files have fewer rows than eval_batch_size {options.eval_batch_size}"
        )
    found = metrics.result()
    loss = found["masked_lm_loss"] + found["next_sentence_loss"]
    results: dict[str, float | int] = {**found, "global_step": step, "loss": loss}
    write_scalars(options.output_dir / "eval", {**found, "loss": loss}, step)
    write_metrics(options.output_dir / "eval_results.txt", results, say)
    return results


def _batches(
    task: PretrainingTask, batch_size: int, *, is_training: bool, skip: int = 0
) -> Dataset:
    options = task.options
    return pretraining_pipeline(
        options.input_files,
        options.max_seq_length,
        options.max_predictions_per_seq,
        batch_size,
        is_training=is_training,
        drop_remainder=is_training or _wants_full_batches(options),
        seed=options.seed,
        skip_batches=skip,
    )


def _wants_full_batches(options: PretrainingOptions) -> bool:
    """Tell whether a smaller last batch cannot be used, by several devices or a TPU."""
    return options.devices.is_tpu or tf.distribute.get_strategy().num_replicas_in_sync > 1
