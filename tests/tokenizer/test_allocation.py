"""Every allocation of the compiled part fails once and for good: MemoryError, nothing lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that lets allocations fail."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C++ compiler")
    library = tmp_path_factory.mktemp("preloaded") / "failing_allocations.so"
    source = str(HERE / "failing_allocations.cc")
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", source, "-o", str(library)]
    subprocess.run([*command, "-ldl"], check=True)
    return library


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="ASan has its own")
def test_every_failed_allocation_is_a_memory_error(preloaded: Path) -> None:
    environment = os.environ | {"LD_PRELOAD": str(preloaded), "BERTFAST_IMPLEMENTATION": "native"}
    done = subprocess.run(
        [sys.executable, str(HERE / "allocation_script.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr[-2000:]}"
