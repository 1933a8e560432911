"""Jobs that are quick to run: a stub model, small inputs, and what a process may do to files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.bundle import Bundle
from bertfast.runtime import Predictor
from bertfast.runtime.loaded import LoadedModel
from bertfast.tokenizer import Tokenizer
from tests.runtime.probe_model import write_probe_bundle


class StubSession:
    """Scores by sums over the ids; needs no ONNX Runtime, hence no threads and no start-up."""

    def __init__(self, width: int) -> None:
        self._width = width

    def run(
        self,
        output_names: Sequence[str],
        feeds: dict[str, NDArray[np.int32]],
        run_options: Any = None,
    ) -> list[NDArray[np.float32]]:
        ids = feeds["input_ids"].astype(np.float32) * feeds["input_mask"]
        sums = ids.sum(axis=1, keepdims=True)
        powers = np.arange(1, self._width + 1, dtype=np.float32)
        values: NDArray[np.float32] = np.exp(-np.abs(np.sin(sums * powers)))
        return [(values / values.sum(axis=1, keepdims=True)).astype(np.float32)]

    def get_outputs(self) -> Sequence[Any]:
        return []

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


class StubPredictor(Predictor):
    """A Predictor on a stub session; all else is real."""

    def _open(self) -> LoadedModel:
        if self._model is None:
            tokenizer = Tokenizer(self.bundle.vocab_path, do_lower_case=True)
            self._model = LoadedModel(
                name=str(self.bundle.path),
                tokenizer=tokenizer,
                session=StubSession(3),
                output=self.output,
                width=3,
                sep_id=3,
                max_length=self.max_length,
                token_budget=self.token_budget,
            )
        return self._model


def stub_predictor(folder: Path) -> StubPredictor:
    """Write a bundle of a classifier with three labels and return a predictor on it."""
    return StubPredictor(Bundle.load(write_probe_bundle(folder, default_output="probabilities")))


def rows(n_rows: int, bad_every: int = 0) -> list[dict[str, object]]:
    """Rows of many lengths; every `bad_every`-th has no text."""
    return [
        {"id": number, "text": None if bad_every and number % bad_every == 3 else _text(number)}
        for number in range(n_rows)
    ]


def write_input(path: Path, values: Sequence[dict[str, object]]) -> Path:
    """Write rows as the extension says: a row without text is short, null or without key."""
    if path.suffix == ".parquet":
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
        pq.write_table(pa.Table.from_pylist(list(values), schema), path, row_group_size=7)
        return path
    separator = {".tsv": "\t", ".csv": ","}.get(path.suffix)
    if separator is None:
        lines = [json.dumps({k: v for k, v in row.items() if v is not None}) for row in values]
    else:
        lines = [separator.join(str(v) for v in row.values() if v is not None) for row in values]
        lines.insert(0, separator.join(("id", "text")))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but those that tell when and where the job ran."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("_lock", "_journal.jsonl")
    }


def table(path: Path) -> list[dict[str, Any]]:
    """Read a Parquet file or JSON lines."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        values: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return values
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _text(number: int) -> str:
    return " ".join("abcdefgh"[(number + place) % 8] for place in range(number * 7 % 11))
