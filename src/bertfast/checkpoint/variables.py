"""Which variables a BERT has, by its configuration, and a check that they are all there."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from bertfast.checkpoint.dtypes import Array
from bertfast.checkpoint.names import is_object_based
from bertfast.config import BertConfig
from bertfast.errors import CheckpointError

_LAYER = re.compile(r"bert/encoder/layer_(\d+)/")
_UNMAPPED_SHOWN = 3


def expected_variables(
    config: BertConfig, *, with_pooler: bool = True
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every variable of the encoder, by the original's names."""
    hidden = config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "bert/embeddings/word_embeddings": (config.vocab_size, hidden),
        "bert/embeddings/position_embeddings": (config.max_position_embeddings, hidden),
        "bert/embeddings/token_type_embeddings": (config.type_vocab_size, hidden),
        **_layer_norm("bert/embeddings", hidden),
    }
    for layer in range(config.num_hidden_layers):
        shapes |= _layer(f"bert/encoder/layer_{layer}", hidden, config.intermediate_size)
    if with_pooler:
        shapes |= _dense("bert/pooler", hidden, hidden)
    return shapes


def check_variables(
    variables: Mapping[str, Array], config: BertConfig, *, with_pooler: bool = True
) -> None:
    """Check that every variable of the encoder is there, is real, and has its shape.

    Raises:
        CheckpointError: it names the tensor, the expected and the given shape.
    """
    if config.num_hidden_layers > len(variables):  # before listing what that many would have
        raise CheckpointError(
            f"the configuration says {config.num_hidden_layers} layers, but the checkpoint has "
            f"{len(variables)} variables in all"
        )
    expected = expected_variables(config, with_pooler=with_pooler)
    missing = [name for name in expected if name not in variables]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(
            f"the checkpoint lacks {missing[0]}{more}{_unmapped(variables, expected)}"
        )
    for name, shape in expected.items():
        given = variables[name]
        if given.shape != shape:
            raise CheckpointError(
                f"{name} has shape {list(given.shape)}, but the configuration expects {list(shape)}"
            )
        if not np.issubdtype(given.dtype, np.floating):
            raise CheckpointError(f"{name} must hold real numbers, got {given.dtype}")
        if not np.isfinite(given).all():
            raise CheckpointError(f"{name} holds NaN or infinity; the training diverged")
    layers = {int(match[1]) for name in variables if (match := _LAYER.match(name))}
    if max(layers) >= config.num_hidden_layers:
        raise CheckpointError(
            f"the checkpoint has layer_{max(layers)}, but the configuration says "
            f"{config.num_hidden_layers} layers"
        )


def _unmapped(variables: Mapping[str, Array], expected: Iterable[str]) -> str:
    """Say what the checkpoint holds instead, so that a wrong kind of checkpoint shows."""
    unmapped = sorted(set(variables) - set(expected))
    if not unmapped:
        return ""
    shown = ", ".join(unmapped[:_UNMAPPED_SHOWN])
    more = ", ..." if unmapped[_UNMAPPED_SHOWN:] else ""
    kind = ""
    if all(is_object_based(name) for name in unmapped):
        kind = " (a tf.train.Checkpoint: save it by the original names with a name-based Saver)"
    return f"; unmapped there: {shown}{more}{kind}"


def _layer(name: str, hidden: int, intermediate: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for projection in ("query", "key", "value"):
        shapes[f"{name}/attention/self/{projection}/kernel"] = (hidden, hidden)
        shapes[f"{name}/attention/self/{projection}/bias"] = (hidden,)
    shapes |= _dense(f"{name}/attention/output", hidden, hidden)
    shapes |= _layer_norm(f"{name}/attention/output", hidden)
    shapes |= _dense(f"{name}/intermediate", hidden, intermediate)
    shapes |= _dense(f"{name}/output", intermediate, hidden)
    return shapes | _layer_norm(f"{name}/output", hidden)


def _dense(name: str, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/dense/kernel": (n_in, n_out), f"{name}/dense/bias": (n_out,)}


def _layer_norm(name: str, hidden: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/LayerNorm/gamma": (hidden,), f"{name}/LayerNorm/beta": (hidden,)}
