"""A SavedModel that takes raw strings: the tokenizer and the network in one graph.

    serving_default  text                              ─┐
    pair             text, text_pair                   ─┼─► the model's outputs, labels
    tokenized        input_ids, input_mask, segment_ids ┘
    tokenize         text ──► input_ids, input_mask, segment_ids

Weights, vocabulary and tables are stored once and shared by the signatures. It holds operators
of TensorFlow and TF-Text alone: `import tensorflow_text` before `tf.saved_model.load`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bertfast.errors import ExportError
from bertfast.tf.constants import constant
from bertfast.tf.graph_tokenizer import GraphTokenizer
from bertfast.tf.network import Network

Tensor: TypeAlias = Any
Outputs: TypeAlias = dict[str, Tensor]
Arrays: TypeAlias = dict[str, NDArray[Any]]

DEFAULT_SIGNATURE = "serving_default"
PAIR_SIGNATURE = "pair"
TOKENIZED_SIGNATURE = "tokenized"
TOKENIZE_SIGNATURE = "tokenize"
INPUTS = ("input_ids", "input_mask", "segment_ids")

_SCORES = ("probabilities", "logits")
_MIN_PAIR_LENGTH = 3


class ServedModel(tf.Module):
    """The functions behind the signatures."""

    def __init__(
        self,
        network: Network,
        tokenizer: GraphTokenizer,
        *,
        max_length: int,
        labels: Sequence[str] | None,
    ) -> None:
        """Put a network and the tokenizer it was trained with together.

        Args:
            network: the model.
            tokenizer: its tokenizer.
            max_length: tokens a row at most.
            labels: names of a classifier's labels, in order.
        """
        super().__init__()
        self.network = network
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._labels = None if labels is None else constant([label.encode() for label in labels])

    def signatures(self) -> dict[str, Any]:
        """Return the concrete functions by the names of their signatures."""
        texts = tf.TensorSpec([None], tf.string)
        ids = tf.TensorSpec([None, None], tf.int32)
        chosen: dict[str, tuple[Callable[..., Outputs], dict[str, Any]]] = {
            DEFAULT_SIGNATURE: (self._serve, {"text": texts}),
            TOKENIZED_SIGNATURE: (self._run, dict.fromkeys(INPUTS, ids)),
            TOKENIZE_SIGNATURE: (self._tokenize, {"text": texts}),
        }
        if self._max_length >= _MIN_PAIR_LENGTH:
            chosen[PAIR_SIGNATURE] = (self._serve, {"text": texts, "text_pair": texts})
        return {name: _concrete(function, specs) for name, (function, specs) in chosen.items()}

    def _serve(self, text: Tensor, text_pair: Tensor | None = None) -> Outputs:
        return self._run(**self._tokenize(text, text_pair))

    def _tokenize(self, text: Tensor, text_pair: Tensor | None = None) -> Outputs:
        return self._tokenizer.pack(
            text, text_pair, max_seq_length=self._max_length, padding="longest"
        )

    def _run(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor) -> Outputs:
        outputs: Outputs = self.network(input_ids, input_mask, segment_ids)
        scores = next((outputs[name] for name in _SCORES if name in outputs), None)
        if self._labels is None or scores is None:
            return outputs
        # One row for each text, as TensorFlow Serving's REST form wants of every output.
        labels = tf.broadcast_to(self._labels, tf.shape(scores))
        best = tf.gather(self._labels, tf.argmax(scores, axis=-1))
        return {**outputs, "label": best, "labels": labels}


def _concrete(function: Callable[..., Outputs], specs: Mapping[str, Any]) -> Any:
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()}
    return tf.function(function).get_concrete_function(**named)


def write_saved_model(folder: Path, model: ServedModel) -> list[str]:
    """Write the SavedModel into an existing folder; return the names of its signatures.

    Raises:
        ExportError: TensorFlow cannot write it.
    """
    signatures = model.signatures()
    try:
        tf.saved_model.save(model, str(folder), signatures=signatures)
    except (OSError, tf.errors.OpError, ValueError) as error:
        summary = str(error).splitlines()[0]
        raise ExportError(f"TensorFlow cannot write the SavedModel: {summary}") from error
    return list(signatures)


def run_saved_model(
    folder: Path, signature: str, feeds: Iterable[Mapping[str, Any]]
) -> list[Arrays]:
    """Load a SavedModel and run one of its signatures on every feed."""
    function = tf.saved_model.load(str(folder)).signatures[signature]
    return [
        {name: np.asarray(value) for name, value in function(**_tensors(feed)).items()}
        for feed in feeds
    ]


def _tensors(feed: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: tf.constant(value) for name, value in feed.items()}
