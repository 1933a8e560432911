"""Types of the engine's binding."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bertfast.config import BertConfig
from bertfast.engine.weights import Dense, Embeddings, Layer

KERNEL: str

class Network:
    def __init__(self, config: BertConfig, embeddings: Embeddings) -> None: ...
    def add_layer(self, layer: Layer) -> None: ...
    def set_pooler(self, pooler: Dense) -> None: ...
    def set_classifier(self, classifier: Dense) -> None: ...
    @property
    def n_bytes(self) -> int: ...
    def width(self, output: str) -> int: ...
    def run(
        self,
        ids: NDArray[np.int32],
        segments: NDArray[np.int32],
        offsets: NDArray[np.int64],
        output: str,
        token_budget: int,
        n_threads: int,
        n_workers: int,
        advance: Callable[[int, int], object],
    ) -> NDArray[np.float32]: ...
