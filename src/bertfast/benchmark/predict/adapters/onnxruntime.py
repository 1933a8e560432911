"""ONNX Runtime as users call it: tokenizers, padded arrays, a session with default options."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bertfast.benchmark.predict.adapters.hugging_face import encode, load_tokenizer
from bertfast.benchmark.predict.batches import (
    Plan,
    Rows,
    by_tokens,
    count_places,
    in_order,
    pad,
    run_batches,
)
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup

INT8 = "int8"


def naive(setup: Setup) -> Embedder:
    """Batches of so many texts in the order given, padded to the longest."""
    return _embedder(setup, in_order)


def sorted_by_length(setup: Setup) -> Embedder:
    """Batches of so many tokens, of texts sorted by length."""
    return _embedder(setup, by_tokens)


def prepare(setup: Setup) -> None:
    """Quantize the fused graph, a scale a column: what ONNX Runtime's own tool makes of it."""
    target = _int8_path(setup)
    if setup.variant != INT8 or target.is_file():
        return
    quantization = import_module("onnxruntime.quantization")
    float32 = import_module("onnx").TensorProto.FLOAT
    quantization.quantize_dynamic(
        str(setup.files.bundle / "model.onnx"),
        str(target),
        per_channel=True,
        weight_type=quantization.QuantType.QInt8,
        extra_options={"DefaultTensorType": float32, "MatMulConstBOnly": True},
    )


def _int8_path(setup: Setup) -> Path:
    return setup.files.cache / "onnxruntime-int8.onnx"


def _embedder(setup: Setup, plan: Plan) -> Embedder:
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = setup.num_threads
    path = _int8_path(setup) if setup.variant == INT8 else setup.files.bundle / "model.onnx"
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    tokenizer = load_tokenizer(setup.files.tokenizer, setup.files.max_length)

    def embed(texts: list[str], batch: int) -> FloatArray:
        ids = encode(tokenizer, texts)
        batches = plan(np.array([len(row) for row in ids]), batch)
        return run_batches(
            batches, lambda rows: _run(session, ids, rows), len(texts), setup.files.hidden_size
        )

    return Embedder(embed, count_places(plan))


def _run(session: Any, ids: list[list[int]], rows: Rows) -> FloatArray:
    input_ids, mask = pad(ids, rows, np.int32)
    feeds = {"input_ids": input_ids, "input_mask": mask, "segment_ids": np.zeros_like(mask)}
    result: FloatArray = session.run(["mean_embedding"], feeds)[0]
    return result
