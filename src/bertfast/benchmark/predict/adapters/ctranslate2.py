"""CTranslate2: the folder converted once to a precision; sorted batches."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bertfast.benchmark.predict.adapters.hugging_face import encode, load_tokenizer
from bertfast.benchmark.predict.batches import Rows, by_tokens, count_places, pool, run_batches
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup

_COMPUTE_TYPES = {"fp32": "float32", "int8": "int8"}


def load(setup: Setup) -> Embedder:
    """`Encoder.forward_batch`; batches are token budgets."""
    encoder = import_module("ctranslate2").Encoder(
        str(_folder(setup)),
        device="cpu",
        compute_type=_COMPUTE_TYPES[setup.variant],
        inter_threads=1,
        intra_threads=setup.num_threads,
    )
    tokenizer = load_tokenizer(setup.files.tokenizer, setup.files.max_length)

    def embed(texts: list[str], batch: int) -> FloatArray:
        ids = encode(tokenizer, texts)
        batches = by_tokens(np.array([len(row) for row in ids]), batch)
        return run_batches(
            batches, lambda rows: _run(encoder, ids, rows), len(texts), setup.files.hidden_size
        )

    return Embedder(embed, count_places(by_tokens))


def _run(encoder: Any, ids: list[list[int]], rows: Rows) -> FloatArray:
    output = encoder.forward_batch([ids[row] for row in rows])
    vectors = np.asarray(output.last_hidden_state)
    lengths = np.array([len(ids[row]) for row in rows])
    return pool(vectors, np.arange(vectors.shape[1]) < lengths[:, None])


def prepare(setup: Setup) -> None:
    """Convert the folder."""
    if (_folder(setup) / "model.bin").is_file():
        return
    converters = import_module("ctranslate2.converters")
    converter = converters.TransformersConverter(str(setup.files.source))
    converter.convert(str(_folder(setup)), quantization=_COMPUTE_TYPES[setup.variant], force=True)


def _folder(setup: Setup) -> Path:
    return setup.files.cache / f"ctranslate2-{setup.variant}"
