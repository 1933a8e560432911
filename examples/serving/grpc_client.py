"""Ask a model in TensorFlow Serving over gRPC: raw texts in, labels and probabilities out.

    pip install tensorflow-serving-api
    python examples/serving/grpc_client.py "a wonderful film" "dull"
    python examples/serving/grpc_client.py --pair "first text" "second text"

How to start the server is said in rest_client.py.
"""

import argparse
import sys
from typing import Any

try:  # the package that brings the others; asked for first, as TensorFlow's import is slow
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
except ModuleNotFoundError as error:
    sys.exit(f"no module {error.name}: pip install tensorflow-serving-api")
import grpc
import tensorflow as tf

TIMEOUT_SECONDS = 30


def main() -> int:
    """Send the texts and print each output; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--pair", action="store_true", help="the texts are pairs: a b a b ...")
    parser.add_argument("--server", default="localhost:8500")
    parser.add_argument("--model", default="bert")
    arguments = parser.parse_args()
    texts: list[str] = arguments.texts
    if arguments.pair and len(texts) % 2:
        parser.error("--pair needs an even number of texts")
    inputs = {"text": texts[::2], "text_pair": texts[1::2]} if arguments.pair else {"text": texts}
    try:
        outputs = predict(arguments.server, arguments.model, inputs)
    except grpc.RpcError as error:
        print(f"{arguments.server}: {error.details()}", file=sys.stderr)
        return 1
    for name, values in sorted(outputs.items()):
        print(f"{name}: {values.tolist()}")
    return 0


def predict(server: str, model: str, inputs: dict[str, list[str]]) -> dict[str, Any]:
    """Return the model's outputs as arrays, for inputs by the names of the signature."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "pair" if "text_pair" in inputs else "serving_default"
    for name, texts in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(texts, tf.string))
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, TIMEOUT_SECONDS)
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


if __name__ == "__main__":
    sys.exit(main())
