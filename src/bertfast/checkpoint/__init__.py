"""Reads BERT checkpoints, without TensorFlow, into {original variable name: array}."""

import logging
from os import PathLike
from pathlib import Path

from bertfast.checkpoint.contents import Contents as Contents
from bertfast.checkpoint.dtypes import Array as Array
from bertfast.checkpoint.locate import is_safetensors as is_safetensors
from bertfast.checkpoint.locate import locate as locate
from bertfast.checkpoint.names import is_bookkeeping
from bertfast.checkpoint.safetensors_files import read_safetensors
from bertfast.checkpoint.tensor_bundle import read_tensor_bundle
from bertfast.checkpoint.variables import check_variables as check_variables
from bertfast.checkpoint.variables import expected_variables as expected_variables

_logger = logging.getLogger(__name__)


def read_checkpoint(path: str | PathLike[str], *, keep_optimizer: bool = False) -> dict[str, Array]:
    """Read a checkpoint into arrays by the original's variable names.

    `path` is a TensorFlow prefix (`.../bert_model.ckpt`, with or without `.index`), a
    safetensors file or shard index, or a folder that holds one of them; a `checkpoint` file
    in the folder says which is the latest. Names that `tf.train.Checkpoint` gave are kept.

    Every tensor's bytes are checked against its CRC (safetensors has none). The arrays are
    read-only views of the mapped files where they can be, so do not overwrite the files in
    place while you use them. bfloat16 and half tensors are widened to float32, exactly; the
    logger `bertfast.checkpoint` notes it.

    Args:
        path: what to read.
        keep_optimizer: also read Adam slots, global_step and TensorFlow's bookkeeping.

    Raises:
        CheckpointError: missing, truncated, corrupt or unmapped; it names the tensor.
        MissingDependencyError: safetensors is needed and not installed.

    Example:
        >>> variables = read_checkpoint("uncased_L-12_H-768_A-12")        # doctest: +SKIP
        >>> variables["bert/embeddings/word_embeddings"].shape            # doctest: +SKIP
        (30522, 768)
    """
    return read_contents(locate(Path(path)), keep_optimizer=keep_optimizer).variables


def read_contents(checkpoint: Path, *, keep_optimizer: bool = False) -> Contents:
    """Read what `locate` found; see `read_checkpoint`, which has the same errors."""
    if is_safetensors(checkpoint):
        contents = read_safetensors(checkpoint)
    else:
        contents = read_tensor_bundle(
            checkpoint, lambda name: keep_optimizer or not is_bookkeeping(name)
        )
    if contents.widened:
        _logger.info(
            "%s: %d 16-bit tensors were widened to float32", checkpoint, len(contents.widened)
        )
    return contents
