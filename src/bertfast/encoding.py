"""The result of a tokenizer call: numpy arrays ready for a model, or tensors."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.tensors import move_tensor, tensor_maker

IntArray: TypeAlias = NDArray[np.int32] | NDArray[np.int64]

_ALIASES = {"attention_mask": "input_mask", "token_type_ids": "segment_ids"}
_MODEL_INPUTS = ("input_ids", "input_mask", "segment_ids")


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A padded batch. Attributes and items name the same arrays.

    Attributes:
        input_ids: int32 or int64 [rows, width]; 0 where padded.
        input_mask: same dtype and shape; 1 for tokens, 0 for padding.
        segment_ids: same dtype and shape; 1 for the second text and its [SEP], else 0.
        lengths: int32 [rows]; tokens in each row, special ones included.
        truncated: bool [rows]; whether tokens of the row's text were left out of it
            (with `stride`: whether the text needed more than one window).
        overflow_to_sample: int64 [rows]; which text a row comes from (0..rows-1 unless
            `stride` made several windows of one text).
        offsets: int32 [rows, width, 2] or None; start and end of each token in its own
            text, in code points; (0, 0) for special tokens and padding.

    Example:
        >>> from bertfast import Tokenizer
        >>> tok = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello"])
        >>> tok(["Hello", "Hello hello"])["input_ids"].tolist()
        [[2, 4, 3, 0], [2, 4, 4, 3]]
    """

    input_ids: IntArray
    input_mask: IntArray
    segment_ids: IntArray
    lengths: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    overflow_to_sample: NDArray[np.int64]
    offsets: NDArray[np.int32] | None = None

    @property
    def attention_mask(self) -> IntArray:
        """The same array as `input_mask`, by Hugging Face's name."""
        return self.input_mask

    @property
    def token_type_ids(self) -> IntArray:
        """The same array as `segment_ids`, by Hugging Face's name."""
        return self.segment_ids

    def __getitem__(self, name: str) -> Any:
        """Return an array by its name, the aliases included; KeyError for another name."""
        name = _ALIASES.get(name, name)
        if name not in self.__slots__:
            raise KeyError(name)
        return getattr(self, name)

    def keys(self) -> Iterator[str]:
        """Yield the names of the model's inputs, so that `dict(encoding)` feeds a session."""
        return iter(_MODEL_INPUTS)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lengths)

    def to_tensors(self, framework: Literal["pt", "tf"]) -> "TensorEncoding":
        """Return the same with tensors of PyTorch ("pt") or TensorFlow ("tf") for the arrays.

        PyTorch's share the arrays' memory; TensorFlow's do where that is aligned as it wants.

        Raises:
            InputError: another framework.
            MissingDependencyError: the framework is not installed.
        """
        make = tensor_maker(framework)
        arrays = {name: getattr(self, name) for name in _FIELDS}
        return TensorEncoding(
            **{name: None if array is None else make(array) for name, array in arrays.items()}
        )


_FIELDS = tuple(field.name for field in fields(Encoding))


@dataclass(frozen=True, slots=True, eq=False)
class TensorEncoding:
    """An `Encoding` of tensors. Names, shapes and types are those of `Encoding`'s arrays.

    As a mapping it has Hugging Face's names, so that its models take it: `model(**encoding)`.

    Example:
        >>> encoding = tokenizer(["good film"], return_tensors="pt")   # doctest: +SKIP
        >>> encoding.input_ids.shape                                   # doctest: +SKIP
        torch.Size([1, 4])
    """

    input_ids: Any
    input_mask: Any
    segment_ids: Any
    lengths: Any
    truncated: Any
    overflow_to_sample: Any
    offsets: Any = None

    @property
    def attention_mask(self) -> Any:
        """The same tensor as `input_mask`, by Hugging Face's name."""
        return self.input_mask

    @property
    def token_type_ids(self) -> Any:
        """The same tensor as `segment_ids`, by Hugging Face's name."""
        return self.segment_ids

    def __getitem__(self, name: str) -> Any:
        """Return a tensor by its name, the aliases included; KeyError for another name."""
        name = _ALIASES.get(name, name)
        if name not in _FIELDS:
            raise KeyError(name)
        return getattr(self, name)

    def keys(self) -> Iterator[str]:
        """Yield Hugging Face's names of the model's inputs."""
        return iter(("input_ids", *_ALIASES))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lengths)

    def to(self, device: Any) -> "TensorEncoding":
        """Return the same on another device (PyTorch only).

        Raises:
            InputError: these are tensors of TensorFlow, which places them itself.
        """
        tensors = {name: getattr(self, name) for name in _FIELDS}
        return TensorEncoding(
            **{name: t if t is None else move_tensor(t, device) for name, t in tensors.items()}
        )
