"""Say what a classifier loses by a lower precision: the metrics of a whole dev set, both ways.

Usage: python benchmarks/quantized_accuracy.py BUNDLE_FP32 BUNDLE_INT8 TASK DATA_DIR [--json OUT]

The bundles are exports of the same run with --precision fp32 and int8; TASK is cola, mrpc or
sst-2 and DATA_DIR its folder. Exits with 1 if more than --limit points of accuracy are lost.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bertfast import Predictor
from bertfast.glue import make_processor
from bertfast.glue.metrics import task_metrics

LIMIT_POINTS = 0.3


def main() -> int:
    """Predict the dev set with both bundles, compare and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle_fp32", type=Path)
    parser.add_argument("bundle_int8", type=Path)
    parser.add_argument("task")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--limit", type=float, default=LIMIT_POINTS, metavar="POINTS")
    parser.add_argument("--json", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    labels, texts, pairs = read_dev(arguments.task, arguments.data_dir)
    results = {}
    for name, path in (("fp32", arguments.bundle_fp32), ("int8", arguments.bundle_int8)):
        results[name] = measure(path, arguments.threads, arguments.task, labels, texts, pairs)
    report = compare(results)
    show(report, arguments.task, len(labels))
    if arguments.json:
        content = {"task": arguments.task, "examples": len(labels), **report}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0 if report["points_lost"]["accuracy"] <= arguments.limit else 1


def read_dev(task: str, data_dir: Path) -> tuple[NDArray[np.int64], list[str], list[str] | None]:
    """Return label ids int64 [examples], the texts, and the second texts if there are any."""
    processor = make_processor(task, data_dir)
    examples = processor.get_dev_examples(data_dir)
    ids = {label: index for index, label in enumerate(processor.get_labels())}
    labels = np.array([ids[str(example.label)] for example in examples])
    pairs = [example.text_b or "" for example in examples]
    return labels, [example.text_a for example in examples], pairs if any(pairs) else None


def measure(
    path: Path,
    threads: int | None,
    task: str,
    labels: NDArray[np.int64],
    texts: list[str],
    pairs: list[str] | None,
) -> dict[str, Any]:
    """Return the metrics, the predicted ids and the rate of one bundle."""
    with Predictor(path, threads=threads) as model:
        model.predict(texts[:1], None if pairs is None else pairs[:1])  # opens the session
        started = time.perf_counter()
        predicted = model.predict(texts, pairs).argmax(axis=1)
        seconds = time.perf_counter() - started
    return {
        "precision": model.bundle.manifest.precision,
        "metrics": task_metrics(task, labels, predicted),
        "predicted": predicted,
        "texts_per_second": len(texts) / seconds,
    }


def compare(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return both bundles' metrics in points, what is lost, and how many labels are the same."""
    points = {
        name: {metric: 100 * value for metric, value in result["metrics"].items()}
        for name, result in results.items()
    }
    same = results["fp32"]["predicted"] == results["int8"]["predicted"]
    return {
        "points": points,
        "points_lost": {
            metric: points["fp32"][metric] - value for metric, value in points["int8"].items()
        },
        "equal_labels": int(same.sum()),
        "texts_per_second": {
            name: round(result["texts_per_second"], 1) for name, result in results.items()
        },
        "precisions": [result["precision"] for result in results.values()],
    }


def show(report: dict[str, Any], task: str, n_examples: int) -> None:
    """Print the table."""
    table = Table(title=f"{task}, {n_examples} dev examples")
    for title in ("metric", *report["precisions"], "points lost"):
        table.add_column(title, justify="right")
    for metric, lost in report["points_lost"].items():
        values = [f"{points[metric]:.2f}" for points in report["points"].values()]
        table.add_row(metric, *values, f"{lost:.2f}")
    rates = [str(rate) for rate in report["texts_per_second"].values()]
    table.add_row("texts/s", *rates, "")
    console = Console()
    console.print(table)
    console.print(f"equal labels: {report['equal_labels']} of {n_examples}")


if __name__ == "__main__":
    sys.exit(main())
