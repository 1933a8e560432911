"""The original's optimizer: Adam with decoupled weight decay, warmup and linear decay.

For each weight w with gradient g, at learning rate r:

    m = 0.9 m + 0.1 g          v = 0.999 v + 0.001 g^2        (no bias correction)
    w = w - r (m / (sqrt(v) + 1e-6) + 0.01 w)                  (no decay for norms and biases)

Source: google-research/bert optimization.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.errors import InputError

Tensor: TypeAlias = Any
Variable: TypeAlias = Any

CLIP_NORM = 1.0
WEIGHT_DECAY_RATE = 0.01
EXCLUDED_FROM_DECAY = ("LayerNorm", "layer_norm", "bias")


@dataclass(frozen=True, slots=True)
class LearningRate:
    """Linear warmup from 0, then linear decay to 0.

    During warmup the rate is `peak * step / n_warmup_steps`; after it, the rate is
    `peak * (1 - step / n_steps)`, as if it had decayed from the start.

    Raises:
        InputError: no steps, or a rate or a number of steps below 0.
    """

    peak: float
    n_steps: int
    n_warmup_steps: int = 0

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise InputError(f"training needs at least one step, got {self.n_steps}")
        if self.peak < 0 or self.n_warmup_steps < 0:
            raise InputError(
                f"learning rate and warmup steps must not be negative, got {self.peak} and "
                f"{self.n_warmup_steps}"
            )

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step, counted from 0: float32 []."""
        step = tf.cast(step, tf.float32)
        done = tf.minimum(step / self.n_steps, 1.0)
        decayed = self.peak * (1.0 - done)
        if not self.n_warmup_steps:
            return decayed
        warm = self.peak * step / self.n_warmup_steps
        return tf.where(step < self.n_warmup_steps, warm, decayed)


class AdamWeightDecay(tf.Module):
    """Adam with weight decay that does not pass through the moments.

    Its slots are the variables `NAME/adam_m` and `NAME/adam_v`, float32 of the weight's
    shape, as in the original's checkpoints, and the int64 `global_step`.
    """

    def __init__(
        self,
        weights: Sequence[Variable],
        learning_rate: LearningRate,
        *,
        weight_decay_rate: float = WEIGHT_DECAY_RATE,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        exclude_from_weight_decay: Sequence[str] = EXCLUDED_FROM_DECAY,
    ) -> None:
        """Create the slots, zero, on the weights' own devices.

        Args:
            weights: float32 variables, float32; the order of the gradients in `apply`.
            learning_rate: by step.
            weight_decay_rate: 0 for none.
            beta_1: decay of the first moment.
            beta_2: decay of the second moment.
            epsilon: added to the root of the second moment.
            exclude_from_weight_decay: regular expressions searched in names.
        """
        super().__init__()
        self.weights = list(weights)
        self.learning_rate = learning_rate
        self.m = [_slot(weight, "adam_m") for weight in weights]
        self.v = [_slot(weight, "adam_v") for weight in weights]
        self.global_step = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="global_step",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._betas = (beta_1, beta_2)
        self._epsilon = epsilon
        self._decay_rates = [
            _decay_rate(name_of(weight), weight_decay_rate, exclude_from_weight_decay)
            for weight in weights
        ]

    def apply(self, gradients: Sequence[Tensor]) -> None:
        """Update every weight; `global_step` is the caller's to advance.

        Call it where the strategy can be asked to update its copies: in the cross-replica
        context. The gradients are float32, dense, and the same on every replica.
        """
        strategy = tf.distribute.get_strategy()
        rate = self.learning_rate(self.global_step)
        updates = zip(self.weights, gradients, self.m, self.v, self._decay_rates, strict=True)
        for weight, gradient, m, v, decay_rate in updates:
            strategy.extended.update(
                weight, self._update, args=(gradient, m, v, rate, decay_rate), group=False
            )

    def _update(
        self, weight: Variable, gradient: Tensor, m: Variable, v: Variable, rate: Tensor, decay: Any
    ) -> None:
        """Update one weight on one device.

        TensorFlow's fused Adam without bias correction (both powers 0) is the original's
        update without decay, in one pass over the weights instead of ten: on 2 cores, 30 million
        weights take 74 ms instead of 228.
        """
        if decay:
            shrunk = weight * (1.0 - rate * decay)
            tf.raw_ops.AssignVariableOp(resource=weight.handle, value=shrunk)
        beta_1, beta_2 = self._betas
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=self._epsilon,
            grad=gradient,
        )


def clip(gradients: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Scale dense gradients to a global norm of 1 at most; return them and the norm before.

    The norm is that of the whole gradient. (The original's gather form counts a word that
    occurs twice in a batch as two gradients; its one-hot form, for TPUs, is this one.)
    """
    clipped, norm = tf.clip_by_global_norm(list(gradients), clip_norm=CLIP_NORM)
    return clipped, norm


def name_of(variable: Variable) -> str:
    """Return a variable's name as checkpoints have it, without TensorFlow's ":0"."""
    name: str = variable.name
    return name.partition(":")[0]


def _slot(weight: Variable, suffix: str) -> Variable:
    zeros = tf.zeros(weight.shape, tf.float32)
    return tf.Variable(zeros, trainable=False, name=f"{name_of(weight)}/{suffix}")


def _decay_rate(name: str, rate: float, excluded: Sequence[str]) -> float:
    return 0.0 if any(re.search(pattern, name) for pattern in excluded) else rate
