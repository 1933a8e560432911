import os
from pathlib import Path

import numpy as np
import pytest

from bertfast.errors import BundleError, DeviceError, InputError
from bertfast.runtime.session import available_threads, import_onnxruntime, open_session
from tests.runtime.probe_model import write_probe_model


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_probe_model(tmp_path_factory.mktemp("session") / "model.onnx")


def test_session_runs_the_model(model_path: Path) -> None:
    session = open_session(model_path)
    feeds = {
        "input_ids": np.array([[2, 5, 3, 0], [2, 5, 3, 7]], np.int32),
        "input_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.int32),
        "segment_ids": np.array([[0, 0, 0, 0], [0, 0, 0, 1]], np.int32),
    }
    assert session.run(["pooled_output"], feeds)[0].tolist() == [[10, 3, 0, 2], [17, 4, 1, 2]]


@pytest.mark.parametrize("threads", [1, 3, None])
def test_session_uses_the_threads_asked_for_and_no_arena(
    model_path: Path, threads: int | None
) -> None:
    options = open_session(model_path, threads=threads).get_session_options()  # type: ignore[attr-defined]
    assert options.intra_op_num_threads == (threads or available_threads())
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_threads_default_counts_the_cpus_of_this_process_only() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_threads() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert available_threads() == len(before)


@pytest.mark.parametrize("device", ["gpu", "CPU", "cuda:", "cuda:x", "", "cpu:0", None])
def test_session_unknown_device_names_the_known_ones(model_path: Path, device: str) -> None:
    with pytest.raises(DeviceError, match=r'^unknown device .*"cpu", "cuda" or "cuda:N".*CPUExec'):
        open_session(model_path, device=device)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_session_cuda_without_its_provider_says_how_to_install_it(
    model_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError) as caught:
        open_session(model_path, device=device)
    message = str(caught.value)
    assert "CUDAExecutionProvider, but onnxruntime has only CPUExecutionProvider" in message
    assert "pip uninstall -y onnxruntime && pip install onnxruntime-gpu" in message


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider' is not in available")
def test_session_cuda_that_does_not_start_raises_instead_of_falling_back(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "CUDAExecutionProvider" in import_onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    monkeypatch.setattr(
        "bertfast.runtime.session._providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    with pytest.raises(DeviceError, match="did not start"):
        open_session(model_path, device="cuda")


def test_session_missing_model_raises_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx is missing; export the model again$"):
        open_session(tmp_path / "model.onnx")


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_session_truncated_model_raises_bundle_error_of_one_line(
    model_path: Path, tmp_path: Path, keep: int
) -> None:
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(model_path.read_bytes()[:keep])
    with pytest.raises(BundleError) as caught:
        open_session(damaged)
    message = str(caught.value)
    assert message.startswith(f"{damaged} cannot be loaded: ")
    assert "\n" not in message
    assert "[ONNXRuntimeError]" not in message


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_session_bad_threads_raise_input_error(model_path: Path, threads: object) -> None:
    with pytest.raises(InputError, match="threads is a positive integer or None"):
        open_session(model_path, threads=threads)  # type: ignore[arg-type]
