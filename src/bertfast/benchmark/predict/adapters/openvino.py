"""OpenVINO: the PyTorch model converted once, compiled for throughput; sorted batches."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bertfast.benchmark.predict.adapters.hugging_face import encode, load_tokenizer
from bertfast.benchmark.predict.batches import (
    Rows,
    by_tokens,
    count_places,
    pad,
    pool,
    run_batches,
)
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup


def load(setup: Setup) -> Embedder:
    """A compiled model in float32 on so many threads; batches are token budgets."""
    core = import_module("openvino").Core()
    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": setup.num_threads,
        "NUM_STREAMS": "1",
    }
    compiled = core.compile_model(str(_path(setup)), "CPU", hints)
    request = compiled.create_infer_request()
    tokenizer = load_tokenizer(setup.files.tokenizer, setup.files.max_length)

    def embed(texts: list[str], batch: int) -> FloatArray:
        ids = encode(tokenizer, texts)
        batches = by_tokens(np.array([len(row) for row in ids]), batch)
        return run_batches(
            batches, lambda rows: _run(request, ids, rows), len(texts), setup.files.hidden_size
        )

    return Embedder(embed, count_places(by_tokens))


def _run(request: Any, ids: list[list[int]], rows: Rows) -> FloatArray:
    input_ids, mask = pad(ids, rows, np.int64)
    outputs = request.infer([input_ids, mask], share_inputs=True, share_outputs=True)
    return pool(outputs[0], mask)


def prepare(setup: Setup) -> None:
    """Convert the folder's PyTorch model and write it in OpenVINO's form."""
    if _path(setup).is_file():
        return
    from bertfast.benchmark.predict.adapters.transformers import load_model

    openvino, torch = import_module("openvino"), import_module("torch")
    example = torch.ones((2, 8), dtype=torch.int64)
    with torch.inference_mode():
        model = openvino.convert_model(
            load_model(setup),
            example_input={"input_ids": example, "attention_mask": example},
            input=[("input_ids", [-1, -1]), ("attention_mask", [-1, -1])],
        )
    openvino.save_model(model, str(_path(setup)), compress_to_fp16=False)


def _path(setup: Setup) -> Path:
    return setup.files.cache / "openvino" / "model.xml"
