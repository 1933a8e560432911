"""Say what a classifier loses in int8: the metrics of a whole dev set on both engines.

Usage: python benchmarks/quantized_accuracy.py BUNDLE_FP32 BUNDLE_INT8 TASK DATA_DIR [--json OUT]

The bundles are exports of the same run with --precision fp32 and int8; TASK is cola, mrpc or
sst-2 and DATA_DIR its folder. float32 is the native engine's; beside it int8 weights on the native
engine, on ONNX Runtime, and those that `Predictor(precision="int8")` makes of the float32 bundle.
Exits with 1 if the int8 bundle loses more than --limit points of accuracy on the native engine.
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
NATIVE = "int8, native"


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
    options = {"threads": arguments.threads, "engine": "native"}
    bundles = (arguments.bundle_fp32, arguments.bundle_int8)
    models = {
        "fp32": Predictor(bundles[0], **options),
        NATIVE: Predictor(bundles[1], **options),
        "int8, ONNX Runtime": Predictor(bundles[1], **options | {"engine": "onnxruntime"}),
        "int8 at load": Predictor(bundles[0], precision="int8", **options),
    }
    results = {
        name: measure(model, arguments.task, labels, texts, pairs) for name, model in models.items()
    }
    report = compare(results)
    show(report, arguments.task, len(labels))
    if arguments.json:
        content = {"task": arguments.task, "examples": len(labels), **report}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0 if report["points_lost"][NATIVE]["accuracy"] <= arguments.limit else 1


def read_dev(task: str, data_dir: Path) -> tuple[NDArray[np.int64], list[str], list[str] | None]:
    """Return label ids int64 [examples], the texts, and the second texts if there are any."""
    processor = make_processor(task, data_dir)
    examples = processor.get_dev_examples(data_dir)
    ids = {label: index for index, label in enumerate(processor.get_labels())}
    labels = np.array([ids[str(example.label)] for example in examples])
    pairs = [example.text_b or "" for example in examples]
    return labels, [example.text_a for example in examples], pairs if any(pairs) else None


def measure(
    model: Predictor,
    task: str,
    labels: NDArray[np.int64],
    texts: list[str],
    pairs: list[str] | None,
) -> dict[str, Any]:
    """Return the metrics, the predicted ids and the rate of one model."""
    with model:
        model.predict(texts[:1], None if pairs is None else pairs[:1])  # opens it
        started = time.perf_counter()
        predicted = model.predict(texts, pairs).argmax(axis=1)
        seconds = time.perf_counter() - started
    return {
        "metrics": task_metrics(task, labels, predicted),
        "predicted": predicted,
        "texts_per_second": len(texts) / seconds,
    }


def compare(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return all metrics in points, what is lost to float32, and how many labels are the same."""
    points = {
        name: {metric: 100 * value for metric, value in result["metrics"].items()}
        for name, result in results.items()
    }
    expected = results["fp32"]["predicted"]
    return {
        "points": points,
        "points_lost": {
            name: {metric: points["fp32"][metric] - value for metric, value in values.items()}
            for name, values in points.items()
        },
        "equal_labels": {
            name: int((result["predicted"] == expected).sum()) for name, result in results.items()
        },
        "texts_per_second": {
            name: round(result["texts_per_second"], 1) for name, result in results.items()
        },
    }


def show(report: dict[str, Any], task: str, n_examples: int) -> None:
    """Print the table: a row a model."""
    metrics = list(report["points"]["fp32"])
    table = Table(title=f"{task}, {n_examples} dev examples")
    table.add_column("model")
    for title in (*metrics, *(f"{name} lost" for name in metrics), "equal labels", "texts/s"):
        table.add_column(title, justify="right")
    for name, points in report["points"].items():
        lost = report["points_lost"][name]
        table.add_row(
            name,
            *(f"{points[metric]:.2f}" for metric in metrics),
            *(f"{lost[metric]:.2f}" for metric in metrics),
            str(report["equal_labels"][name]),
            str(report["texts_per_second"][name]),
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
