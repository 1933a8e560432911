"""Finds the files that an ONNX model would read besides itself, without the onnx package.

A tensor of a model may say that its bytes lie in another file, by any path. Our exports never
do, so a model that does is not ours and is refused before ONNX Runtime opens anything.

The walk follows the messages that can hold tensors and jumps over all else:

    model ─7─► graph ─5─► initializer            ─13─► key and value: "location", a path
      │          ├─15─► sparse initializer ─1,2─► (the same)
      │          └─1──► node ─5─► attribute ─5,10─► (the same), ─22,23─► sparse
      └─25─► function ─7─► node    └─6,11─► graph

Source: onnx/onnx.proto.
"""

from collections.abc import Iterator, Mapping

from bertfast.errors import BundleError, CheckpointError
from bertfast.wire_format import read_fields

# The messages on the way, and where the next ones are in them.
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_MAX_DEPTH = 100  # what protobuf itself reads


def external_files(model: memoryview) -> list[str]:
    """Return the paths that the tensors of a serialized model name, in its order.

    Example: a model that holds all of its weights gives [].

    Raises:
        BundleError: the bytes are no protocol buffer, or nested more deeply than 100 messages.
    """
    try:
        return list(_walk(model, "model", 0))
    except CheckpointError as error:
        raise BundleError(f"is not an ONNX model: {error}") from error


def _walk(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise BundleError(f"is nested more deeply than {_MAX_DEPTH} messages")
    children = _CHILDREN[kind]
    for field, payload in _messages(message):
        child = children.get(field)
        if child == "entry":
            yield from _location(payload)
        elif child is not None:
            yield from _walk(payload, child, depth + 1)


def _location(entry: memoryview) -> Iterator[str]:
    """Yield the path of a StringStringEntryProto whose key is "location"."""
    strings = {field: bytes(payload) for field, payload in _messages(entry)}
    if strings.get(1) == b"location":
        yield strings.get(2, b"").decode("utf-8", "replace")


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (field number, payload) of the length-delimited fields; nothing is copied."""
    for field, value in read_fields(message):
        if not isinstance(value, int):
            yield field, value
