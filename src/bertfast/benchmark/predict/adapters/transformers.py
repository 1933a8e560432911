"""transformers on PyTorch: the folder's model, scaled-dot-product attention, sorted."""

from importlib import import_module
from typing import Any

import numpy as np

from bertfast.benchmark.predict.adapters.hugging_face import encode, load_tokenizer
from bertfast.benchmark.predict.batches import Rows, by_tokens, count_places, pad, run_batches
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup


def load(setup: Setup) -> Embedder:
    """`AutoModel` in inference mode; batches are token budgets."""
    torch = import_module("torch")
    torch.set_num_threads(setup.num_threads)
    model = load_model(setup)
    tokenizer = load_tokenizer(setup.files.tokenizer, setup.files.max_length)

    def embed(texts: list[str], batch: int) -> FloatArray:
        ids = encode(tokenizer, texts)
        batches = by_tokens(np.array([len(row) for row in ids]), batch)
        with torch.inference_mode():
            return run_batches(
                batches,
                lambda rows: _run(torch, model, ids, rows),
                len(texts),
                setup.files.hidden_size,
            )

    return Embedder(embed, count_places(by_tokens))


def load_model(setup: Setup) -> Any:
    """Return the folder's model in float32, ready to predict."""
    return (
        import_module("transformers")
        .AutoModel.from_pretrained(str(setup.files.source), local_files_only=True)
        .float()
        .eval()
    )


def _run(torch: Any, model: Any, ids: list[list[int]], rows: Rows) -> FloatArray:
    input_ids, mask = (torch.from_numpy(array) for array in pad(ids, rows, np.int64))
    vectors = model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    sums = (vectors * mask.unsqueeze(-1)).sum(1)
    result: FloatArray = torch.nn.functional.normalize(sums, dim=1).numpy()
    return result
