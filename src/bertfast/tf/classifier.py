"""A classifier of whole sequences: BERT, dropout, and one dense layer over the pooled output.

Source: google-research/bert run_classifier.py, create_model.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.config import BertConfig
from bertfast.tf.layers import DropoutSeeds, Initializer, constant_variable, dropout
from bertfast.tf.modeling import BertModel

Tensor: TypeAlias = Any
Batch: TypeAlias = Mapping[str, Tensor]

_DROPOUT = 0.1  # before the classifier, whatever the configuration says, as in the original
HEAD_STDDEV = 0.02


class BertClassifier(tf.Module):
    """Maps a batch to one score for each label.

    Beside the encoder's variables it has `output_weights` [labels, hidden_size] and
    `output_bias` [labels], both float32.
    """

    def __init__(
        self,
        config: BertConfig,
        n_labels: int,
        *,
        use_one_hot_embeddings: bool = False,
        compute_dtype: Any = tf.float32,
        seed: int = 0,
    ) -> None:
        """Create the variables; the arguments but `n_labels` are `BertModel`'s."""
        super().__init__()
        self.bert = BertModel(
            config,
            use_one_hot_embeddings=use_one_hot_embeddings,
            compute_dtype=compute_dtype,
            seed=seed,
        )
        initializer = Initializer(HEAD_STDDEV, seed)
        shape = (n_labels, config.hidden_size)
        self.output_weights = initializer.truncated_normal("output_weights", shape)
        self.output_bias = constant_variable("output_bias", 0.0, (n_labels,))

    def logits(self, batch: Batch, seeds: DropoutSeeds | None = None) -> Tensor:
        """Return float32 [batch_size, labels]; with seeds, as in training.

        Args:
            batch: `input_ids`, `input_mask` and `segment_ids`, int32 [batch_size, length].
            seeds: of this step's dropouts; None outside training.
        """
        outputs = self.bert(
            batch["input_ids"], batch["input_mask"], batch["segment_ids"], seeds=seeds
        )
        pooled = dropout(tf.cast(outputs.pooled_output, tf.float32), _DROPOUT, seeds)
        return tf.matmul(pooled, self.output_weights, transpose_b=True) + self.output_bias

    def loss(self, batch: Batch, seeds: DropoutSeeds) -> Tensor:
        """Return the mean cross-entropy of a training batch, float32 []."""
        return tf.reduce_mean(per_example_loss(self.logits(batch, seeds), batch["label_ids"]))


def per_example_loss(logits: Tensor, label_ids: Tensor) -> Tensor:
    """Return the cross-entropy of each example, float32 [batch_size].

    Args:
        logits: float32 [batch_size, labels].
        label_ids: int32 [batch_size].
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label_ids, logits=logits)
