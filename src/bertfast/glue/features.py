"""From examples to features: tokens, truncated and laid out as the model reads them.

A pair, with its padding:

    [CLS] is this jack ##son ##ville ? [SEP] no it is not . [SEP] [PAD] ...
      0   0   0    0    0     0      0   0   1  1  1   1  1   1     0         segment_ids
      1   1   1    1    1     1      1   1   1  1  1   1  1   1     0         input_mask
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import InputError
from bertfast.glue.examples import (
    Example,
    InputExample,
    InputFeatures,
    PaddingInputExample,
    label_map,
)
from bertfast.packing import check_max_length
from bertfast.tokenizer import Tokenizer
from bertfast.vocab import CLS_TOKEN, PAD_ID, SEP_TOKEN

_logger = logging.getLogger(__name__)
_LOGGED_EXAMPLES = 5


class PieceTokenizer(Protocol):
    """What `Tokenizer`, `FullTokenizer` and the original's tokenizer have in common.

    Example:
        >>> from bertfast import Tokenizer
        >>> tokenizer: PieceTokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good"])
        >>> tokenizer.convert_tokens_to_ids(tokenizer.tokenize("Good film"))
        [4, 1]
    """

    def tokenize(self, text: str) -> list[str]:
        """Split a text into vocabulary pieces."""

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        """Map tokens to ids."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """The features of many examples.

    Attributes:
        input_ids: int32 [examples, max_seq_length].
        input_mask: int32 [examples, max_seq_length].
        segment_ids: int32 [examples, max_seq_length].
        label_ids: int32 [examples].
        is_real_example: bool [examples].

    Example:
        >>> from bertfast import Tokenizer
        >>> tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good"])
        >>> examples = [InputExample("train-0", "good", label="yes"), PaddingInputExample()]
        >>> convert_examples(examples, ["no", "yes"], 4, tokenizer).is_real_example.tolist()
        [True, False]
    """

    input_ids: NDArray[np.int32]
    input_mask: NDArray[np.int32]
    segment_ids: NDArray[np.int32]
    label_ids: NDArray[np.int32]
    is_real_example: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.label_ids)


def convert_examples(
    examples: Sequence[Example],
    label_list: Sequence[str],
    max_seq_length: int,
    tokenizer: Tokenizer,
    *,
    num_threads: int | None = None,
) -> FeatureBatch:
    """Convert many examples at once, each to what `convert_single_example` gives for it.

    Args:
        examples: the examples; padding ones give zeros.
        label_list: the labels in the order of their ids.
        max_seq_length: tokens a row, special ones and padding included.
        tokenizer: a `Tokenizer`.
        num_threads: threads to tokenize with; None chooses by the amount of text.

    Raises:
        InputError: an unknown label, a text that is none, or no room for the special tokens.

    Example:
        >>> from bertfast import Tokenizer
        >>> tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good"])
        >>> examples = [InputExample("train-0", "good", label="yes")]
        >>> batch = convert_examples(examples, ["no", "yes"], 4, tokenizer)
        >>> batch.input_ids.tolist(), batch.label_ids.tolist()
        ([[2, 4, 3, 0]], [1])
    """
    numbers = label_ids(label_list, examples)
    real = [isinstance(example, InputExample) for example in examples]
    texts_a = [example.text_a if isinstance(example, InputExample) else "" for example in examples]
    texts_b = [_text_b(example) for example in examples]
    encoding = tokenizer(
        texts_a,
        texts_b if any(texts_b) else None,
        max_length=max_seq_length,
        padding="max_length",
        num_threads=num_threads,
    )
    is_real = np.array(real, np.bool_)
    for array in (encoding.input_ids, encoding.input_mask, encoding.segment_ids):
        array[~is_real] = 0
    return FeatureBatch(
        input_ids=encoding.input_ids.astype(np.int32, copy=False),
        input_mask=encoding.input_mask.astype(np.int32, copy=False),
        segment_ids=encoding.segment_ids.astype(np.int32, copy=False),
        label_ids=np.array(numbers, np.int32),
        is_real_example=is_real,
    )


def label_ids(label_list: Sequence[str], examples: Sequence[Example]) -> list[int]:
    """Return the id of each example's label; padding ones have 0.

    Raises:
        InputError: an unknown label, or a list of labels that is none.

    Example:
        >>> label_ids(["no", "yes"], [InputExample("train-0", "good", label="yes")])
        [1]
    """
    labels = label_map(label_list)
    return [_label_id(labels, example) for example in examples]


def _text_b(example: Example) -> str:
    text_b = example.text_b if isinstance(example, InputExample) else None
    return "" if text_b is None else text_b


def _label_id(labels: dict[str, int], example: Example) -> int:
    if isinstance(example, PaddingInputExample):
        return 0
    try:
        return labels[example.label]  # type: ignore[index]  # None is a KeyError
    except KeyError:
        raise InputError(
            f"example {example.guid!r} has the unknown label {example.label!r}; "
            f"the labels are {', '.join(map(repr, labels))}"
        ) from None


def convert_single_example(
    ex_index: int,
    example: Example,
    label_list: Sequence[str],
    max_seq_length: int,
    tokenizer: PieceTokenizer,
) -> InputFeatures:
    """Convert one example; the first five are logged.

    Args:
        ex_index: the example's number, from 0.
        example: the example, or a padding one, which gives zeros.
        label_list: the labels in the order of their ids.
        max_seq_length: tokens, special ones and padding included.
        tokenizer: a `Tokenizer`, or one with the same two methods.

    Source: google-research/bert run_classifier.py, convert_single_example.

    Raises:
        InputError: an unknown label, or no room for the special tokens.

    Example:
        >>> from bertfast import Tokenizer
        >>> tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good"])
        >>> example = InputExample("train-0", "good", "good", label="yes")
        >>> features = convert_single_example(0, example, ["no", "yes"], 6, tokenizer)
        >>> features.input_ids, features.segment_ids
        ([2, 4, 3, 4, 3, 0], [0, 0, 0, 1, 1, 0])
    """
    if isinstance(example, PaddingInputExample):
        zeros = [0] * max_seq_length
        return InputFeatures(zeros, zeros.copy(), zeros.copy(), 0, is_real_example=False)
    labels = label_map(label_list)
    tokens_a = tokenizer.tokenize(example.text_a)
    tokens_b = tokenizer.tokenize(example.text_b) if example.text_b else []
    check_max_length(max_seq_length, pair=bool(tokens_b), special=True)
    if tokens_b:
        _truncate_seq_pair(tokens_a, tokens_b, max_seq_length - 3)
    else:
        del tokens_a[max_seq_length - 2 :]
    tokens = [CLS_TOKEN, *tokens_a, SEP_TOKEN]
    segment_ids = [0] * len(tokens)
    if tokens_b:
        tokens += [*tokens_b, SEP_TOKEN]
        segment_ids += [1] * (len(tokens_b) + 1)
    padding = max_seq_length - len(tokens)
    features = InputFeatures(
        input_ids=tokenizer.convert_tokens_to_ids(tokens) + [PAD_ID] * padding,
        input_mask=[1] * len(tokens) + [0] * padding,
        segment_ids=segment_ids + [0] * padding,
        label_id=_label_id(labels, example),
    )
    if ex_index < _LOGGED_EXAMPLES:
        _log(example, tokens, features)
    return features


def _truncate_seq_pair(tokens_a: list[str], tokens_b: list[str], max_length: int) -> None:
    """Shorten two lists in place: pop from the longer, from `tokens_b` on a tie."""
    while len(tokens_a) + len(tokens_b) > max_length:
        longer = tokens_a if len(tokens_a) > len(tokens_b) else tokens_b
        longer.pop()


def _log(example: InputExample, tokens: Sequence[str], features: InputFeatures) -> None:
    rows: tuple[tuple[str, Sequence[object]], ...] = (
        ("tokens", tokens),
        ("input_ids", features.input_ids),
        ("input_mask", features.input_mask),
        ("segment_ids", features.segment_ids),
    )
    _logger.info("*** Example ***")
    _logger.info("guid: %s", example.guid)
    for name, values in rows:
        _logger.info("%s: %s", name, " ".join(map(str, values)))
    _logger.info("label: %s (id = %d)", example.label, features.label_id)
