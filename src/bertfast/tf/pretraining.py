"""Pretraining: masked words and next sentences over one BERT.

    sequence_output --gather--> transform -> word embeddings, transposed -> masked word
    pooled_output ------------------------> output_weights ------------> is b next to a?

Source: google-research/bert run_pretraining.py.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.config import BertConfig
from bertfast.tf.activations import get_activation
from bertfast.tf.layers import Dense, DropoutSeeds, Initializer, LayerNorm, constant_variable
from bertfast.tf.modeling import BertModel, BertOutputs

Tensor: TypeAlias = Any
Batch: TypeAlias = Mapping[str, Tensor]

N_RELATIONS = 2  # 0: b follows a in the text; 1: b was taken elsewhere


class BertForPreTraining(tf.Module):
    """BERT with both heads; the words' output layer is the embedding table itself.

    Beside the encoder's variables: `cls/predictions/transform/dense/{kernel,bias}`,
    `cls/predictions/transform/LayerNorm/{gamma,beta}`, `cls/predictions/output_bias`,
    `cls/seq_relationship/{output_weights,output_bias}`.
    """

    def __init__(
        self,
        config: BertConfig,
        *,
        use_one_hot_embeddings: bool = False,
        compute_dtype: Any = tf.float32,
        seed: int = 0,
    ) -> None:
        """Create the variables; the arguments are `BertModel`'s."""
        super().__init__()
        self.bert = BertModel(
            config,
            use_one_hot_embeddings=use_one_hot_embeddings,
            compute_dtype=compute_dtype,
            seed=seed,
        )
        initializer = Initializer(config.initializer_range, seed)
        hidden, scope = config.hidden_size, "cls/predictions"
        activation = get_activation(config.hidden_act)
        self._transform = Dense(f"{scope}/transform/dense", hidden, hidden, initializer, activation)
        self._norm = LayerNorm(f"{scope}/transform", hidden, config.layer_norm_eps)
        self._word_bias = constant_variable(f"{scope}/output_bias", 0.0, (config.vocab_size,))
        relation = "cls/seq_relationship"
        self._relation_weights = initializer.truncated_normal(
            f"{relation}/output_weights", (N_RELATIONS, hidden)
        )
        self._relation_bias = constant_variable(f"{relation}/output_bias", 0.0, (N_RELATIONS,))

    def __call__(self, batch: Batch, seeds: DropoutSeeds | None = None) -> tuple[Tensor, Tensor]:
        """Return the words' logits and the relations' logits, both float32.

        Args:
            batch: `input_ids`, `input_mask`, `segment_ids` int32 [batch_size, length], and
                `masked_lm_positions` int32 [batch_size, predictions].
            seeds: of this step's dropouts; None outside training.

        Returns:
            [batch_size * predictions, vocab_size] and [batch_size, 2].
        """
        outputs = self.bert(
            batch["input_ids"], batch["input_mask"], batch["segment_ids"], seeds=seeds
        )
        words = self._word_logits(outputs, batch["masked_lm_positions"])
        pooled = tf.cast(outputs.pooled_output, tf.float32)
        relations = tf.matmul(pooled, self._relation_weights, transpose_b=True)
        return words, relations + self._relation_bias

    def loss(self, batch: Batch, seeds: DropoutSeeds) -> Tensor:
        """Return the sum of both losses of a training batch, float32 []."""
        words, relations = self(batch, seeds)
        word_losses, weights = masked_lm_losses(words, batch)
        # A batch without any prediction must not divide by zero.
        word_loss = tf.reduce_sum(word_losses * weights) / (tf.reduce_sum(weights) + 1e-5)
        return word_loss + tf.reduce_mean(next_sentence_losses(relations, batch))

    def _word_logits(self, outputs: BertOutputs, positions: Tensor) -> Tensor:
        x = gather_indexes(outputs.sequence_output, positions)
        x = self._norm(self._transform(x))
        table = tf.cast(self.bert.embedding_table, x.dtype)
        return tf.cast(tf.matmul(x, table, transpose_b=True), tf.float32) + self._word_bias


def gather_indexes(sequence: Tensor, positions: Tensor) -> Tensor:
    """Return the vectors at some positions of each row.

    Args:
        sequence: [batch_size, length, hidden_size].
        positions: int32 [batch_size, predictions].

    Returns:
        [batch_size * predictions, hidden_size], in the dtype of `sequence`.
    """
    gathered = tf.gather(sequence, positions, batch_dims=1)
    return tf.reshape(gathered, [-1, sequence.shape[-1]])


def masked_lm_losses(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the loss and the weight of each prediction, float32 [batch_size * predictions].

    The weight is 1, or 0 for a prediction that only fills the row.
    """
    ids = tf.reshape(batch["masked_lm_ids"], [-1])
    weights = tf.reshape(tf.cast(batch["masked_lm_weights"], tf.float32), [-1])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ids, logits=logits), weights


def next_sentence_losses(logits: Tensor, batch: Batch) -> Tensor:
    """Return the loss of each row, float32 [batch_size]."""
    labels = tf.reshape(batch["next_sentence_labels"], [-1])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


class PretrainingMetrics:
    """The original's metrics over all batches of an evaluation."""

    NAMES = (
        "masked_lm_accuracy",
        "masked_lm_loss",
        "next_sentence_accuracy",
        "next_sentence_loss",
    )

    def __init__(self) -> None:
        self._sums = [0.0] * len(self.NAMES)
        self._weights = [0.0] * len(self.NAMES)

    @staticmethod
    def batch_sums(model: BertForPreTraining, batch: Batch) -> Tensor:
        """Return float32 [4, 2]: for each metric its sum over the batch and its weight."""
        words, relations = model(batch)
        losses, weights = masked_lm_losses(words, batch)
        ids = tf.reshape(batch["masked_lm_ids"], [-1])
        labels = tf.reshape(batch["next_sentence_labels"], [-1])
        n_words = tf.reduce_sum(weights)
        n_rows = tf.cast(tf.shape(labels)[0], tf.float32)
        relation_losses = next_sentence_losses(relations, batch)
        return tf.stack(
            [
                [tf.reduce_sum(_hits(words, ids) * weights), n_words],
                [tf.reduce_sum(losses * weights), n_words],
                [tf.reduce_sum(_hits(relations, labels)), n_rows],
                [tf.reduce_sum(relation_losses), n_rows],
            ]
        )

    def add(self, sums: Tensor) -> None:
        """Count the sums of one batch."""
        for place, (total, weight) in enumerate(sums.numpy().tolist()):
            self._sums[place] += total
            self._weights[place] += weight

    @property
    def n_rows(self) -> int:
        """How many rows were counted."""
        return int(self._weights[-1])

    def result(self) -> dict[str, float]:
        """Return the mean of each metric by name; 0 where nothing was counted."""
        totals = zip(self.NAMES, self._sums, self._weights, strict=True)
        return {name: total / weight if weight else 0.0 for name, total, weight in totals}


def _hits(logits: Tensor, ids: Tensor) -> Tensor:
    """Return 1.0 where the greatest logit is that of the id, else 0.0."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=ids.dtype), ids), tf.float32)
