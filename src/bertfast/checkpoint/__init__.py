"""Reads BERT checkpoints, without TensorFlow, into {original variable name: array}."""

from os import PathLike
from pathlib import Path

from bertfast.checkpoint.dtypes import Array as Array
from bertfast.checkpoint.locate import is_safetensors as is_safetensors
from bertfast.checkpoint.locate import locate as locate
from bertfast.checkpoint.names import is_bookkeeping
from bertfast.checkpoint.safetensors_files import read_safetensors
from bertfast.checkpoint.tensor_bundle import read_tensor_bundle
from bertfast.checkpoint.variables import check_variables as check_variables
from bertfast.checkpoint.variables import expected_variables as expected_variables


def read_checkpoint(path: str | PathLike[str], *, keep_optimizer: bool = False) -> dict[str, Array]:
    """Read a checkpoint into arrays by the original's variable names.

    `path` is a TensorFlow prefix (`.../bert_model.ckpt`, with or without `.index`), a
    safetensors file or shard index, or a folder that holds one of them; a `checkpoint` file
    in the folder says which is the latest. Names that `tf.train.Checkpoint` gave are kept.

    Every tensor's bytes are checked against its CRC (safetensors has none). The arrays are
    read-only views of the mapped files where they can be, so do not overwrite the files in
    place while you use them. bfloat16 and half tensors are widened to float32, exactly.

    Args:
        path: what to read.
        keep_optimizer: also read Adam slots, global_step and TensorFlow's bookkeeping.

    Raises:
        CheckpointError: missing, truncated, corrupt or unmapped; it names the tensor.
        MissingDependencyError: safetensors is needed and not installed.
    """
    source = locate(Path(path))
    if is_safetensors(source):
        return read_safetensors(source)
    return read_tensor_bundle(source, lambda name: keep_optimizer or not is_bookkeeping(name))
