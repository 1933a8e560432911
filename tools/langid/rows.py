"""Labelled texts in files: a text, a tab, a label, a line each."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

Row: TypeAlias = tuple[str, str]  # text, label

HEADER = "text\tlabel\n"

# What is measured: documents like those of the training data, and another kind of text.
SETS = {"dev": "dev.tsv", "UDHR": "test_udhr.tsv"}


def read_tsv(path: Path) -> list[Row]:
    """Read a file without a header.

    Raises:
        ValueError: a line has not exactly one tab; it names file and line.
    """
    rows: list[Row] = []
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) != 2:
                raise ValueError(f"{path} line {number}: expected a text, a tab and a label")
            rows.append((columns[0], columns[1]))
    return rows


def write_tsv(path: Path, rows: Iterable[Row]) -> None:
    """Write a file with the header `text<TAB>label`, which `run-classifier` reads by name."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADER)
        file.writelines(f"{text}\t{label}\n" for text, label in rows)
