"""fastembed: its own class over a local ONNX model; batches are texts in the order given."""

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bertfast.benchmark.predict.batches import count_places, in_order
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup

_NAME = "bertfast-benchmark"
_FILES = ("config.json", "tokenizer_config.json", "special_tokens_map.json")


def load(setup: Setup) -> Embedder:
    """`TextEmbedding` with the model as a custom one: mean pooling, normalized."""
    library = import_module("fastembed")
    described = import_module("fastembed.common.model_description")
    library.TextEmbedding.add_custom_model(
        model=_NAME,
        pooling=described.PoolingType.MEAN,
        normalization=True,
        sources=described.ModelSource(hf=_NAME),
        dim=setup.files.hidden_size,
        model_file="model.onnx",
    )
    model = library.TextEmbedding(
        _NAME, specific_model_path=str(_folder(setup)), threads=setup.num_threads
    )

    def embed(texts: list[str], batch: int) -> FloatArray:
        return np.stack(list(model.embed(texts, batch_size=batch))).astype(np.float32)

    return Embedder(embed, count_places(in_order))


def prepare(setup: Setup) -> None:
    """Write a folder with a graph that has Hugging Face's inputs, and the tokenizer's files."""
    folder = _folder(setup)
    if (folder / "model.onnx").is_file() or setup.files.source is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        if (setup.files.source / name).is_file():
            shutil.copyfile(setup.files.source / name, folder / name)
    shutil.copyfile(setup.files.tokenizer, folder / "tokenizer.json")
    _complete(folder / "tokenizer_config.json", setup.files.max_length)
    sequence = setup.files.cache / "sequence-bundle"
    export_sequence_bundle(setup.files.source, sequence)
    onnx = import_module("onnx")
    model = with_hugging_face_inputs(onnx.load(str(sequence / "model.onnx")))
    onnx.save(model, str(folder / "model.onnx"))


def _folder(setup: Setup) -> Path:
    return setup.files.cache / "fastembed"


def _complete(path: Path, max_length: int) -> None:
    """State in tokenizer_config.json what fastembed looks for there."""
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    values = {"pad_token": "[PAD]", **values, "model_max_length": max_length}
    path.write_text(json.dumps(values), encoding="utf-8")


def export_sequence_bundle(source: Path, target: Path) -> None:
    """Export the model with its token vectors as the output."""
    from bertfast.onnx import export_bundle

    export_bundle(source, target, outputs=("sequence_output",), overwrite=True, gate_inputs=100)


def with_hugging_face_inputs(model: Any) -> Any:
    """Give our graph int64 inputs by Hugging Face's names, each cast to what it had."""
    helper = import_module("onnx.helper")
    graph, types = model.graph, import_module("onnx").TensorProto
    names = {
        "input_ids": "input_ids",
        "input_mask": "attention_mask",
        "segment_ids": "token_type_ids",
    }
    casts = []
    for ours, theirs in names.items():
        inner = f"{ours}_int32"
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name == ours:
                    node.input[place] = inner
        casts.append(helper.make_node("Cast", [theirs], [inner], to=types.INT32))
    for node in reversed(casts):
        graph.node.insert(0, node)
    del graph.input[:]
    shape = ["batch", "length"]
    graph.input.extend(
        helper.make_tensor_value_info(name, types.INT64, shape) for name in names.values()
    )
    return model
