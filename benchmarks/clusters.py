"""The same rows through one process, Spark and Ray: predictions, start-up and steady rate.

    python benchmarks/clusters.py BUNDLE [ROWS]         (default 20,000; needs bertfast[spark,ray])

Start-up is the time until a first handful of rows is predicted: cluster, workers, imports and
model. The steady rate is that of all rows, on workers that are warm. Prints JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from batch_job import texts

from bertfast.distributed.ray import predict_dataset
from bertfast.distributed.spark import predict_dataframe
from bertfast.runtime import Predictor

WORKERS = 2
FIRST_ROWS = 8

Rows = list[str]
# Rows in, float32 [rows, width] out.
Run = Callable[[Rows], Any]


def one_process(bundle: str) -> Run:
    """Return the Predictor on one thread."""
    return Predictor(bundle, threads=1).predict


def on_spark(bundle: str, field: str) -> Run:
    """Start a local Spark."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master(f"local[{WORKERS}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")

    def run(rows: Rows) -> Any:
        df = spark.createDataFrame(list(enumerate(rows)), "id int, text string")
        predicted = predict_dataframe(df.repartition(WORKERS), bundle, fields=(field,))
        found = sorted(predicted.select("id", field).collect())
        return np.array([row[1] for row in found], np.float32)

    return run


def on_ray(bundle: str, field: str) -> Run:
    """Start a local Ray; one more CPU than there are workers is for its readers."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import ray

    path = os.environ.get("PYTHONPATH", "")
    ray.init(
        num_cpus=WORKERS + 2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False

    def run(rows: Rows) -> Any:
        table = pa.table({"id": range(len(rows)), "text": rows})
        step = -(-len(rows) // 8)
        blocks = [table.slice(at, step) for at in range(0, len(rows), step)]
        ds = predict_dataset(ray.data.from_arrow(blocks), bundle, fields=(field,), workers=WORKERS)
        found = sorted(((row["id"], row[field]) for row in ds.take_all()), key=lambda row: row[0])
        return np.array([row[1] for row in found], np.float32)

    return run


def measure(start: Callable[[], Run], rows: Rows, expected: Any) -> dict[str, Any]:
    """Time the start with a few rows, then all rows; compare with `expected`.

    Other batches round differently in the last bits, unless the model's sums are exact.
    """
    began = time.perf_counter()
    run = start()
    run(rows[:FIRST_ROWS])
    started = time.perf_counter()
    found = run(rows)
    seconds = time.perf_counter() - started
    return {
        "start_up_seconds": round(started - began, 1),
        "rows_per_second": round(len(rows) / seconds),
        "max_abs_difference": float(np.abs(found - expected).max()),
    }


def main() -> None:
    """Run all three; see the top of this file."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    bundle, *given = sys.argv[1:]
    rows = texts(int((given or ["20000"])[0]))
    predictor = Predictor(bundle, threads=1)
    output = predictor.output
    field = output if output in ("probabilities", "logits") else "embedding"
    expected = predictor.predict(rows)
    results = {
        "one process, one thread": measure(lambda: one_process(bundle), rows, expected),
        f"spark, {WORKERS} workers": measure(lambda: on_spark(bundle, field), rows, expected),
        f"ray, {WORKERS} workers": measure(lambda: on_ray(bundle, field), rows, expected),
    }
    cpus = len(os.sched_getaffinity(0))
    print(json.dumps({"rows": len(rows), "model": Path(bundle).name, "cpus": cpus, **results}))


if __name__ == "__main__":
    main()
