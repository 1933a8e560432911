"""bertfast: `Predictor` as users open it, and its engines and precisions as far as it has them."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.predict.batches import by_tokens, count_places
from bertfast.benchmark.predict.embedder import Embedder, FloatArray, Setup
from bertfast.errors import InputError
from bertfast.runtime.predictor import Predictor

INT8 = "int8"
OUTPUT = "mean_embedding"
ON_ONNXRUNTIME = "onnxruntime"


def load(setup: Setup) -> Embedder:
    """`Predictor`: batches are token budgets. `variant` is "fp32 onnxruntime" or the like."""
    precision, _, engine = setup.variant.partition(" ")
    ours = _Ours(setup, precision, engine)
    return Embedder(embed=ours.embed, count_places=ours.count_places, stream=ours.stream)


def has_engines() -> bool:
    """Whether this version of `Predictor` lets users choose between engines."""
    return "engine" in _parameters()


def quantizes_at_load() -> bool:
    """Whether this version of `Predictor` runs a float32 model in int8."""
    return "precision" in _parameters()


def _parameters() -> frozenset[str]:
    return frozenset(inspect.signature(Predictor).parameters)


class _Ours:
    """One open Predictor: another budget takes another."""

    def __init__(self, setup: Setup, precision: str, engine: str) -> None:
        self._threads = setup.num_threads
        self._bundle = setup.files.bundle
        self._options: dict[str, Any] = {"engine": engine} if engine else {}
        if precision == INT8 and setup.files.int8_bundle is not None:
            self._bundle = setup.files.int8_bundle
        elif precision == INT8:
            if not quantizes_at_load():
                raise InputError("this version of bertfast has no int8")
            self._options["precision"] = INT8
        self._batch = 0
        self._predictor: Predictor | None = None

    def embed(self, texts: list[str], batch: int) -> FloatArray:
        predictor = self._open(batch)
        result = np.empty((len(texts), predictor.width), np.float32)
        # The whole list is sorted at once, as the other runtimes' is.
        for window in predictor.predict_windows(texts, window=max(1, len(texts))):
            result[window.first_row : window.first_row + len(window.values)] = window.values
        return result

    def stream(self, texts: list[str], window: int) -> FloatArray:
        vectors: Iterator[FloatArray] = self._open(self._batch).predict_iter(
            iter(texts), window=window
        )
        return np.stack(list(vectors))

    def count_places(self, lengths: NDArray[np.int64], batch: int) -> int:
        predictor = self._open(batch)
        if getattr(predictor, "engine", ON_ONNXRUNTIME) != ON_ONNXRUNTIME:
            return int(lengths.sum())  # our own engine packs rows without padding
        return count_places(by_tokens)(lengths, predictor.token_budget)

    def _open(self, batch: int) -> Predictor:
        if self._predictor is None or batch != self._batch:
            if self._predictor is not None:
                self._predictor.close()
            # No budget is the Predictor's own choice.
            budget = {"token_budget": batch} if batch else {}
            options: dict[str, Any] = {"threads": self._threads, "output": OUTPUT, **budget}
            self._predictor = Predictor(self._bundle, **options, **self._options)
            self._batch = batch
        return self._predictor
