"""Prints pip constraints for the oldest releases that pyproject.toml allows: one `name==X` a line.

Usage: python tools/lower_bounds.py pyproject.toml [EXTRA...]

The base dependencies count, and those of the extras that are named. Needs CPython 3.11 (tomllib)
and `packaging`. A requirement without a lower bound, such as a self-reference, is left out.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tomllib  # CPython 3.11
from packaging.requirements import Requirement


def lower_bounds(project: dict[str, Any], extras: Sequence[str]) -> Iterator[str]:
    """Yield `name==version` for every requirement that holds on this interpreter.

    Example: ["numpy>=1.26"] gives "numpy==1.26".
    """
    optional = project.get("optional-dependencies", {})
    listed = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    for requirement in map(Requirement, listed):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        for specifier in requirement.specifier:
            if specifier.operator in (">=", "=="):
                yield f"{requirement.name}=={specifier.version}"


def main() -> None:
    """Print the constraints."""
    project = tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))["project"]
    print("\n".join(sorted(set(lower_bounds(project, sys.argv[2:])))))


if __name__ == "__main__":
    main()
