"""What a task is made of: examples of text, and the features a model sees of them.

Source: google-research/bert run_classifier.py, InputExample, PaddingInputExample, InputFeatures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bertfast.errors import InputError


@dataclass(frozen=True, slots=True)
class InputExample:
    """A text, or a pair of texts, to be classified.

    Attributes:
        guid: an id that is unique in its split, such as "train-1".
        text_a: the first text.
        text_b: the second text, or None where the task has only one.
        label: the label, or None where it is not known.

    Example:
        >>> InputExample("train-1", "a good film", label="1")
        InputExample(guid='train-1', text_a='a good film', text_b=None, label='1')
    """

    guid: str
    text_a: str
    text_b: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class PaddingInputExample:
    """Fills the last batch of an evaluation up to a fixed size; no metric counts it.

    A TPU takes batches of one size. Dropping the last, smaller batch would leave examples out.

    Example:
        >>> pad_examples([InputExample("dev-1", "a text")], batch_size=2)[1]
        PaddingInputExample()
    """


Example: TypeAlias = InputExample | PaddingInputExample


@dataclass(frozen=True, slots=True)
class InputFeatures:
    """What the model sees of an example.

    Attributes:
        input_ids: int [max_seq_length]; 0 where padded.
        input_mask: int [max_seq_length]; 1 for tokens, 0 for padding.
        segment_ids: int [max_seq_length]; 1 for the second text and its [SEP], else 0.
        label_id: the label's place in the list of labels.
        is_real_example: False for a `PaddingInputExample`.

    Example:
        >>> features = InputFeatures([2, 4, 3, 0], [1, 1, 1, 0], [0, 0, 0, 0], label_id=1)
        >>> sum(features.input_mask)
        3
    """

    input_ids: Sequence[int]
    input_mask: Sequence[int]
    segment_ids: Sequence[int]
    label_id: int
    is_real_example: bool = True


def pad_examples(examples: Iterable[Example], batch_size: int) -> list[Example]:
    """Return the examples, with padding ones behind them up to a multiple of `batch_size`.

    >>> len(pad_examples([InputExample("dev-1", "a text")], batch_size=8))
    8
    """
    if batch_size < 1:
        raise InputError(f"batch_size is a positive integer, got {batch_size}")
    padded = list(examples)
    return padded + [PaddingInputExample()] * (-len(padded) % batch_size)


def label_map(label_list: Sequence[str]) -> dict[str, int]:
    """Return the id of each label, its place in the list.

    Raises:
        InputError: no labels, or one that is there twice.

    Example:
        >>> label_map(["bad", "good"])
        {'bad': 0, 'good': 1}
    """
    labels = {label: label_id for label_id, label in enumerate(label_list)}
    if not labels:
        raise InputError("a task needs labels, got none")
    if len(labels) != len(label_list):
        twice = next(label for label in label_list if list(label_list).count(label) > 1)
        raise InputError(f"label {twice!r} is given twice")
    return labels
