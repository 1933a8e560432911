"""What is written about a row: label, probability, probabilities, logits, embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bertfast.errors import BundleError, InputError
from bertfast.runtime.loaded import FloatArray, Values

if TYPE_CHECKING:
    from bertfast.manifest import Manifest

FIELDS = ("label", "probability", "probabilities", "logits", "embedding")

_CLASSIFIER_OUTPUTS = ("probabilities", "logits")
_EMBEDDING_OUTPUTS = ("mean_embedding", "pooled_output", "sequence_output")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is being written.

    Attributes:
        output: the graph output.
        width: its last dimension.
        labels: the names of a classifier's columns, or None.
        source: the model's name, for messages.
        fields: what is written, in this order; () means label and scores, or the embedding.
        prefix: stands before each field's name.

    Raises:
        InputError: the graph output does not give such a field.
    """

    output: str
    width: int
    labels: tuple[str, ...] | None
    source: str
    fields: tuple[str, ...] = ()
    prefix: str = ""

    def __post_init__(self) -> None:
        if not self.fields:
            default = ("label", self.output) if self.is_classifier else ("embedding",)
            object.__setattr__(self, "fields", default)
        for field in self.fields:
            if field not in self.possible_fields:
                raise InputError(
                    f"{field} cannot be written from {self.output}, which gives "
                    f"{', '.join(self.possible_fields)}"
                )

    @property
    def is_classifier(self) -> bool:
        """Whether each column is a label's score."""
        return self.output in _CLASSIFIER_OUTPUTS

    @property
    def possible_fields(self) -> tuple[str, ...]:
        """The fields that the graph output gives."""
        if not self.is_classifier:
            return ("embedding",)
        return ("label", "logits") if self.output == "logits" else FIELDS[:3]

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels; their numbers where the model has no names for them."""
        return self.labels or tuple(str(number) for number in range(self.width))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields in the output."""
        return tuple(self.prefix + field for field in self.fields)

    def scores(self, values: Values | Sequence[FloatArray]) -> FloatArray:
        """Return values as one float32 array.

        Raises:
            BundleError: one of them is not finite.
        """
        array = np.asarray(values, np.float32)
        if not np.isfinite(array).all():
            raise BundleError(
                f"{self.source}: the model gave {self.output} that are not finite "
                f"(NaN or infinity); its weights may be damaged"
            )
        return array


def check_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the fields as a tuple.

    Raises:
        InputError: one is unknown or named twice.
    """
    for field in fields:
        if field not in FIELDS:
            raise InputError(f"unknown field {field!r}; use some of {', '.join(FIELDS)}")
    if len(set(fields)) != len(fields):
        raise InputError(f"a field is named twice: {', '.join(fields)}")
    return tuple(fields)


def output_for(fields: Sequence[str], manifest: "Manifest") -> str:
    """Return the graph output from which all of these fields can be written.

    Raises:
        InputError: no output of the model gives them.
    """
    default = manifest.default_output
    wanted = {"probability", "probabilities"}
    if wanted & set(fields):
        candidates: tuple[str, ...] = ("probabilities",)
    elif "logits" in fields:
        candidates = ("logits",)
    elif "embedding" in fields:
        candidates = (default, *_EMBEDDING_OUTPUTS)
        candidates = tuple(name for name in candidates if name not in _CLASSIFIER_OUTPUTS)
    else:
        candidates = (default, *_CLASSIFIER_OUTPUTS) if fields else (default,)
        if fields:
            candidates = tuple(name for name in candidates if name in _CLASSIFIER_OUTPUTS)
    for name in candidates:
        if name in manifest.outputs:
            return name
    raise InputError(
        f"the model cannot give {', '.join(fields)}: its outputs are {', '.join(manifest.outputs)}"
    )
