"""Small BERTs with random weights, as variables and as the folders that people have.

The weights are larger than a fresh BERT's, so that attention is uneven and mistakes show.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint import expected_variables
from bertfast.config import BertConfig
from tests.checkpoint.tensor_bundle_writer import write_tensor_bundle

Variables = dict[str, NDArray[Any]]

WORDS = ("the", "cat", "sat", "on", "a", "mat", "un", "##aff", "##able", "!", ",", "##s")
VOCAB = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)
CLS_ID, SEP_ID = 2, 3

_CLASSIFIER = {"output_weights": "classifier.weight", "output_bias": "classifier.bias"}


def small_config(**changes: Any) -> BertConfig:
    """A two-layer BERT of width 24 with 3 heads."""
    values: dict[str, Any] = {
        "vocab_size": len(VOCAB),
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
    }
    return BertConfig(**(values | changes))


def random_variables(config: BertConfig, *, n_labels: int = 0, seed: int = 0) -> Variables:
    """Float32 variables by the original's names; a classifier's too if it has labels."""
    rng = np.random.default_rng(seed)
    shapes = expected_variables(config)
    if n_labels:
        shapes |= {"output_weights": (n_labels, config.hidden_size), "output_bias": (n_labels,)}
    variables = {name: _random(rng, name, shape) for name, shape in shapes.items()}
    return {name: array.astype(np.float32) for name, array in variables.items()}


def _random(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    mean, deviation = (1.0, 0.2) if name.endswith("gamma") else (0.0, 0.5)
    if name.endswith("kernel"):
        deviation = 1.5 / float(np.sqrt(shape[0]))
    return rng.normal(mean, deviation, shape)


def write_vocab(path: Path, vocab: tuple[str, ...] = VOCAB) -> None:
    path.write_text("".join(f"{token}\n" for token in vocab), encoding="utf-8")


def write_original(
    folder: Path, config: BertConfig, variables: Mapping[str, NDArray[Any]], act: str = "gelu"
) -> Path:
    """Write a folder as Google releases them; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    values = config.to_dict() | {"hidden_act": act}
    del values["layer_norm_eps"]
    (folder / "bert_config.json").write_text(json.dumps(values))
    write_vocab(folder / "vocab.txt")
    write_tensor_bundle(folder / "bert_model.ckpt", variables)
    return folder


def hugging_face_names(variables: Mapping[str, NDArray[Any]], prefix: str = "bert.") -> Variables:
    """The variables by Hugging Face's names, kernels transposed to [out, in]."""
    tensors: Variables = {}
    for name, array in variables.items():
        if name in _CLASSIFIER:
            tensors[_CLASSIFIER[name]] = array
            continue
        dotted = name.removeprefix("bert/").replace("layer_", "layer.").replace("/", ".")
        is_kernel = name.endswith("/kernel")
        tensors[prefix + _torch_name(dotted)] = (
            np.ascontiguousarray(array.T) if is_kernel else array
        )
    return tensors


def _torch_name(dotted: str) -> str:
    for ours, theirs in (("kernel", "weight"), ("gamma", "weight"), ("beta", "bias")):
        if dotted.endswith(f".{ours}"):
            return dotted.removesuffix(ours) + theirs
    return f"{dotted}.weight" if dotted.endswith("_embeddings") else dotted


def write_hugging_face(
    folder: Path,
    config: BertConfig,
    variables: Mapping[str, NDArray[Any]],
    *,
    prefix: str = "bert.",
    act: str = "gelu",
    **extra: Any,
) -> Path:
    """Write a folder as Hugging Face's save_pretrained does; `extra` goes into config.json."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    values = config.to_dict() | {"hidden_act": act, "model_type": "bert"} | extra
    (folder / "config.json").write_text(json.dumps(values))
    write_vocab(folder / "vocab.txt")
    save_file(hugging_face_names(variables, prefix), folder / "model.safetensors")
    return folder


def write_sentence_transformer(
    folder: Path, config: BertConfig, variables: Mapping[str, NDArray[Any]]
) -> Path:
    """Write a folder as sentence-transformers does: mean pooling, then normalisation."""
    write_hugging_face(folder, config, variables, prefix="")
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    settings = {"max_seq_length": 32, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    return folder


def random_feeds(
    config: BertConfig, lengths: list[int], width: int, seed: int = 0
) -> dict[str, NDArray[np.int32]]:
    """Inputs of the graph for rows of `lengths`, padded with garbage under a zero mask."""
    rng = np.random.default_rng(seed)
    shape = (len(lengths), width)
    mask = np.arange(width) < np.array(lengths)[:, None]
    return {
        "input_ids": rng.integers(0, config.vocab_size, shape).astype(np.int32),
        "input_mask": mask.astype(np.int32),
        "segment_ids": rng.integers(0, config.type_vocab_size, shape).astype(np.int32),
    }
