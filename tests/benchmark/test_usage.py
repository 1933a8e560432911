"""Scripts that read their arguments by hand say how they are called, and do nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "script",
    ["benchmarks/batch_job.py", "benchmarks/clusters.py", "tools/write_tiny_bert.py"],
)
def test_script_asked_for_help_prints_its_usage_and_does_nothing(
    script: str, tmp_path: Path
) -> None:
    path = REPOSITORY / script
    if not path.is_file():
        pytest.skip(f"{script} is not part of this package")
    done = subprocess.run(
        [sys.executable, str(path), "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert f"python {script}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
