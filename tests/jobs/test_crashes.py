"""Jobs that are killed go on as if nothing had been; `make crash-test` runs the long form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TIMEOUT_SECONDS = 600


def crash(*arguments: str) -> dict[str, float]:
    """Run the program of `crashes` and return what it counted."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.jobs.crashes", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, float] = json.loads(done.stdout)
    assert counts["wrong"] == 0, done.stderr
    return counts


@pytest.mark.parametrize(
    ("source", "target"),
    [("in.jsonl", "out.csv.gz"), ("in.csv", "out/")],
)
def test_job_killed_at_any_operation_resumes_to_the_same_bytes(source: str, target: str) -> None:
    assert crash("points", source, target, "2")["kills"] > 50


def test_job_interrupted_at_random_times_resumes_to_the_same_bytes() -> None:
    counts = crash("signals", "in.csv", "out.jsonl", "6")
    assert counts["signals"] == 6
    assert counts["longest_seconds"] < 5  # one, on a machine that is not busy


@pytest.mark.parametrize(("source", "target"), [("in.tsv", "out.jsonl"), ("in.parquet", "out/")])
def test_job_killed_at_random_times_resumes_to_the_same_bytes(source: str, target: str) -> None:
    assert crash("times", source, target, "8")["kills"] == 8
