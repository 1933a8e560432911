"""Files cut off at every byte and with 1,000 flipped bits each: our error, no crash, no memory."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tests.checkpoint.tensor_bundle_writer import write_tensor_bundle
from tests.fuzz.parsers import seeds
from tests.hostile.attack import KINDS, N_FLIPS
from tests.runtime.probe_model import write_probe_bundle

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# Their sha256 shows every flipped bit; others have bits that change nothing, or a name.
CHECKED = {"bundle's model", "bundle's vocabulary"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good file of each kind."""
    path = write_probe_bundle(tmp_path / "files")
    tensors: dict[str, NDArray[Any]] = {
        "a/kernel": np.ones((3, 4), np.float32),
        "b/bias": np.arange(5),
    }
    write_tensor_bundle(path / "m.ckpt", tensors)
    name = "encoder.layer.0.output.dense.bias"
    save_file({name: np.arange(9, dtype=np.float32)}, path / "model.safetensors")
    (path / "_journal.jsonl").write_bytes(seeds("journal")[0])
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_file_is_refused_or_harmless(folder: Path, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.attack", kind, str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode < 0:
        pytest.fail(f"{signal.Signals(-done.returncode).name}: {done.stderr[-1000:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["read"] + counts["refused"] > N_FLIPS
    assert counts["refused"] > 0
    if kind in CHECKED:
        assert counts["read"] == 0
