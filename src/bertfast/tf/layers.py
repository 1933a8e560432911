"""The parts that every room of BERT is furnished with: dense, layer norm, dropout.

Variables are float32 and carry the original's names. Computation is in `compute_dtype` of the
input (float32, or bfloat16 in mixed precision); layer norms and softmax are always float32.
"""

import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = Any
Variable: TypeAlias = Any


class Initializer:
    """Draws initial values that depend on the seed and the variable's name alone.

    So a model is the same whatever else is built beside it, and in whatever order.
    """

    def __init__(self, stddev: float, seed: int) -> None:
        self._stddev = stddev
        self._seed = seed

    def truncated_normal(self, name: str, shape: tuple[int, ...]) -> Variable:
        """Return a float32 variable of values within two deviations of 0.

        Source: google-research/bert modeling.py, create_initializer.
        """
        values = tf.random.stateless_truncated_normal(
            shape, seed=[self._seed, zlib.crc32(name.encode())], stddev=self._stddev
        )
        return tf.Variable(values, name=name, dtype=tf.float32)


def constant_variable(name: str, value: float, shape: tuple[int, ...]) -> Variable:
    """Return a float32 variable filled with `value`."""
    return tf.Variable(tf.fill(shape, value), name=name, dtype=tf.float32)


class DropoutSeeds:
    """Gives each dropout of a step a seed of its own: a pure function of what it is built from.

    A step that is run again after a crash drops the same values.
    """

    def __init__(self, seed: Tensor) -> None:
        """`seed`: int32 [2], different for each step, replica and part of a batch."""
        self._seed = seed
        self._count = 0

    def next(self) -> Tensor:
        """Return the next seed, int32 [2]."""
        self._count += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._count)


def dropout(x: Tensor, rate: float, seeds: DropoutSeeds | None) -> Tensor:
    """Zero values of x with probability `rate` and scale the others; without seeds, return x."""
    if seeds is None or rate == 0.0:
        return x
    return tf.nn.experimental.stateless_dropout(x, rate, seed=seeds.next())


class Dense(tf.Module):
    """A matrix product, a bias and an activation, over the last axis."""

    def __init__(
        self,
        scope: str,
        n_in: int,
        n_out: int,
        initializer: Initializer,
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Create `scope/kernel` [n_in, n_out] and `scope/bias` [n_out]."""
        super().__init__()
        self.kernel = initializer.truncated_normal(f"{scope}/kernel", (n_in, n_out))
        self.bias = constant_variable(f"{scope}/bias", 0.0, (n_out,))
        self._activation = activation

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [rows, n_in] to [rows, n_out] in x's dtype."""
        product = tf.matmul(x, tf.cast(self.kernel, x.dtype))
        y = tf.nn.bias_add(product, tf.cast(self.bias, x.dtype))
        return self._activation(y) if self._activation else y


class LayerNorm(tf.Module):
    """Normalises the last axis to mean 0 and variance 1, then scales and shifts it."""

    def __init__(self, scope: str, size: int, epsilon: float) -> None:
        """Create `scope/LayerNorm/gamma` and `scope/LayerNorm/beta`, both [size]."""
        super().__init__()
        self.gamma = constant_variable(f"{scope}/LayerNorm/gamma", 1.0, (size,))
        self.beta = constant_variable(f"{scope}/LayerNorm/beta", 0.0, (size,))
        self._epsilon = epsilon

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise x [..., size]; computed in float32, returned in x's dtype."""
        wide = tf.cast(x, tf.float32)
        mean, variance = tf.nn.moments(wide, axes=[-1], keepdims=True)
        normed = tf.nn.batch_normalization(
            wide, mean, variance, self.beta, self.gamma, self._epsilon
        )
        return tf.cast(normed, x.dtype)
