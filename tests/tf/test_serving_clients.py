"""The example clients against stand-ins for TensorFlow Serving, which run the SavedModel.

The server's own binary is not needed: the stand-ins read and write its REST and gRPC forms.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Predictor, export_bundle
from tests.conftest import REPOSITORY
from tests.parity.graph import import_tensorflow
from tests.small_bert import random_variables, small_config, write_original

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)

CONFIG = small_config()
CLIENTS = REPOSITORY / "examples" / "serving"
TEXTS = ["the cat sat", "unaffable, é", "", "a mat"]
OPTIONS: dict[str, Any] = {"labels": ("neg", "pós"), "gate_inputs": 20}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    variables = random_variables(CONFIG, n_labels=2)
    return write_original(tmp_path_factory.mktemp("serving") / "model", CONFIG, variables)


@pytest.fixture(scope="module")
def signatures(source: Path) -> Any:
    tf = import_tensorflow()
    from bertfast.onnx import export_saved_model

    done = export_saved_model(source, source.parent / "bert" / "1", **OPTIONS)
    loaded = tf.saved_model.load(str(done.path))
    # The loaded model must outlive its signatures.
    return {name: (loaded, loaded.signatures[name]) for name in loaded.signatures}


@pytest.fixture(scope="module")
def expected(source: Path) -> dict[bool, Any]:
    """Probabilities of the texts, and of the pairs of them."""
    predictor = Predictor(export_bundle(source, source.parent / "onnx", **OPTIONS).path)
    return {
        False: predictor.predict(TEXTS),
        True: predictor.predict(TEXTS[::2], TEXTS[1::2]),
    }


def answer(signatures: Any, name: str, inputs: dict[str, list[str]]) -> dict[str, Any]:
    tf = import_tensorflow()
    given = {key: tf.constant(texts, tf.string) for key, texts in inputs.items()}
    outputs = signatures[name][1](**given)
    return {key: np.asarray(value) for key, value in outputs.items()}


@pytest.fixture
def rest_server(signatures: Any) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rows = body["instances"]
            inputs = {name: [row[name] for row in rows] for name in rows[0]}
            outputs = answer(signatures, body["signature_name"], inputs)
            predictions = [
                {name: _plain(value[row]) for name, value in outputs.items()}
                for row in range(len(rows))
            ]
            status = 200 if self.path == "/v1/models/bert:predict" else 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"predictions": predictions}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/v1/models"
    server.shutdown()
    thread.join()
    server.server_close()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    plain = value.tolist()
    return [item.decode() if isinstance(item, bytes) else item for item in plain]


def run_client(
    name: str, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(CLIENTS / name), *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("pair", [False, True])
def test_rest_client_prints_the_predictors_numbers(
    rest_server: str, expected: dict[bool, Any], pair: bool
) -> None:
    options = ["--pair"] if pair else []
    done = run_client("rest_client.py", *options, "--url", f"{rest_server}/bert", *TEXTS)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    given = [row["probabilities"] for row in rows]
    np.testing.assert_allclose(given, expected[pair], atol=1e-5)
    best = expected[pair].argmax(axis=1)
    assert [row["label"] for row in rows] == [OPTIONS["labels"][index] for index in best]


def test_rest_client_says_what_went_wrong(rest_server: str) -> None:
    done = run_client("rest_client.py", "--url", f"{rest_server}/other", *TEXTS)
    assert done.returncode == 1
    assert "the server refused" in done.stderr
    done = run_client("rest_client.py", "--url", "http://localhost:9/v1/models/bert", "a")
    assert done.returncode == 1
    assert "no server at" in done.stderr


@pytest.fixture
def grpc_server(signatures: Any) -> Iterator[str]:
    for package in ("grpc", "tensorflow_serving"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install tensorflow-serving-api)")
    grpc: Any = import_module("grpc")
    tf = import_tensorflow()
    predict_pb2 = import_module("tensorflow_serving.apis.predict_pb2")
    service = import_module("tensorflow_serving.apis.prediction_service_pb2_grpc")

    class Servicer(service.PredictionServiceServicer):  # type: ignore[name-defined, misc]
        def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
            if request.model_spec.name != "bert":
                context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
            inputs = {
                name: [text.decode() for text in tf.make_ndarray(tensor).tolist()]
                for name, tensor in request.inputs.items()
            }
            response = predict_pb2.PredictResponse()
            outputs = answer(signatures, request.model_spec.signature_name, inputs)
            for name, value in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(ThreadPoolExecutor(1))
    service.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pair", [False, True])
def test_grpc_client_prints_the_predictors_numbers(
    grpc_server: str, expected: dict[bool, Any], pair: bool
) -> None:
    options = ["--pair"] if pair else []
    done = run_client("grpc_client.py", *options, "--server", grpc_server, *TEXTS)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    given = json.loads(lines["probabilities"])
    np.testing.assert_allclose(given, expected[pair], atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_grpc_client_says_what_went_wrong(grpc_server: str) -> None:
    done = run_client("grpc_client.py", "--server", grpc_server, "--model", "other", "a")
    assert done.returncode == 1
    assert "no such model" in done.stderr


def test_grpc_client_names_the_package_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "tensorflow_serving").mkdir()  # an empty one hides the package
    (tmp_path / "tensorflow_serving" / "__init__.py").touch()
    done = run_client("grpc_client.py", "a", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "no module tensorflow_serving.apis: pip install tensorflow-serving-api\n"
    )
