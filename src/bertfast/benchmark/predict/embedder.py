"""What takes part: a model in a runtime that turns texts into embeddings, from end to end."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]
# How many padded tokens or texts a batch holds; each adapter says which it takes.
Embed: TypeAlias = Callable[[list[str], int], FloatArray]
# Lengths of the texts in tokens, and the size of a batch, to places computed, padding included.
CountPlaces: TypeAlias = Callable[[NDArray[np.int64], int], int]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model in the forms that the runtimes read; a form that there is not is None.

    Attributes:
        bundle: our model directory in float32, its output mean_embedding.
        int8_bundle: the same exported in int8.
        source: folder of Hugging Face or sentence-transformers with safetensors.
        tokenizer: tokenizer.json in Hugging Face's form, without truncation and padding.
        cache: where adapters keep what they make of the model.
        max_length: tokens of a text at most, special ones included.
        hidden_size: width of an embedding.
    """

    bundle: Path
    int8_bundle: Path | None
    source: Path | None
    tokenizer: Path
    cache: Path
    max_length: int
    hidden_size: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What an adapter builds from.

    Attributes:
        variant: what the adapter is to be: a precision, or a precision and an engine.
        num_threads: threads that the runtime may use.
    """

    files: ModelFiles
    variant: str
    num_threads: int


@dataclass(frozen=True, slots=True)
class Embedder:
    """A loaded model.

    Attributes:
        embed: (texts, batch) to float32 [n, hidden_size]: means over the tokens, of length 1.
        count_places: (lengths, batch) to the places that `embed` computes; None if unknown.
        stream: (texts, window) embeds texts one by one from an iterator; None if it cannot.
    """

    embed: Embed
    count_places: CountPlaces | None = None
    stream: Embed | None = None


def load(adapter: str, setup: Setup) -> Embedder:
    """Import an adapter and load its model; raises whatever that raises."""
    module, _, name = adapter.partition(":")
    embedder: Embedder = getattr(import_module(module), name)(setup)
    return embedder


def prepare(adapter: str, setup: Setup) -> None:
    """Let an adapter make what it needs of the model, if it needs anything."""
    function = getattr(import_module(adapter.partition(":")[0]), "prepare", None)
    if function is not None:
        function(setup)
