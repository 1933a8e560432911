"""Activations by the names of `BertConfig.hidden_act`."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.errors import ConfigError

Tensor: TypeAlias = Any  # TensorFlow has no type annotations that mypy can read


def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of gelu, which Google's current code calls "gelu"."""
    cdf = 0.5 * (1.0 + tf.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))
    return x * cdf


def gelu_erf(x: Tensor) -> Tensor:
    """Multiply x by the normal distribution function: Hugging Face's "gelu"."""
    return x * (0.5 * (1.0 + tf.math.erf(x * math.sqrt(0.5))))


def linear(x: Tensor) -> Tensor:
    """The identity."""
    return x


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_tanh": gelu_tanh,
    "gelu_erf": gelu_erf,
    "relu": tf.nn.relu,
    "tanh": tf.tanh,
    "linear": linear,
}


def get_activation(name: str) -> Callable[[Tensor], Tensor]:
    """Return the activation that an unambiguous name means; each keeps dtype and shape.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in _ACTIVATIONS:
        raise ConfigError(f"unknown activation {name!r}; choose from {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]
