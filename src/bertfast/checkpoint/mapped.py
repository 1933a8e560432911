"""Files as read-only arrays of bytes, mapped into memory."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import CheckpointError


def map_file(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, uint8 [n], without reading them.

    The file must not be truncated while the array, or a view of it, is in use.

    Raises:
        CheckpointError: it cannot be opened.
    """
    try:
        if not path.stat().st_size:
            return np.empty(0, np.uint8)  # an empty file cannot be mapped
        return np.asarray(np.memmap(path, np.uint8, "r"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"cannot read {path}: {reason}") from error
