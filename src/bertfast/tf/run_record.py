"""What a run in an output directory was started with, so that it is resumed as the same run.

`training.json` holds the options that decide which rows a step sees. A run with other ones
would continue the weights, but not the run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertfast.config import read_json_object
from bertfast.errors import TrainingError

RECORD_FILE = "training.json"


def check_same_run(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check the settings against those of the run whose checkpoints are in `folder`.

    Checkpoints without a record, of the original code or an older run, are accepted.

    Raises:
        TrainingError: a setting differs; it is named with both values.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        return
    recorded = read_json_object(path)
    for name, value in settings.items():
        if name in recorded and recorded[name] != value:
            raise TrainingError(
                f"{folder} holds a run with {name} {recorded[name]}, now it is {value}, so its "
                "batches are others; pass another --output_dir (with --init_checkpoint to go on "
                "from its weights), or remove its checkpoints"
            )


def write_record(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a run; the file appears whole."""
    staged = folder / f".{RECORD_FILE}.part"
    staged.write_text(json.dumps(dict(settings), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    staged.replace(folder / RECORD_FILE)
