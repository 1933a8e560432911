"""sentence-transformers: `encode`, which sorts by length itself; batches are texts."""

from importlib import import_module

import numpy as np

from bertfast.benchmark.predict.batches import by_length, count_places
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup


def load(setup: Setup) -> Embedder:
    """`SentenceTransformer` of the folder, on the CPU."""
    import_module("torch").set_num_threads(setup.num_threads)
    model = import_module("sentence_transformers").SentenceTransformer(
        str(setup.files.source), device="cpu", local_files_only=True
    )
    model.max_seq_length = setup.files.max_length

    def embed(texts: list[str], batch: int) -> FloatArray:
        vectors = model.encode(
            texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    return Embedder(embed, count_places(by_length))
