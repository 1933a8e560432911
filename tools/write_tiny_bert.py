"""Writes a tiny BERT classifier with random weights, as Hugging Face lays it out.

Usage: python tools/write_tiny_bert.py FOLDER

FOLDER then holds config.json, vocab.txt and model.safetensors (a few KB): enough to try
export and prediction where no real model is at hand.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "##s", "!"]
HIDDEN, LAYERS, INNER, LABELS = 8, 2, 16, 2

Array = NDArray[np.float32]


def main(folder: Path) -> None:
    """Write the model into `folder`, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "vocab_size": len(TOKENS),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": INNER,
        "hidden_act": "gelu",
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
        "id2label": {"0": "negative", "1": "positive"},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    save_file(make_weights(), folder / "model.safetensors")


def make_weights() -> dict[str, Array]:
    """Return random weights, the same ones every time, by Hugging Face's names."""
    random = np.random.default_rng(0)
    weights: dict[str, Array] = {}

    def add_dense(name: str, rows: int, columns: int) -> None:
        weights[f"{name}.weight"] = random.normal(0, 0.3, (rows, columns)).astype(np.float32)
        weights[f"{name}.bias"] = random.normal(0, 0.1, rows).astype(np.float32)

    def add_norm(name: str) -> None:
        weights[f"{name}.weight"] = np.ones(HIDDEN, np.float32)
        weights[f"{name}.bias"] = np.zeros(HIDDEN, np.float32)

    for table, rows in (("word", len(TOKENS)), ("position", 32), ("token_type", 2)):
        values = random.normal(0, 0.3, (rows, HIDDEN)).astype(np.float32)
        weights[f"bert.embeddings.{table}_embeddings.weight"] = values
    add_norm("bert.embeddings.LayerNorm")
    for layer in range(LAYERS):
        prefix = f"bert.encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            add_dense(f"{prefix}.attention.{part}", HIDDEN, HIDDEN)
        add_norm(f"{prefix}.attention.output.LayerNorm")
        add_dense(f"{prefix}.intermediate.dense", INNER, HIDDEN)
        add_dense(f"{prefix}.output.dense", HIDDEN, INNER)
        add_norm(f"{prefix}.output.LayerNorm")
    add_dense("bert.pooler.dense", HIDDEN, HIDDEN)
    add_dense("classifier", LABELS, HIDDEN)
    return weights


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python tools/write_tiny_bert.py FOLDER")
    main(Path(sys.argv[1]))
