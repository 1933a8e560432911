"""Small fused models on disk, and rows of random tokens for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.config import BertConfig
from bertfast.onnx.graph import OUTPUTS, build_model
from bertfast.onnx.oracle import BertOracle

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Rows:
    """Row i is ids[offsets[i]:offsets[i + 1]]."""

    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: list[int]) -> "Rows":
        places = [np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows]
        joined = np.concatenate(places)
        offsets = np.cumsum([0, *(len(place) for place in places)], dtype=np.int64)
        return Rows(self.ids[joined], self.segments[joined], offsets)

    def arguments(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        return self.ids, self.segments, self.offsets


def write_model(path: Path, config: BertConfig, variables: Mapping[str, NDArray[Any]]) -> Path:
    """Write a fused graph with every output that the variables allow."""
    without_head = ("logits", "probabilities")
    has_head = "output_weights" in variables
    outputs = [name for name in OUTPUTS if has_head or name not in without_head]
    path.write_bytes(build_model(config, variables, outputs).SerializeToString())
    return path


def random_rows(config: BertConfig, lengths: list[int], seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    n_tokens = sum(lengths)
    return Rows(
        rng.integers(0, config.vocab_size, n_tokens).astype(np.int32),
        rng.integers(0, config.type_vocab_size, n_tokens).astype(np.int32),
        np.cumsum([0, *lengths], dtype=np.int64),
    )


def oracle_outputs(
    config: BertConfig, variables: Mapping[str, NDArray[Any]], rows: Rows
) -> list[Outputs]:
    """What the oracle gives for each row, [width] or, for sequence_output, [tokens, width]."""
    oracle = BertOracle(config, variables)
    results = []
    for row in range(len(rows)):
        one = rows.take([row])
        ids = one.ids[None]
        outputs = oracle.run(ids, np.ones_like(ids), one.segments[None])
        results.append({name: values[0] for name, values in outputs.items()})
    return results
