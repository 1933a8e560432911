"""Prints the table of docs/parity.md from the files that `--parity-json` wrote.

Usage: python tools/parity_table.py build/parity-3.10.json build/parity-3.11.json ...
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path


def main(paths: Sequence[Path]) -> None:
    """Print one row a check, one column an interpreter: cases, and differences if any."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    runs.sort(key=lambda run: tuple(map(int, run["python"].split("."))))
    titles = [f"Python {run['python']}, Unicode {run['unicode']}" for run in runs]
    print("| " + " | ".join(["check", *titles]) + " |")
    print("|---" + "|---:" * len(runs) + "|")
    for name in sorted({name for run in runs for name in run["checks"]}):
        cells = [_cell(run["checks"].get(name)) for run in runs]
        print("| " + " | ".join([name, *cells]) + " |")
    totals = [_cell(_sum(run["checks"].values())) for run in runs]
    print("| " + " | ".join(["**all**", *totals]) + " |")


def _cell(counts: dict[str, int] | None) -> str:
    if counts is None:
        return "not run"
    return f"{counts['cases']:,} cases, {counts['differences']:,} differ"


def _sum(every: "Sequence[dict[str, int]]") -> dict[str, int]:
    return {key: sum(counts[key] for counts in every) for key in ("cases", "differences")}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python tools/parity_table.py FILE...")
    main([Path(argument) for argument in sys.argv[1:]])
