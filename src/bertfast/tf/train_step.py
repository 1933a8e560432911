"""One training step, the same function on one device, on several, and on a TPU.

    each replica: its part of the batch -> loss / n replicas -> gradients
    all replicas: sum of the gradients -> clip to norm 1 -> AdamWeightDecay

Dropout's seeds are a pure function of seed, step, replica and part of the batch, so that a
step which is run again after a crash gives the same weights.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.tf.layers import DropoutSeeds
from bertfast.tf.optimization import AdamWeightDecay, clip

Tensor: TypeAlias = Any
Variable: TypeAlias = Any
Batch: TypeAlias = Mapping[str, Tensor]
LossFunction: TypeAlias = Callable[[Batch, DropoutSeeds], Tensor]


class TrainStep:
    """Runs training steps compiled into one graph; shapes may vary from batch to batch."""

    def __init__(
        self,
        loss: LossFunction,
        optimizer: AdamWeightDecay,
        *,
        seed: int,
        n_accumulations: int = 1,
    ) -> None:
        """Prepare the step; build it inside the strategy's scope.

        Args:
            loss: the mean loss of a batch, float32 [], given the seeds of its dropouts.
            optimizer: holds the weights, its slots and the step.
            seed: of the dropouts.
            n_accumulations: how many parts of a batch are run one after another, to need less
                memory; their gradients are averaged.
        """
        self._loss = loss
        self._optimizer = optimizer
        self._strategy = tf.distribute.get_strategy()
        self._seed = seed
        self._n_parts = n_accumulations
        self._run = tf.function(self._steps, autograph=False)

    def run(self, iterator: Any, n_steps: int) -> float:
        """Run `n_steps` steps on batches of the distributed `iterator`; return the mean loss."""
        return float(self._run(iterator, tf.constant(n_steps)))

    def _steps(self, iterator: Any, n_steps: Tensor) -> Tensor:
        def body(step: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            losses = self._strategy.run(self._replica_step, args=(next(iterator),))
            loss = self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
            self._optimizer.global_step.assign_add(1)
            return step + 1, total + loss

        _, total = tf.while_loop(
            lambda step, _: step < n_steps,
            body,
            [tf.constant(0), tf.constant(0.0)],
            parallel_iterations=1,
        )
        return total / tf.cast(n_steps, tf.float32)

    def _replica_step(self, batch: Batch) -> Tensor:
        """Run one replica's part of a step; return its part of the mean loss."""
        replica: Any = tf.distribute.get_replica_context()
        loss, gradients = self._accumulate(batch, self._step_seed(replica))
        scale = 1.0 / replica.num_replicas_in_sync
        summed = replica.all_reduce(
            tf.distribute.ReduceOp.SUM, [gradient * scale for gradient in gradients]
        )
        clipped, _ = clip(summed)
        replica.merge_call(lambda _, given: self._optimizer.apply(given), args=(clipped,))
        return loss * scale

    def _step_seed(self, replica: Any) -> Tensor:
        """Return int32 [2]: different for each step and replica."""
        fold = tf.random.experimental.stateless_fold_in
        base = tf.constant([self._seed, 0], tf.int32)
        by_step = fold(base, tf.cast(self._optimizer.global_step, tf.int32))
        return fold(by_step, replica.replica_id_in_sync_group)

    def _accumulate(self, batch: Batch, seed: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the loss and the gradients of the batch, run in `n_accumulations` parts."""
        if self._n_parts == 1:
            return self._gradients(batch, DropoutSeeds(seed))
        parts = {name: _in_parts(tensor, self._n_parts) for name, tensor in batch.items()}

        def body(part: Tensor, loss: Tensor, *sums: Tensor) -> list[Tensor]:
            seeds = DropoutSeeds(tf.random.experimental.stateless_fold_in(seed, part))
            rows = {name: tensor[part] for name, tensor in parts.items()}
            part_loss, gradients = self._gradients(rows, seeds)
            added = [total + gradient for total, gradient in zip(sums, gradients, strict=True)]
            return [part + 1, loss + part_loss, *added]

        zeros = [tf.zeros(weight.shape) for weight in self._optimizer.weights]
        _, loss, *sums = tf.while_loop(
            lambda part, *_: part < self._n_parts,
            body,
            [tf.constant(0), tf.constant(0.0), *zeros],
            parallel_iterations=1,  # else the parts would share the memory they are to save
        )
        return loss / self._n_parts, [total / self._n_parts for total in sums]

    def _gradients(self, batch: Batch, seeds: DropoutSeeds) -> tuple[Tensor, list[Tensor]]:
        """Return the loss and its dense float32 gradients, zero for weights it does not use."""
        weights = self._optimizer.weights
        with tf.GradientTape() as tape:
            loss = self._loss(batch, seeds)
        return loss, _dense(tape.gradient(loss, weights), weights)


def _in_parts(tensor: Tensor, n_parts: int) -> Tensor:
    """[rows, ...] to [n_parts, rows / n_parts, ...]."""
    return tf.reshape(tensor, tf.concat([[n_parts, -1], tf.shape(tensor)[1:]], axis=0))


def _dense(gradients: Sequence[Tensor], weights: Sequence[Variable]) -> list[Tensor]:
    dense = []
    for gradient, weight in zip(gradients, weights, strict=True):
        if gradient is None:
            dense.append(tf.zeros(weight.shape))
        elif isinstance(gradient, tf.IndexedSlices):
            rows = weight.shape[0]
            dense.append(tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows))
        else:
            dense.append(gradient)
    return dense
