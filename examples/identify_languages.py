"""Name the language of every line of a file with the embedded model.

    python examples/identify_languages.py [FILE]

It needs bertfast alone: the model is part of the package, and nothing is downloaded.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

import bertfast
from bertfast.models import LANGUAGE_NAMES

SENTENCES = Path(__file__).with_name("languages.txt")
# A small file is predicted too fast to be timed: it is read as often as makes this many texts.
TIMED_TEXTS = 2_000


def main() -> int:
    """Predict, print the table and the rate; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", default=SENTENCES, help="one text a line")
    file: Path = parser.parse_args().file
    texts = file.read_text("utf-8").splitlines()
    console = Console()
    started = time.perf_counter()
    with bertfast.Predictor() as model:
        probabilities = model.predict(texts)
        first_seconds = time.perf_counter() - started
        n_timed, seconds = time_prediction(model, texts)
    console.print(language_table(texts, probabilities, model.labels or ()))
    console.print(
        f"{len(texts)} texts in {first_seconds:.2f} s, loading included; then {n_timed:,} texts "
        f"in {seconds:.2f} s: {n_timed / seconds:,.0f} texts/s\n"
        f"Your own file: bertfast predict FILE.txt -o OUTPUT.tsv",
        soft_wrap=True,
        highlight=False,
    )
    return 0


def time_prediction(model: bertfast.Predictor, texts: Sequence[str]) -> tuple[int, float]:
    """Return how many texts were predicted, and the seconds it took."""
    # Numbered, since equal texts are computed once.
    n_times = max(1, TIMED_TEXTS // max(1, len(texts)))
    timed = [f"{text} {i}" for i in range(n_times) for text in texts]
    started = time.perf_counter()
    model.predict(timed)
    return len(timed), time.perf_counter() - started


def language_table(texts: Sequence[str], probabilities: np.ndarray, labels: Sequence[str]) -> Table:
    """Return a table of texts and languages; `probabilities` is float32 [texts, labels]."""
    table = Table(title="Languages")
    table.add_column("text", overflow="fold")
    table.add_column("language", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    for text, row in zip(texts, probabilities, strict=True):
        best = int(row.argmax())
        name = f"{LANGUAGE_NAMES[labels[best]]} ({labels[best]})"
        table.add_row(Text(text), name, f"{row[best]:.3f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
