"""Trains, evaluates and predicts with a classifier: the original's run_classifier.py.

Its output folder:

    train.tf_record     the features that were trained on       bert_config.json, vocab.txt,
    model.ckpt-*        checkpoints                             tokenizer_config.json: what
    eval_results.txt    metrics of the dev set                  `bertfast export` wants to see
    test_results.tsv    probabilities of the test set           beside the checkpoints
"""

import json
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.glue.examples import InputExample, pad_examples
from bertfast.glue.metrics import task_metrics
from bertfast.tf.classifier import BertClassifier
from bertfast.tf.classifier_task import ClassifierTask
from bertfast.tf.distribution import make_strategy
from bertfast.tf.failures import writing
from bertfast.tf.optimization import LearningRate
from bertfast.tf.records import input_pipeline, write_examples
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
Floats: TypeAlias = NDArray[np.float64]


def run_classifier(task: ClassifierTask, *, say: Say) -> dict[str, float | int]:
    """Do what the task's options say; return the evaluation's metrics, empty without one.

    Args:
        task: found and checked by `prepare_classifier`.
        say: called with lines of text for the user.

    Raises:
        BertfastError: a subclass; checkpoints that were saved stay intact.

    Example:
        >>> from bertfast.tf.classifier_task import prepare_classifier
        >>> task = prepare_classifier(options, store)   # of MRPC, with do_eval  # doctest: +SKIP
        >>> sorted(run_classifier(task, say=print))                              # doctest: +SKIP
        ['eval_accuracy', 'eval_f1', 'eval_loss', 'global_step', 'loss']
    """
    options = task.options
    strategy = make_strategy(options.devices)
    _check_batch_sizes(task, strategy)
    metrics: dict[str, float | int] = {}
    with strategy.scope():
        model = BertClassifier(
            task.config,
            len(task.labels),
            use_one_hot_embeddings=options.devices.is_tpu,
            compute_dtype=compute_dtype(options),
            seed=options.seed,
        )
        start_weights(model, task.initial, task.saved, say)
        step = task.saved.step if task.saved else 0
        records = _Records(task)
        if options.do_train:
            step = _train(model, task, records, say)
        if options.do_eval:
            metrics = _evaluate(model, task, records, step, say)
        if options.do_predict:
            _predict(model, task, records, say)
    return metrics


def _check_batch_sizes(task: ClassifierTask, strategy: Any) -> None:
    """Check all of them before the first is used."""
    options = task.options
    if options.do_train:
        parts = options.gradient_accumulation_steps
        check_batch_size("train_batch_size", options.train_batch_size, strategy, parts)
    if options.do_eval:
        check_batch_size("eval_batch_size", options.eval_batch_size, strategy)
    if options.do_predict:
        check_batch_size("predict_batch_size", options.predict_batch_size, strategy)


def _train(model: BertClassifier, task: ClassifierTask, records: "_Records", say: Say) -> int:
    options = task.options
    n_steps = task.n_train_steps
    if task.saved and task.saved.step >= n_steps:
        say(f"training is done: {task.saved.prefix} is at step {task.saved.step} of {n_steps}")
        return task.saved.step
    for line in (
        "***** Running training *****",
        f"  Num examples = {len(task.train_examples)}",
        f"  Batch size = {options.train_batch_size}",
        f"  Num steps = {n_steps}",
    ):
        say(line)
    path = options.output_dir / "train.tf_record"
    with writing(options.output_dir):
        write_record(options.output_dir, task.settings())
        _write_model_files(task)
    records.write(task.train_examples, path)
    return train(
        model,
        model.loss,
        LearningRate(options.learning_rate, n_steps, task.n_warmup_steps),
        lambda size, skip: records.open(
            path, size, is_training=True, seed=options.seed, skip_batches=skip
        ),
        options,
        store=task.store,
        saved=task.saved,
        say=say,
    )


def _evaluate(
    model: BertClassifier, task: ClassifierTask, records: "_Records", step: int, say: Say
) -> dict[str, float | int]:
    options, examples = task.options, task.dev_examples
    say(f"***** Running evaluation ***** ({len(examples)} examples)")
    logits, label_ids = _score(model, records, examples, "eval", options.eval_batch_size)
    found = task_metrics(options.task_name, label_ids, logits.argmax(axis=1))
    metrics = {f"eval_{name}": value for name, value in found.items()}
    log_probabilities = np.log(_softmax(logits))
    loss = -float(log_probabilities[np.arange(len(label_ids)), label_ids].mean())
    metrics["eval_loss"] = loss
    write_scalars(options.output_dir / "eval", metrics, step)
    results: dict[str, float | int] = {**metrics, "global_step": step, "loss": loss}
    write_metrics(options.output_dir / "eval_results.txt", results, say)
    return results


def _predict(model: BertClassifier, task: ClassifierTask, records: "_Records", say: Say) -> None:
    """Write the probabilities of the test set, a line for each example, by label."""
    options, examples = task.options, task.test_examples
    say(f"***** Running prediction ***** ({len(examples)} examples)")
    logits, _ = _score(model, records, examples, "predict", options.predict_batch_size)
    path = options.output_dir / "test_results.tsv"
    rows = _softmax(logits).astype(np.float32)
    with writing(path), path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write("\t".join(str(probability) for probability in row) + "\n")
    say(f"***** Predict results ***** ({path})")


def _score(
    model: BertClassifier,
    records: "_Records",
    examples: Sequence[InputExample],
    name: str,
    batch_size: int,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the logits, float64 [examples, labels], and label ids of examples, in their order.

    Padding examples fill the last batch, which a TPU could not take smaller; they are scored,
    but not returned.
    """
    options = records.task.options
    path = options.output_dir / f"{name}.tf_record"
    records.write(pad_examples(examples, batch_size), path)
    batches = records.open(path, batch_size, is_training=False, seed=0)
    logits, label_ids, is_real = [], [], []
    for parts, results in run_batches(model.logits, batches, options):
        logits += [result.numpy() for result in results]
        label_ids += [part.numpy() for part in parts["label_ids"]]
        is_real += [part.numpy() for part in parts["is_real_example"]]
    kept = np.concatenate(is_real) != 0
    scores = np.concatenate(logits).astype(np.float64)
    return scores[kept], np.concatenate(label_ids)[kept].astype(np.int64)


class _Records:
    """Writes a task's examples and opens what it wrote: features, or texts for the graph.

    Both forms give the same batches.
    """

    def __init__(self, task: ClassifierTask) -> None:
        self.task = task

    def write(self, examples: Sequence[Any], path: Path) -> None:
        task, options = self.task, self.task.options
        if options.tokenize_in_graph:
            from bertfast.tf.text_records import write_texts

            write_texts(examples, task.labels, path)
        else:
            write_examples(examples, task.labels, options.max_seq_length, task.tokenizer, path)

    def open(
        self, path: Path, batch_size: int, *, is_training: bool, seed: int, skip_batches: int = 0
    ) -> Any:
        length = self.task.options.max_seq_length
        chosen: dict[str, Any] = {
            "is_training": is_training,
            "drop_remainder": True,
            "seed": seed,
            "skip_batches": skip_batches,
        }
        if not self.task.options.tokenize_in_graph:
            return input_pipeline(path, length, batch_size, **chosen)
        from bertfast.tf.text_records import text_pipeline

        return text_pipeline(path, self._graph_tokenizer, length, batch_size, **chosen)

    @cached_property
    def _graph_tokenizer(self) -> Any:
        """Its tables take a second or two: once a run."""
        from bertfast.tf.graph_tokenizer import GraphTokenizer

        return GraphTokenizer(self.task.vocab_file, self.task.options.do_lower_case)


def _write_model_files(task: ClassifierTask) -> None:
    """Write what an export finds beside a checkpoint: sizes, labels, vocabulary and casing."""
    folder, config = task.options.output_dir, config_values(task.config)
    config["id2label"] = {str(n): label for n, label in enumerate(task.labels)}
    tokenizer = {
        "do_lower_case": task.options.do_lower_case,
        "model_max_length": task.options.max_seq_length,
    }
    for name, values in (("bert_config.json", config), ("tokenizer_config.json", tokenizer)):
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    vocab_file = folder / "vocab.txt"
    if not (vocab_file.exists() and vocab_file.samefile(task.vocab_file)):
        shutil.copyfile(task.vocab_file, vocab_file)


def _softmax(logits: Floats) -> Floats:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities
