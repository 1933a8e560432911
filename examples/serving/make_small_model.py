"""Write an original checkpoint of a tiny classifier with random weights, to try an export on.

python examples/serving/make_small_model.py FOLDER
"""

import json
import sys
from pathlib import Path

import tensorflow as tf

from bertfast import BertConfig
from bertfast.tf.classifier import BertClassifier

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "un",
    "##aff",
    "##able",
    "!",
    ",",
    "##s",
]


def main() -> int:
    """Write bert_config.json, vocab.txt and bert_model.ckpt; return the exit code."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=64,
        type_vocab_size=2,
    )
    model = BertClassifier(config, n_labels=2)
    values = config.to_dict() | {"hidden_act": "gelu"}  # as the original calls it
    (folder / "bert_config.json").write_text(json.dumps(values, indent=2))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    variables = {variable.name.removesuffix(":0"): variable for variable in model.variables}
    saver = tf.compat.v1.train.Saver(variables)
    saver.save(None, str(folder / "bert_model.ckpt"), write_meta_graph=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
