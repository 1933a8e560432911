"""Builds the native parts: the tokenizer core, whose Unicode tables it generates, and the engine.

Environment variables:
    BERTFAST_DEBUG=1       -O0 -g and the core's internal checks
    BERTFAST_SANITIZE=...  value for -fsanitize=, for example "address,undefined"
    BERTFAST_COVERAGE=1    gcov instrumentation
    BERTFAST_WERROR=1      warnings are errors (CI)
"""

import os
import sys
import unicodedata
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tools"))
from generate_unicode_tables import write_tables  # noqa: E402

# One directory per Unicode version: several interpreters may build from one tree.
GENERATED = Path("build") / f"unicode-{unicodedata.unidata_version}"

compile_args = ["-std=c++17", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"]
link_args: list[str] = []
if os.environ.get("BERTFAST_DEBUG"):
    compile_args += ["-O0", "-g", "-DBERTFAST_DEBUG=1"]
if sanitizers := os.environ.get("BERTFAST_SANITIZE"):
    compile_args += ["-g", f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer"]
    link_args += [f"-fsanitize={sanitizers}"]
if os.environ.get("BERTFAST_COVERAGE"):
    compile_args += ["--coverage", "-fprofile-update=atomic", "-O0"]
    link_args += ["--coverage"]
if os.environ.get("BERTFAST_WERROR"):
    compile_args += ["-Werror"]


def _files(folder: str, pattern: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).glob(pattern))


class BuildWithTables(build_ext):
    """build_ext that first writes the tables of the building interpreter's Unicode version."""

    def build_extensions(self) -> None:
        """Generate, then compile; a failure of either fails the build."""
        write_tables(GENERATED / "unicode_tables.inc")
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildWithTables},
    ext_modules=[
        Extension(
            "bertfast._native",
            sources=[
                "src/bertfast/_native.pyx",
                *_files("csrc/src", "*.cc"),
            ],
            depends=["src/bertfast/_native.pxd", *_files("csrc/include/bertfast", "*.h")],
            include_dirs=["csrc/include", str(GENERATED)],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
            language="c++",
        ),
        Extension(
            "bertfast._engine",
            sources=["src/bertfast/_engine.pyx", *_files("csrc/engine", "*.cc")],
            depends=[
                *_files("csrc/include/bertfast/engine", "*.h"),
                *_files("csrc/engine", "*.h"),
            ],
            include_dirs=["csrc/include"],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
            language="c++",
        ),
    ],
)
