"""Fixtures of the export's tests."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bertfast.config import BertConfig
from bertfast.onnx.graph import build_model

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Floats = dict[str, NDArray[np.float32]]


class Session(Protocol):
    """A graph that can be run."""

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> Floats:
        """Return every output by name."""


def open_model(model: Any) -> Session:
    """Load a model, given as a protobuf or its file, into ONNX Runtime."""
    import onnxruntime  # type: ignore[import-untyped]

    content = model if isinstance(model, Path) else model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Mapping[str, NDArray[Any]]) -> Floats:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    return run


def open_graph(
    config: BertConfig, variables: Mapping[str, NDArray[Any]], outputs: Sequence[str]
) -> Session:
    """Build and load a graph."""
    return open_model(build_model(config, variables, outputs))


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON object in a file; a value of None removes the key."""
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
