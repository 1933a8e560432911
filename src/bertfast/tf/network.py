"""The exported network in TensorFlow: ids in, the chosen outputs out, nothing of training."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf
from numpy.typing import NDArray

from bertfast.config import BertConfig
from bertfast.tf.initialization import restore
from bertfast.tf.modeling import BertModel
from bertfast.tf.optimization import name_of

Tensor: TypeAlias = Any
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

_POOLER = "bert/pooler/"
_HEAD = ("output_weights", "output_bias")
# What torch and sentence-transformers put under their divisions; twin of onnx/graph.py.
_MIN_COUNT, _MIN_NORM = 1e-9, 1e-12


class Network(tf.Module):
    """A BERT with the weights of a checkpoint, as one function of a batch.

    Where the checkpoint has no pooler, the fresh one is stored, but no output may need it.
    """

    def __init__(self, config: BertConfig, variables: Arrays, outputs: Sequence[str]) -> None:
        """Create the variables and give them the checkpoint's values.

        Args:
            config: the configuration.
            variables: a checkpoint by the original's names, checked against `config`; logits
                need output_weights [labels, hidden] and output_bias [labels].
            outputs: names out of pooled_output, sequence_output, mean_embedding, logits and
                probabilities.
        """
        super().__init__()
        self.bert = BertModel(config)
        self.head = {
            name: tf.Variable(variables[name], name=name) for name in _HEAD if name in variables
        }
        self.outputs = tuple(outputs)
        present = (each for each in self.bert.trainable_variables if _is_in(each, variables))
        restore(list(present), variables)

    def __call__(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor) -> Any:
        """Run the network on int32 [batch, length] each.

        Returns:
            {name: float32}: pooled_output and mean_embedding [batch, hidden], sequence_output
            [batch, length, hidden], logits and probabilities [batch, labels].
        """
        result = self.bert(input_ids, input_mask, segment_ids)
        pooled = result.pooled_output
        given = {"sequence_output": result.sequence_output, "pooled_output": pooled}
        if "mean_embedding" in self.outputs:
            given["mean_embedding"] = mean_embedding(result.sequence_output, input_mask)
        if self.head:
            product = tf.matmul(pooled, self.head["output_weights"], transpose_b=True)
            given["logits"] = tf.nn.bias_add(product, self.head["output_bias"])
            given["probabilities"] = tf.nn.softmax(given["logits"])
        return {name: tf.identity(given[name], name) for name in self.outputs}


def _is_in(variable: Any, variables: Arrays) -> bool:
    """Tell whether the checkpoint has a variable; only the pooler may be missing."""
    return not name_of(variable).startswith(_POOLER) or name_of(variable) in variables


def mean_embedding(x: Tensor, input_mask: Tensor) -> Tensor:
    """Mask-weighted mean of x [b, l, h], L2-normalised: [b, h], as sentence-transformers."""
    mask = tf.cast(input_mask, x.dtype)[:, :, None]
    mean = tf.reduce_sum(x * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), _MIN_COUNT)
    return mean / tf.maximum(tf.norm(mean, axis=1, keepdims=True), _MIN_NORM)


def trace(network: Network) -> tuple[Any, list[Any]]:
    """Return the network as a `tf.function` with free batch and length, and its signature."""
    names = ("input_ids", "input_mask", "segment_ids")
    signature = [tf.TensorSpec([None, None], tf.int32, name) for name in names]
    return tf.function(network.__call__, input_signature=signature), signature
