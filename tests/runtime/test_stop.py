"""A stop ends ONNX Runtime in the middle of a batch."""

import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bertfast.runtime.session import open_session
from bertfast.runtime.stop import Stop

SIZE = 1024
N_PRODUCTS = 1000  # of 2 GFLOP each: half a minute and more on one core
BOUND_SECONDS = 5


def write_long_model(path: Path) -> None:
    """Write a model of one product of matrices behind the other."""
    names = [f"x{number}" for number in range(N_PRODUCTS + 1)]
    nodes = [
        helper.make_node("MatMul", [before, "weights"], [after])
        for before, after in pairwise(names)
    ]
    graph = helper.make_graph(
        nodes,
        "long",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [SIZE, SIZE])],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, [SIZE, SIZE])],
        [numpy_helper.from_array(np.zeros((SIZE, SIZE), np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def test_stop_ends_a_run_of_onnx_runtime(tmp_path: Path) -> None:
    write_long_model(tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx", threads=1)
    stop = Stop()
    set_at: list[float] = []

    def end() -> None:
        time.sleep(0.3)
        set_at.append(time.monotonic())
        stop.set()

    options = stop.run_options
    sender = threading.Thread(target=end)
    sender.start()
    feeds = {"x0": np.zeros((SIZE, SIZE), np.float32)}
    # ONNX Runtime's own errors have no base class but Exception.
    with pytest.raises(Exception, match="terminate flag"):
        session.run([f"x{N_PRODUCTS}"], feeds, options)  # type: ignore[arg-type]
    sender.join()
    seconds = time.monotonic() - set_at[0]
    sys.stdout.write(f"ended {seconds:.3f} s after the stop\n")
    assert seconds < BOUND_SECONDS
    with pytest.raises(Exception, match="terminate flag"):  # and those that begin later
        session.run([f"x{N_PRODUCTS}"], feeds, stop.run_options)  # type: ignore[arg-type]
