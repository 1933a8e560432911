"""Compare a trained classifier's exports with its TensorFlow model on a whole dev set.

Usage: python benchmarks/compare_exports.py RUN_DIR TASK DATA_DIR [--json OUT]

RUN_DIR is what `bertfast run-classifier` wrote. The fused and the portable ONNX graph and the
SavedModel are exported from it into a temporary folder; each scores the dev set from raw texts,
and its logits are compared with those of the TensorFlow model. Exits with 1 if a label differs
or a logit differs by more than 1e-4.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bertfast import Bundle, Predictor, Tokenizer, export_bundle, read_checkpoint
from bertfast.glue import make_processor
from bertfast.onnx import export_saved_model
from bertfast.onnx.export import GraphKind
from bertfast.onnx.gate import DEFAULT_INPUTS
from bertfast.tf.network import Network

BATCH = 64
TOLERANCE = 1e-4

Floats = NDArray[np.float32]
Texts = Sequence[str]


def main() -> int:
    """Export, score, compare and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("task")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--gate-inputs", type=int, default=DEFAULT_INPUTS, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    texts, pairs = read_texts(arguments.task, arguments.data_dir)
    with tempfile.TemporaryDirectory() as folder:
        options = {"outputs": ["logits"], "gate_inputs": arguments.gate_inputs}
        logits = score_all(arguments.run_dir, Path(folder), options, texts, pairs)
    rows = compare(logits)
    show(rows, len(texts))
    if arguments.json:
        content = {"task": arguments.task, "examples": len(texts), "exports": rows}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    good = all(
        row["equal_labels"] == len(texts) and row["max_abs_difference"] <= TOLERANCE
        for row in rows.values()
    )
    return 0 if good else 1


def read_texts(task: str, data_dir: Path) -> tuple[Texts, Texts | None]:
    """Return the texts of the dev set, and the second ones if there are any."""
    examples = make_processor(task, data_dir).get_dev_examples(data_dir)
    pairs = [example.text_b or "" for example in examples]
    return [example.text_a for example in examples], pairs if any(pairs) else None


def score_all(
    run_dir: Path, folder: Path, options: dict[str, Any], texts: Texts, pairs: Texts | None
) -> dict[str, Floats]:
    """Return the logits of each form of the model, TensorFlow's own first."""
    logits: dict[str, Floats] = {}
    graphs: tuple[GraphKind, ...] = ("fused", "portable")
    for graph in graphs:
        bundle = export_bundle(run_dir, folder / graph, graph=graph, **options)
        if not logits:
            logits["tensorflow"] = score_in_tensorflow(bundle, run_dir, texts, pairs)
        logits[graph] = np.asarray(Predictor(bundle.path).predict(texts, pairs))
    served = export_saved_model(run_dir, folder / "served", **options)
    logits["savedmodel"] = score_saved_model(served.path, texts, pairs)
    return logits


def score_in_tensorflow(bundle: Bundle, run_dir: Path, texts: Texts, pairs: Texts | None) -> Floats:
    """Return the logits of the model as it was trained."""
    manifest = bundle.manifest
    network = Network(manifest.config, read_checkpoint(run_dir), ["logits"])
    tokenizer = Tokenizer(bundle.vocab_path, do_lower_case=manifest.do_lower_case)

    def run(rows: slice) -> Any:
        encoding = tokenizer(
            texts[rows], None if pairs is None else pairs[rows], max_length=manifest.max_length
        )
        return network(encoding.input_ids, encoding.input_mask, encoding.segment_ids)["logits"]

    return in_batches(len(texts), run)


def score_saved_model(path: Path, texts: Texts, pairs: Texts | None) -> Floats:
    """Return the logits of the SavedModel, which takes the texts as they are."""
    loaded = tf.saved_model.load(str(path))
    name = "serving_default" if pairs is None else "pair"

    def run(rows: slice) -> Any:
        inputs = {"text": tf.constant(texts[rows])}
        if pairs is not None:
            inputs["text_pair"] = tf.constant(pairs[rows])
        return loaded.signatures[name](**inputs)["logits"]

    return in_batches(len(texts), run)


def in_batches(n_rows: int, run: Callable[[slice], Any]) -> Floats:
    """Return what `run` gives for slices of the rows, one behind the other."""
    starts = range(0, n_rows, BATCH)
    return np.concatenate([np.asarray(run(slice(start, start + BATCH))) for start in starts])


def compare(logits: dict[str, Floats]) -> dict[str, dict[str, Any]]:
    """Return difference and equal labels of each export, by name."""
    expected = logits["tensorflow"]
    return {
        name: {
            "max_abs_difference": float(np.abs(given - expected).max()),
            "equal_labels": int((given.argmax(1) == expected.argmax(1)).sum()),
        }
        for name, given in logits.items()
        if name != "tensorflow"
    }


def show(rows: dict[str, dict[str, Any]], n_examples: int) -> None:
    """Print the table."""
    table = Table(title="Exports beside the TensorFlow model, whole dev set")
    for title in ("export", "largest difference of a logit", "equal labels"):
        table.add_column(title)
    for name, row in rows.items():
        equal = f"{row['equal_labels']} of {n_examples}"
        table.add_row(name, f"{row['max_abs_difference']:.1e}", equal)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
