"""Notice that a model directory was replaced while a job ran."""

from pathlib import Path

from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.errors import BundleError


class ModelGuard:
    """Compares a bundle's files with what they were when the job began."""

    def __init__(self, bundle: Bundle) -> None:
        """Note the files as they are now; they must be those that `bundle` was loaded from.

        Raises:
            BundleError: they are not.
        """
        self._paths = [bundle.path / MANIFEST_FILE, bundle.model_path, bundle.vocab_path]
        self._path = bundle.path
        self._seen = self._status()
        if Bundle.load(bundle.path, verify=False).manifest != bundle.manifest:
            raise BundleError(f"{bundle.path} was replaced since it was loaded; load it again")

    def check(self) -> None:
        """Raise BundleError if a file is another one than at the beginning."""
        if self._status() != self._seen:
            raise BundleError(
                f"{self._path} was replaced while the job ran; put the old model back to resume, "
                f"or start anew with --overwrite"
            )

    def _status(self) -> list[tuple[int, int, int] | None]:
        return [_status(path) for path in self._paths]


def _status(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
