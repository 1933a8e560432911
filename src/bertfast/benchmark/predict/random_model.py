"""A BERT with random weights as sentence-transformers folders are: for sizes nobody ships.

Speed does not depend on the weights. Accuracy in int8 does: judge it on a trained model.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.adapters import tokenizer_json
from bertfast.benchmark.vocabulary import derive_vocabulary, write_vocabulary
from bertfast.checkpoint import expected_variables
from bertfast.config import BertConfig
from bertfast.errors import MissingDependencyError
from bertfast.vocab import load_vocab

BERT_BASE = BertConfig(vocab_size=30522)

_DEVIATION = 0.02  # the original's initializer_range
_MAX_LENGTH = 256
_POOLING = {
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
}


def write_random_model(
    folder: Path, texts: list[str], *, config: BertConfig = BERT_BASE, seed: int = 0
) -> Path:
    """Write config, weights, vocabulary and tokenizer; returns the folder.

    Args:
        folder: made if it does not exist.
        texts: the vocabulary is derived from them, and filled up with unused tokens.
        config: sizes of the model.
        seed: of the weights.

    Raises:
        MissingDependencyError: safetensors is not installed.
    """
    try:
        save_file = import_module("safetensors.numpy").save_file
    except ImportError:
        raise MissingDependencyError(
            "a random model needs safetensors; run pip install 'bertfast[export]'"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    vocab_path = folder / "vocab.txt"
    write_vocabulary(_fill(derive_vocabulary(texts, do_lower_case=True), config), vocab_path)
    contents = tokenizer_json(load_vocab(vocab_path), do_lower_case=True)
    (folder / "tokenizer.json").write_text(contents, encoding="utf-8")
    save_file(_tensors(config, seed), folder / "model.safetensors", {"format": "pt"})
    for name, values in _settings(config).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return folder


def _fill(tokens: list[str], config: BertConfig) -> list[str]:
    """Cut the vocabulary to the model's size, or fill it up."""
    unused = [f"[unused{number}]" for number in range(config.vocab_size - len(tokens))]
    return [*tokens, *unused][: config.vocab_size]


def _tensors(config: BertConfig, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return the weights by Hugging Face's names, kernels as [out, in]."""
    random = np.random.default_rng(seed)
    return {
        _hugging_face_name(name): _draw(random, name, shape)
        for name, shape in expected_variables(config).items()
    }


def _draw(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    shape = shape[::-1] if name.endswith("kernel") else shape
    values = random.standard_normal(shape, np.float32) * np.float32(_DEVIATION)
    return values + np.float32(1) if name.endswith("gamma") else values


def _hugging_face_name(name: str) -> str:
    """Return the other library's name of a variable.

    >>> _hugging_face_name("bert/encoder/layer_0/output/LayerNorm/gamma")
    'encoder.layer.0.output.LayerNorm.weight'
    """
    dotted = name.removeprefix("bert/").replace("layer_", "layer.").replace("/", ".")
    stem, _, last = dotted.rpartition(".")
    renamed = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    return f"{stem}.{renamed[last]}" if last in renamed else f"{dotted}.weight"


def _settings(config: BertConfig) -> Mapping[str, object]:
    """Return the JSON files of the folder, by name."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    # "gelu" is erf-gelu in these files; CTranslate2's converter asks for the positions' type.
    values = config.to_dict() | {"hidden_act": "gelu", "model_type": "bert"}
    values |= {"position_embedding_type": "absolute"}
    return {
        "config.json": values | {"architectures": ["BertModel"], "pad_token_id": 0},
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": _MAX_LENGTH,
        },
        "special_tokens_map.json": {
            f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")
        },
        "sentence_bert_config.json": {"max_seq_length": _MAX_LENGTH, "do_lower_case": False},
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": _module_type(kind)}
            for number, (path, kind) in enumerate(modules)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": config.hidden_size, **_POOLING},
    }


def _module_type(kind: str) -> str:
    return f"sentence_transformers.models.{kind}"
