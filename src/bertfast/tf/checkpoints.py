"""Checkpoints of a training run: published whole or not at all, verified before they are used.

    model.ckpt-300.data-00000-of-00001   the original's format: weights, adam_m, adam_v,
    model.ckpt-300.index                 global_step by name
    model.ckpt-300.json                  our manifest: size and CRC-32C of both files
    checkpoint                           TensorFlow's record of which is the latest

A checkpoint is written into a folder of its own, read back, synced, and renamed, the manifest
last. A run that finds its latest checkpoint damaged falls back to the one before and says so;
it never starts from step 0 in silence.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from bertfast.checkpoint.crc32c import crc32c
from bertfast.checkpoint.mapped import map_file
from bertfast.errors import CheckpointError

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

DEFAULT_KEEP = 5  # as TensorFlow's Estimator
_STEM = "model.ckpt"
_NAME = re.compile(r"model\.ckpt-(\d+)\.(?:index|json)")
_DATA = ".data-00000-of-00001"
_FILES = (_DATA, ".index")
_MANIFEST = ".json"
_STAGING = ".saving"


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that was read and verified: its step, its prefix, and all its variables."""

    step: int
    prefix: Path
    variables: dict[str, NDArray[Any]]


class CheckpointStore:
    """The checkpoints of one output directory.

    Example:
        >>> import pathlib, tempfile
        >>> store = CheckpointStore(pathlib.Path(tempfile.mkdtemp()))
        >>> variables = {"output_bias": np.zeros(2, np.float32), "global_step": np.int64(100)}
        >>> store.save(100, variables).name
        'model.ckpt-100'
        >>> store.steps()
        [100]
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: int = DEFAULT_KEEP,
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        """Look at `folder`; create it at the first save.

        Args:
            folder: the output directory.
            keep: how many checkpoints stay; older ones are removed after a save.
            on_message: called with a line of text for everything a user should know.
        """
        self._folder = folder
        self._keep = keep
        self._say = on_message or (lambda _: None)

    def steps(self) -> list[int]:
        """Return the steps of which there is any trace, in order, damaged ones included."""
        if not self._folder.is_dir():
            return []
        names = (path.name for path in self._folder.iterdir())
        return sorted({int(match[1]) for name in names if (match := _NAME.fullmatch(name))})

    def save(self, step: int, variables: Arrays) -> Path:
        """Write and publish a checkpoint; return its prefix.

        Raises:
            CheckpointError: it cannot be written; those before it are as they were.
        """
        prefix = self._prefix(step)
        staging = self._folder / f"{_STAGING}-{step}"
        try:
            self._remove_staging()
            staging.mkdir(parents=True)
            self._write(staging / prefix.name, variables)
            self._publish(staging, prefix)
            self._record([*(n for n in self.steps() if n <= step)])
        except (OSError, CheckpointError) as error:
            raise CheckpointError(
                f"cannot save {prefix}: {_reason(error)}{self._last_good(step)}"
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        self._remove_old(step)
        return prefix

    def latest(self) -> Saved | None:
        """Return the last good checkpoint, or None if there never was one.

        A damaged one is passed over with a message.

        Raises:
            CheckpointError: there are checkpoints, and none is good.
        """
        steps = self.steps()
        damage: CheckpointError | None = None
        for step in reversed(steps):
            prefix = self._prefix(step)
            try:
                variables = self._read(prefix)
            except CheckpointError as error:
                damage = damage or error
                self._say(f"{prefix.name} is damaged and passed over: {error}")
                continue
            if damage:
                self._say(f"falling back to {prefix.name}")
                self._record([n for n in steps if n <= step])
            return Saved(step, prefix, variables)
        if damage:
            raise CheckpointError(
                f"no checkpoint in {self._folder} is intact ({damage}); remove them to start anew"
            )
        return None

    def _prefix(self, step: int) -> Path:
        return self._folder / f"{_STEM}-{step}"

    def _write(self, staged: Path, variables: Arrays) -> None:
        """Write the files and the manifest under a staged prefix, and read them back."""
        write_tensors(staged, variables)
        if len(read_checkpoint(staged, keep_optimizer=True)) != len(variables):
            raise CheckpointError("what was written lacks variables")
        manifest = {suffix: _fingerprint(Path(f"{staged}{suffix}")) for suffix in _FILES}
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        Path(f"{staged}{_MANIFEST}").write_text(text, encoding="utf-8")
        for suffix in (*_FILES, _MANIFEST):
            _sync(Path(f"{staged}{suffix}"))

    def _publish(self, staging: Path, prefix: Path) -> None:
        """Move the files to their place, the manifest last."""
        manifest = Path(f"{prefix}{_MANIFEST}")
        manifest.unlink(missing_ok=True)  # of a damaged one that is written again
        for suffix in (*_FILES, _MANIFEST):
            (staging / f"{prefix.name}{suffix}").replace(f"{prefix}{suffix}")
        _sync(self._folder)

    def _record(self, steps: list[int]) -> None:
        """Write TensorFlow's `checkpoint` file; the last of `steps` is the latest."""
        names = [self._prefix(step).name for step in steps[-self._keep :]]
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        staged = self._folder / f"{_STAGING}-checkpoint"
        staged.write_text("\n".join(lines) + "\n", encoding="utf-8")
        _sync(staged)
        staged.replace(self._folder / "checkpoint")

    def _read(self, prefix: Path) -> dict[str, NDArray[Any]]:
        """Read all variables; the manifest, if there is one, and every tensor's CRC must fit.

        Checkpoints of the original code have no manifest.
        """
        manifest = Path(f"{prefix}{_MANIFEST}")
        if manifest.is_file():
            _check_manifest(prefix, manifest)
        variables = read_checkpoint(prefix, keep_optimizer=True)
        if "global_step" not in variables:
            raise CheckpointError(f"{prefix} has no global_step")
        return variables

    def _last_good(self, step: int) -> str:
        kept = [n for n in self.steps() if n < step]
        return f"; {self._prefix(kept[-1]).name} is kept" if kept else ""

    def _remove_old(self, step: int) -> None:
        """Remove all but the newest checkpoints up to `step`, the manifest first."""
        old = [n for n in self.steps() if n <= step][: -self._keep]
        for n in old:
            for suffix in (_MANIFEST, ".index", _DATA):
                Path(f"{self._prefix(n)}{suffix}").unlink(missing_ok=True)

    def _remove_staging(self) -> None:
        """Remove what a killed run left half-written."""
        for path in self._folder.glob(f"{_STAGING}-*"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def write_tensors(prefix: Path, variables: Arrays) -> None:
    """Write arrays by name as `prefix.index` and `prefix.data-00000-of-00001`.

    This is the operation that `tf.compat.v1.train.Saver` runs.

    Raises:
        CheckpointError: TensorFlow cannot write them.
    """
    import tensorflow as tf

    names = sorted(variables)
    with tf.device("/cpu:0"):
        tensors = [tf.constant(np.asarray(variables[name])) for name in names]
        try:
            tf.raw_ops.SaveV2(
                prefix=str(prefix),
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=tensors,
            )
        except tf.errors.OpError as error:
            raise CheckpointError(error.message) from error


@contextlib.contextmanager
def named_after(prefix: Path) -> Iterator[None]:
    """Put the checkpoint's name in front of an error that is about its variables."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{prefix}: {error}") from error


def _check_manifest(prefix: Path, manifest: Path) -> None:
    try:
        expected = json.loads(manifest.read_bytes())
        wanted = {suffix: expected[suffix] for suffix in _FILES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{manifest.name} is not readable: {error}") from error
    for suffix, fingerprint in wanted.items():
        path = Path(f"{prefix}{suffix}")
        given = _fingerprint(path)
        if given != fingerprint:
            raise CheckpointError(
                f"{path.name} has {given['n_bytes']} bytes and CRC {given['crc32c']}, but "
                f"{fingerprint} were written"
            )


def _fingerprint(path: Path) -> dict[str, Any]:
    data = map_file(path)
    return {"n_bytes": len(data), "crc32c": f"{crc32c(data):08x}"}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
