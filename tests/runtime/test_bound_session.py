"""The session of a GPU, tried on the CPU: binding, padding, and what is refused."""

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.errors import DeviceError
from bertfast.runtime import Predictor
from bertfast.runtime.bound_session import BoundSession, pad_width
from bertfast.runtime.session import open_session
from tests.onnx.conftest import edit_json
from tests.runtime.probe_model import write_probe_bundle, write_probe_model

TEXTS = ["a", "", "a b c d e f g h a b", "h g"]


def feeds(width: int) -> dict[str, Any]:
    ids = np.arange(1, 2 * width + 1, dtype=np.int32).reshape(2, width)
    return {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}


@pytest.mark.parametrize("width", [1, 7, 8, 9])
def test_bound_session_gives_what_the_session_gives(tmp_path: Path, width: int) -> None:
    session = open_session(write_probe_model(tmp_path / "model.onnx"))
    bound = BoundSession(session, device="cpu")
    names = ["logits", "pooled_output"]
    for given, expected in zip(
        bound.run(names, feeds(width)), session.run(names, feeds(width)), strict=True
    ):
        assert np.array_equal(given, expected)
    assert [output.name for output in bound.get_outputs()] == [
        output.name for output in session.get_outputs()
    ]
    assert bound.get_providers() == ["CPUExecutionProvider"]


class WatchingSession:
    """Stands for a session and its binding; notes which inputs are still there when it runs."""

    def __init__(self) -> None:
        self.bound: list[weakref.ref[Any]] = []
        self.alive: list[bool] = []

    def io_binding(self) -> "WatchingSession":
        return self

    def bind_ortvalue_input(self, name: str, value: Any) -> None:
        self.bound.append(weakref.ref(value))

    def bind_output(self, name: str, *place: Any) -> None:
        pass

    def run_with_iobinding(self, binding: Any, run_options: Any) -> None:
        self.alive = [reference() is not None for reference in self.bound]

    def copy_outputs_to_cpu(self) -> list[Any]:
        return []


def test_inputs_are_held_until_the_run_is_over() -> None:
    # On the CPU they are numpy's memory, which a binding does not keep: a freed one was read.
    session = WatchingSession()
    BoundSession(session, device="cpu").run(["logits"], feeds(3))
    assert session.alive == [True, True, True]


@pytest.mark.parametrize("output", ["pooled_output", "sequence_output"])
def test_predictions_through_a_bound_session(
    tmp_path: Path, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_probe_bundle(tmp_path / "bundle")
    expected = list(Predictor(path, output=output).predict_iter(TEXTS))
    widths = []

    def open_bound(model_path: Path, **options: Any) -> BoundSession:
        assert options["max_width"] == 64
        bound = BoundSession(open_session(model_path), device="cpu", max_width=64)
        run = bound.run

        def noting(names: Any, given: Any) -> Any:
            widths.append(pad_width(given["input_ids"], 64).shape[1])
            return run(names, given)

        monkeypatch.setattr(bound, "run", noting)
        return bound

    monkeypatch.setattr("bertfast.runtime.session.open_session", open_bound)
    given = list(Predictor(path, output=output).predict_iter(TEXTS))
    assert all(np.array_equal(*pair) for pair in zip(given, expected, strict=True))
    assert widths and all(width % 8 == 0 for width in widths)


def test_padding_stops_at_the_last_position() -> None:
    array = np.ones((1, 60), np.int32)
    assert pad_width(array, 62).shape == (1, 62)
    assert pad_width(array, 60).shape == (1, 60)
    assert pad_width(array, 59).shape == (1, 60)  # too long for the model: it says so itself
    assert pad_width(array).sum() == 60


def test_fp16_on_the_cpu_is_refused(tmp_path: Path) -> None:
    path = write_probe_bundle(tmp_path / "bundle")
    edit_json(path / "bertfast.json", precision="fp16")
    with pytest.raises(DeviceError, match=r"is in fp16, which is for GPUs; pass device='cuda'"):
        Predictor(path)


def test_int8_on_a_gpu_is_refused_and_not_run_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_probe_bundle(tmp_path / "bundle")
    edit_json(path / "bertfast.json", precision="int8")
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: names)
    with pytest.raises(DeviceError, match=r"is in int8, .* --precision fp16 for device 'cuda'"):
        Predictor(path, device="cuda")
