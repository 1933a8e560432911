"""Everything a run of the classifier must know, found and checked before any long work.

Without TensorFlow: bad input is refused in a second, not after its import.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertfast.checkpoint import check_variables
from bertfast.config import BertConfig
from bertfast.errors import CheckpointError, InputError
from bertfast.glue import InputExample, make_processor
from bertfast.tf.checkpoints import CheckpointStore, Saved, named_after
from bertfast.tf.model_source import (
    InitialWeights,
    check_casing,
    find_config,
    find_vocab,
    read_initial_weights,
)
from bertfast.tf.options import RunOptions, check_at_least, check_length, prepare_output_dir
from bertfast.tf.run_record import check_same_run
from bertfast.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierOptions(RunOptions):
    """Options of `run_classifier`, by the original flags' names.

    Attributes:
        task_name: a name in `bertfast.glue.PROCESSORS`, in any case.
        data_dir: folder of the task's TSV files.
        vocab_file: vocabulary; None for the one beside `init_checkpoint`.
        do_lower_case: whether texts are lowercased.
        do_predict: predict the test set.
        predict_batch_size: rows a batch.
        num_train_epochs: passes over the training set.
        warmup_proportion: part of the steps in which the learning rate rises.
        tokenize_in_graph: write texts instead of features, and tokenize them while they are
            read; the batches are the same.
        text_column, text_b_column, label_column, labels, header: of the task "tsv"; see
            `bertfast.glue.make_processor`.

    Example:
        >>> from pathlib import Path
        >>> options = ClassifierOptions(
        ...     task_name="MRPC", data_dir=Path("glue/MRPC"), output_dir=Path("out"),
        ...     init_checkpoint=Path("uncased_L-12_H-768_A-12"), do_train=True,
        ... )
        >>> options.train_batch_size, options.num_train_epochs
        (32, 3.0)
    """

    task_name: str
    data_dir: Path
    vocab_file: Path | None = None
    do_lower_case: bool = True
    do_predict: bool = False
    predict_batch_size: int = 8
    num_train_epochs: float = 3.0
    warmup_proportion: float = 0.1
    tokenize_in_graph: bool = False
    text_column: str | int | None = None
    text_b_column: str | int | None = None
    label_column: str | int | None = None
    labels: tuple[str, ...] | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        # Not super(): a slotted dataclass is a copy of the class that super() would name.
        RunOptions.__post_init__(self)
        if not (self.do_train or self.do_eval or self.do_predict):
            raise InputError("At least one of `do_train`, `do_eval` or `do_predict` must be True.")
        check_at_least("predict_batch_size", self.predict_batch_size, 1)
        if not 0 < self.num_train_epochs < float("inf"):
            raise InputError(f"num_train_epochs must be above 0, got {self.num_train_epochs}")
        if not 0 <= self.warmup_proportion <= 1:
            raise InputError(f"warmup_proportion must be from 0 to 1, got {self.warmup_proportion}")


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierTask:
    """A run, ready to start. Examples are empty for what it does not do.

    `saved` is the last good checkpoint in the output directory; `initial` the weights to start
    from if there is none.

    Example:
        >>> task = prepare_classifier(options, store)   # doctest: +SKIP
        >>> task.labels, task.n_train_steps             # doctest: +SKIP
        (['0', '1'], 343)
    """

    options: ClassifierOptions
    config: BertConfig
    vocab_file: Path
    tokenizer: Tokenizer
    labels: Sequence[str]
    train_examples: Sequence[InputExample]
    dev_examples: Sequence[InputExample]
    test_examples: Sequence[InputExample]
    initial: InitialWeights | None
    saved: Saved | None
    store: CheckpointStore

    @property
    def n_train_steps(self) -> int:
        """Steps of the whole training, as the original counts them."""
        n_rows = len(self.train_examples) / self.options.train_batch_size
        return int(n_rows * self.options.num_train_epochs)

    @property
    def n_warmup_steps(self) -> int:
        """Steps in which the learning rate rises."""
        return int(self.n_train_steps * self.options.warmup_proportion)

    def settings(self) -> dict[str, Any]:
        """Return what decides the batches, for `training.json`."""
        options = self.options
        return {
            "task_name": options.task_name.lower(),
            "labels": list(self.labels),
            "max_seq_length": options.max_seq_length,
            "do_lower_case": options.do_lower_case,
            "train_batch_size": options.train_batch_size,
            "seed": options.seed,
            "bucket_by_length": options.bucket_by_length,
            "n_train_examples": len(self.train_examples),
            "train_examples_crc32": examples_crc32(self.train_examples),
        }


def prepare_classifier(options: ClassifierOptions, store: CheckpointStore) -> ClassifierTask:
    """Find and check all that a run needs.

    Raises:
        BertfastError: a subclass that says which option or file is wrong.

    Example:
        >>> store = CheckpointStore(options.output_dir)   # doctest: +SKIP
        >>> task = prepare_classifier(options, store)     # doctest: +SKIP
    """
    config = find_config(options.bert_config_file, options.init_checkpoint)
    check_length(options.max_seq_length, config.max_position_embeddings)
    vocab_file = find_vocab(options.vocab_file, options.init_checkpoint)
    check_casing(options.do_lower_case, options.init_checkpoint, vocab_file)
    tokenizer = Tokenizer(vocab_file, do_lower_case=options.do_lower_case)
    _check_vocab_size(tokenizer, vocab_file, config)
    processor = make_processor(
        options.task_name,
        options.data_dir,
        text_column=options.text_column,
        text_b_column=options.text_b_column,
        label_column=options.label_column,
        labels=options.labels,
        header=options.header,
    )
    data_dir, labels = options.data_dir, processor.get_labels()
    prepare_output_dir(options.output_dir)
    task = ClassifierTask(
        options=options,
        config=config,
        vocab_file=vocab_file,
        tokenizer=tokenizer,
        labels=labels,
        train_examples=processor.get_train_examples(data_dir) if options.do_train else [],
        dev_examples=processor.get_dev_examples(data_dir) if options.do_eval else [],
        test_examples=processor.get_test_examples(data_dir) if options.do_predict else [],
        initial=read_initial_weights(options.init_checkpoint, config),
        saved=store.latest(),
        store=store,
    )
    _check_task(task)
    return task


def examples_crc32(examples: Sequence[InputExample]) -> int:
    """Return a checksum of the texts and labels of examples, in their order.

    >>> examples_crc32([]) == examples_crc32([InputExample("train-0", "a", None, "0")])
    False
    """
    crc = 0
    for example in examples:
        fields = (example.text_a, example.text_b, example.label)
        crc = zlib.crc32(repr(fields).encode("utf-8", "surrogatepass"), crc)
    return crc


def _check_task(task: ClassifierTask) -> None:
    """Check what depends on the examples and on the checkpoints."""
    options = task.options
    if options.do_train:
        if task.n_train_steps < 1:
            raise InputError(
                f"{len(task.train_examples)} training examples make no step of "
                f"train_batch_size {options.train_batch_size}; lower it or raise num_train_epochs"
            )
        if task.saved:
            check_same_run(options.output_dir, task.settings())
    if task.saved:
        with named_after(task.saved.prefix):
            check_variables(task.saved.variables, task.config)
            _check_head(task.saved.variables, task)
    elif not options.do_train:
        if task.initial is None:
            raise CheckpointError(
                f"{options.output_dir} holds no checkpoint to evaluate; pass --do_train or "
                "--init_checkpoint"
            )
        with named_after(task.initial.checkpoint):
            _check_head(task.initial.variables, task)
    elif task.initial and "output_weights" in task.initial.variables:
        with named_after(task.initial.checkpoint):
            _check_head(task.initial.variables, task)


def _check_head(variables: dict[str, Any], task: ClassifierTask) -> None:
    """Check that the checkpoint has a classifier for the task's labels."""
    wanted = (len(task.labels), task.config.hidden_size)
    if "output_weights" not in variables or "output_bias" not in variables:
        raise CheckpointError("has no classifier (output_weights); train it with --do_train")
    given = variables["output_weights"].shape
    if given != wanted:
        raise CheckpointError(
            f"its classifier output_weights has shape {list(given)}, but the task's "
            f"{len(task.labels)} labels need {list(wanted)}"
        )


def _check_vocab_size(tokenizer: Tokenizer, vocab_file: Path, config: BertConfig) -> None:
    """Every id must have a row in the embedding; the original would fail in the middle."""
    n_ids = max(tokenizer.vocab.values()) + 1
    if n_ids > config.vocab_size:
        raise InputError(
            f"{vocab_file} has {n_ids} lines, but the model's vocab_size is {config.vocab_size}"
        )
