"""The model directory: model.onnx, vocab.txt and the manifest bertfast.json.

A bundle is complete or absent: it is written beside its place and renamed into it, and its
manifest carries the sha256 of every other file. Needs neither onnx nor onnxruntime.
"""

import hashlib
import os
import stat
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from bertfast.errors import BundleError
from bertfast.files import read_limited
from bertfast.manifest import FORMAT_VERSION as FORMAT_VERSION
from bertfast.manifest import MODEL_FILE, VOCAB_FILE
from bertfast.manifest import Manifest as Manifest
from bertfast.models import default_bundle_path, is_default_bundle

MANIFEST_FILE = "bertfast.json"

_CHUNK_BYTES = 1 << 17  # what is read is hashed from the processor's cache
_MAX_MANIFEST_BYTES = 1 << 24  # ten thousand labels need 0.5 MB


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model directory whose files are those its manifest was written for.

    Example:
        >>> bundle = Bundle.load("my_model")      # doctest: +SKIP
        >>> bundle.manifest.default_output        # doctest: +SKIP
        'pooled_output'
    """

    path: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The ONNX graph: int32 [batch, length] input_ids, input_mask and segment_ids in."""
        return self.path / MODEL_FILE

    @property
    def vocab_path(self) -> Path:
        """The vocabulary, one token a line."""
        return self.path / VOCAB_FILE

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None, *, verify: bool = True) -> "Bundle":
        """Open a model directory.

        Args:
            path: the directory; None for the embedded model.
            verify: check each file's sha256 (about 1 s per GB), not only its size.

        Raises:
            BundleError: no bundle, or a file is missing or differs; it names the file.

        Warns:
            RuntimeWarning: the bundle was exported under another Unicode version, so that
                the newest characters may be tokenized differently. Not for the embedded
                model, which has not learned them and is the same for every interpreter.
        """
        folder = default_bundle_path() if path is None else Path(path)
        manifest = _read_manifest(folder)
        for name, expected in manifest.sha256.items():
            _check_file(folder / name, manifest.sizes[name], expected if verify else None)
        if not is_default_bundle(folder):
            _warn_of_other_unicode(folder, manifest.unicode_version)
        return cls(folder, manifest)

    def check_current(self) -> None:
        """Raise BundleError if another model has taken this one's place since it was loaded."""
        if _read_manifest(self.path) != self.manifest:
            raise BundleError(f"{self.path} was replaced since it was loaded; load it again")


def _warn_of_other_unicode(folder: Path, exported: str) -> None:
    if exported != unicodedata.unidata_version:
        warnings.warn(
            f"{folder} was exported under Unicode {exported} and this interpreter has "
            f"{unicodedata.unidata_version}: the newest characters may be tokenized differently",
            RuntimeWarning,
            stacklevel=3,
        )


def describe_files(folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Return sha256 and size in bytes of every file below `folder`, by name."""
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    sizes = {name: path.stat().st_size for name, path in files.items()}
    return {name: _sha256(path) for name, path in files.items()}, sizes


@contextmanager
def staged_directory(output_dir: str | PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty directory that becomes `output_dir` when the block ends without error.

    It is a sibling of its final place; its files are synced to disk before the rename, and it
    is removed when the block raises. An existing bundle stays in place until then.

    Raises:
        BundleError: `output_dir` exists, is not empty, and is not a bundle to overwrite.
    """
    import shutil  # which loads every compression: only for those who write

    target = Path(os.path.realpath(output_dir))
    _check_target(target, overwrite)
    staging = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
    except OSError as error:
        raise BundleError(f"cannot create {staging}: {error.strerror}") from error
    try:
        yield staging
        _sync(staging)
        _check_target(target, overwrite)  # it took a while: someone else may have been faster
        _publish(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_output_dir(
    output_dir: str | PathLike[str],
    *,
    overwrite: bool,
    sources: Sequence[str | PathLike[str] | None] = (),
) -> None:
    """Refuse early what `staged_directory` would refuse, or sources that it would delete.

    Raises:
        BundleError: `output_dir` exists, is not empty, and is not a bundle to overwrite; or one
            of the sources lies in it.
    """
    target = Path(os.path.realpath(output_dir))
    _check_target(target, overwrite)
    for source in sources:
        if source is not None and target in Path(os.path.realpath(source)).parents:
            raise BundleError(
                f"{source} lies in {target}, which would be replaced; give another output directory"
            )


def _read_manifest(folder: Path) -> Manifest:
    if not folder.is_dir():
        problem = "is not a directory" if folder.exists() else "does not exist"
        raise BundleError(f"no model directory: {folder} {problem}")
    path = folder / MANIFEST_FILE
    try:
        _check_regular(path)
        content = read_limited(path, _MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not a model directory: it has no {MANIFEST_FILE}; "
            "make one with `bertfast export CHECKPOINT OUTPUT_DIR`"
        ) from error
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    try:
        return Manifest.from_json_bytes(content)
    except BundleError as error:
        raise BundleError(f"{path} {error}") from error


def _check_file(path: Path, size: int, sha256: str | None) -> None:
    """Check size, and sha256 if given, of one file of a bundle."""
    try:
        given = _check_regular(path)
        if given != size:
            raise BundleError(
                f"{path} is damaged: {given} bytes, but its manifest says {size}; copy it again"
            )
        if sha256 is not None and _sha256(path) != sha256:
            raise BundleError(
                f"{path} is damaged: its sha256 is not the one in the manifest; copy it again"
            )
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; copy the whole model directory") from error
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error


def _check_regular(path: Path) -> int:
    """Return the size of a file; a pipe or a device, which may never end, is refused."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is not a regular file; copy the whole model directory")
    return status.st_size


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    chunk = memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while n_bytes := file.readinto(chunk):
            digest.update(chunk[:n_bytes])
    return digest.hexdigest()


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise BundleError(f"{target} exists and is not a directory; give another output directory")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise BundleError(
            f"{target} exists and is not empty; "
            "give another output directory, or overwrite it (overwrite=True, --overwrite)"
        )
    if not (target / MANIFEST_FILE).is_file():  # whatever it is, it is not ours to delete
        raise BundleError(f"{target} is not a model directory, so it is not overwritten")


def _publish(staging: Path, target: Path) -> None:
    """Rename `staging` to `target`; what was there is put back if that fails."""
    import shutil

    try:
        if target.exists() and any(target.iterdir()):
            old = staging.with_name(f"{staging.name}.old")
            target.rename(old)
            try:
                staging.rename(target)
            except OSError:
                old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            staging.rename(target)  # onto nothing, or onto an empty directory
        _sync_directory(target.parent)
    except OSError as error:
        raise BundleError(f"cannot publish {target}: {error.strerror}") from error


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            _sync(path)
            continue
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
    _sync_directory(folder)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
