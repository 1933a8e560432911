"""Prints what a model directory reaches on dev.tsv and test_udhr.tsv, as Markdown.

    PYTHONPATH=tools python -m langid.evaluate BUNDLE DATA_DIR [--rival RIVAL.json] [--card CARD.md]

RIVAL.json comes from `python -m langid.baseline`. Nothing is chosen by these figures: training
never sees test_udhr.tsv, and dev.tsv is only looked at.
"""

import argparse
import json
import sys
from pathlib import Path

from bertfast import Predictor
from bertfast.models import LANGUAGE_NAMES
from langid.figures import Figures, measure
from langid.report import write_report
from langid.rows import SETS, read_tsv

# The page's tables stand between these.
BEGIN = "<!-- figures: written by tools/langid/evaluate.py -->"
END = "<!-- end of figures -->"


def main() -> None:
    """Predict, count, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--rival", type=Path, help="figures of the logistic regression")
    parser.add_argument("--json", type=Path, help="where to write the figures themselves")
    parser.add_argument("--card", type=Path, help="Markdown page whose tables are replaced")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    with Predictor(arguments.bundle, threads=arguments.threads) as model:
        figures = measure_sets(model, arguments.data_dir)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    rival = json.loads(arguments.rival.read_text("utf-8")) if arguments.rival else None
    report = write_report(figures, rival, LANGUAGE_NAMES)
    sys.stdout.write(report)
    if arguments.card:
        page = arguments.card.read_text("utf-8")
        arguments.card.write_text(replace_tables(page, report), encoding="utf-8")


def replace_tables(page: str, report: str) -> str:
    """Return the page with the report in the place between its two marks.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{report}\n{END}{after}"


def measure_sets(model: Predictor, data_dir: Path) -> dict[str, Figures]:
    """Return the figures on every set in the folder, by its name."""
    return {
        name: measure(model.predict_labels, read_tsv(data_dir / file))
        for name, file in SETS.items()
    }


if __name__ == "__main__":
    main()
