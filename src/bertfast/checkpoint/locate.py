"""Finds the checkpoint that a path means: a TensorFlow prefix, a folder, or safetensors."""

import re
from pathlib import Path

from bertfast.errors import CheckpointError
from bertfast.files import read_limited

_STATE_FILE = "checkpoint"
_STATE = re.compile(rb'^\s*model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
_DATA_SUFFIX = re.compile(r"\.data-\d{5}-of-\d{5}$")
_MAX_STATE_BYTES = 1 << 24
_SAFETENSORS_INDEX = ".safetensors.index.json"


def locate(path: Path) -> Path:
    """Return the checkpoint that `path` means.

    A path that ends in `.safetensors` or `.safetensors.index.json` is Hugging Face's; any
    other is a TensorFlow prefix, whose `.index` file exists.

    Raises:
        CheckpointError: nothing is there, or several checkpoints are.
    """
    if path.is_dir():
        return _in_folder(path)
    if is_safetensors(path):
        if path.is_file():
            return path
        raise CheckpointError(f"no such checkpoint: {path}")
    prefix = Path(_DATA_SUFFIX.sub("", str(path).removesuffix(".index")))
    if Path(f"{prefix}.index").is_file():
        return prefix
    hint = ""
    if present := _candidates(path.parent):
        hint = f"; {path.parent} holds {_listed(present)}"
    elif path.is_file():
        hint = "; it is a file, but not .safetensors and without an .index beside it"
    raise CheckpointError(f"no such checkpoint: {path}{hint}")


def is_safetensors(path: Path) -> bool:
    """Tell a Hugging Face file from a TensorFlow prefix by its name."""
    return path.name.endswith((".safetensors", _SAFETENSORS_INDEX))


def _in_folder(folder: Path) -> Path:
    state = folder / _STATE_FILE
    if state.is_file():
        return _from_state(folder, state)
    candidates = _candidates(folder)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise CheckpointError(
            f"{folder} holds several checkpoints, pass one of them: {_listed(candidates)}"
        )
    hint = ""
    if any(folder.glob("pytorch_model*.bin")):
        hint = "; pytorch_model.bin is not read, save the model with safe_serialization=True"
    raise CheckpointError(f"no checkpoint (*.index or *.safetensors) in {folder}{hint}")


def _from_state(folder: Path, state: Path) -> Path:
    """Return the latest checkpoint by TensorFlow's own record, beside it if it is there."""
    try:
        match = _STATE.search(read_limited(state, _MAX_STATE_BYTES))
    except OSError as error:
        raise CheckpointError(f"cannot read {state}: {error.strerror}") from error
    if match is None:
        raise CheckpointError(f"{state} names no model_checkpoint_path; pass a prefix")
    try:
        named = Path(match[1].decode("unicode_escape").encode("latin-1").decode("utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{state} is malformed: {error}") from error
    # A copied folder keeps the absolute path of its first home: what lies beside it wins.
    for prefix in (folder / named.name, folder / named):
        if Path(f"{prefix}.index").is_file():
            return prefix
    present = _candidates(folder)
    raise CheckpointError(
        f"{state} names {named}, which is not there"
        + (f"; pass one of {_listed(present)}" if present else "")
    )


def _candidates(folder: Path) -> list[Path]:
    """Checkpoints directly in `folder`; shards of one safetensors checkpoint count once."""
    prefixes = [Path(str(path).removesuffix(".index")) for path in folder.glob("*.index")]
    indexes = list(folder.glob(f"*{_SAFETENSORS_INDEX}"))
    return sorted(prefixes) + sorted(indexes or folder.glob("*.safetensors"))


def _listed(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths)
