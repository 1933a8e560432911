"""The embedded model: a small BERT that tells 72 languages apart (docs/langid.md).

`Predictor()` and `bertfast predict` without `--model` use it. It is part of the package: nothing
is downloaded.
"""

from pathlib import Path

from bertfast.errors import BundleError
from bertfast.models.languages import LANGUAGE_NAMES as LANGUAGE_NAMES

_FOLDER = Path(__file__).with_name("langid")
_MANIFEST_FILE = "bertfast.json"


def default_bundle_path() -> Path:
    """Return the model directory that is used when none is named.

    Raises:
        BundleError: this package was built without it.
    """
    if not (_FOLDER / _MANIFEST_FILE).is_file():
        raise BundleError(
            f"this bertfast was built without its embedded model ({_FOLDER} is empty); name a "
            f"model directory (Predictor(DIR), --model DIR), or install a wheel that has it"
        )
    return _FOLDER


def is_default_bundle(path: Path) -> bool:
    """Whether a folder is the embedded model's."""
    return path == _FOLDER
