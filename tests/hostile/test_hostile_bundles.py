"""Bundles made to do harm: paths that lead out, files without end, absurd numbers, nesting."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from bertfast import Predictor
from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.errors import BertfastError, BundleError, CheckpointError, ConfigError, VocabError
from bertfast.runtime.external_data import external_files
from bertfast.runtime.session import open_session
from bertfast.vocab import load_vocab
from bertfast.wire_format import read_varint
from tests.checkpoint.tensor_bundle_writer import field
from tests.runtime.probe_model import write_probe_bundle

TERABYTE = 1 << 40


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_probe_bundle(tmp_path / "bundle")


def edit_manifest(bundle: Path, **changes: Any) -> None:
    path = bundle / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def sign(bundle: Path, name: str) -> None:
    """Make the manifest fit a file, as who makes a hostile bundle would."""
    content = (bundle / name).read_bytes()
    values = json.loads((bundle / MANIFEST_FILE).read_text())
    values["sha256"][name] = hashlib.sha256(content).hexdigest()
    values["sizes"][name] = len(content)
    edit_manifest(bundle, **values)


def external_tensor(location: str) -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "8"}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def with_initializer(path: Path, location: str) -> None:
    model = onnx.load(str(path))
    model.graph.initializer.append(external_tensor(location))
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/hostname", "w.bytes", "a/../../secret", ""]
)
def test_model_with_external_data_is_refused_before_it_is_read(bundle: Path, location: str) -> None:
    (bundle.parent / "secret").write_bytes(b"12345678")
    (bundle / "w.bytes").write_bytes(b"12345678")
    with_initializer(bundle / "model.onnx", location)
    sign(bundle, "model.onnx")
    with pytest.raises(BundleError, match="keeps weights in another file"):
        open_session(bundle / "model.onnx")
    with pytest.raises(BundleError, match="keeps weights in another file"):
        Predictor(bundle).predict(["a b"])


def test_external_data_is_found_wherever_a_model_can_hold_a_tensor() -> None:
    tensor = external_tensor("../x")
    sparse = onnx.SparseTensorProto(values=tensor, indices=external_tensor("../y"))
    inner = helper.make_graph([], "inner", [], [], [tensor])
    attributes = {
        "tensor": tensor,
        "tensors": [tensor],
        "graph": inner,
        "graphs": [inner],
        "sparse": sparse,
    }
    for name, value in attributes.items():
        node = onnx.NodeProto(op_type="X")
        node.attribute.append(helper.make_attribute(name, value))
        model = helper.make_model(helper.make_graph([node], "g", [], []))
        assert external_files(memoryview(model.SerializeToString()))[0] == "../x", name
        function = helper.make_function("d", "f", [], [], [node], [])
        model = helper.make_model(helper.make_graph([], "g", [], []), functions=[function])
        assert external_files(memoryview(model.SerializeToString()))[0] == "../x", name
    graph = helper.make_graph([], "g", [], [], sparse_initializer=[sparse])
    found = external_files(memoryview(helper.make_model(graph).SerializeToString()))
    assert found == ["../x", "../y"]


def test_model_nested_too_deeply_is_refused() -> None:
    message = b""
    for _ in range(400):  # graph in attribute in node in graph
        message = field(1, field(5, field(6, message)))
    with pytest.raises(BundleError, match="nested more deeply than 100"):
        external_files(memoryview(field(7, message)))


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt", MANIFEST_FILE])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_bundle_of_something_that_is_no_file_is_refused(bundle: Path, name: str, kind: str) -> None:
    (bundle / name).unlink()
    if kind == "pipe":
        os.mkfifo(bundle / name)
    elif kind == "device":
        (bundle / name).symlink_to("/dev/zero")
    else:
        (bundle / name).mkdir()
    if name != MANIFEST_FILE:  # the size that the system gives for them
        values = json.loads((bundle / MANIFEST_FILE).read_text())
        size = (bundle / name).stat().st_size
        edit_manifest(bundle, sizes=values["sizes"] | {name: size})
    with pytest.raises(BundleError, match="is not a regular file"):
        Bundle.load(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_bundle_of_a_link_to_another_file_is_refused(bundle: Path, name: str) -> None:
    secret = bundle.parent / "secret"
    secret.write_bytes(b"x" * (bundle / name).stat().st_size)
    (bundle / name).unlink()
    (bundle / name).symlink_to(secret)
    with pytest.raises(BundleError, match="its sha256 is not the one in the manifest"):
        Bundle.load(bundle)


def test_link_that_goes_round_is_refused(bundle: Path) -> None:
    (bundle / "vocab.txt").unlink()
    (bundle / "vocab.txt").symlink_to("vocab.txt")
    with pytest.raises(BundleError, match="cannot read"):
        Bundle.load(bundle)


def test_files_of_absurd_sizes_are_refused_unread(bundle: Path, tmp_path: Path) -> None:
    def sparse(path: Path) -> Path:
        path.write_bytes(b"")
        os.truncate(path, TERABYTE)
        return path

    with pytest.raises(VocabError, match="more than 268435456 bytes"):
        load_vocab(sparse(tmp_path / "vocab.txt"))
    with pytest.raises(ConfigError, match="more than"):
        BertConfig.from_json_file(sparse(tmp_path / "config.json"))
    (tmp_path / "m.data-00000-of-00001").write_bytes(b"")
    sparse(tmp_path / "m.index")
    with pytest.raises(CheckpointError, match="which no index of a BERT has"):
        read_checkpoint(tmp_path / "m")
    with pytest.raises(CheckpointError, match="more than"):
        read_checkpoint(sparse(tmp_path / "model.safetensors.index.json"))
    with pytest.raises(CheckpointError):
        read_checkpoint(sparse(tmp_path / "model.safetensors"))
    with pytest.raises(BundleError, match="more than"):
        sparse(bundle / MANIFEST_FILE)
        Bundle.load(bundle)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_length": 10**400},
        {"max_length": -1},
        {"config": {"vocab_size": 2**31}},
        {"config": {"vocab_size": 8, "num_hidden_layers": 10**30}},
        {"sizes": {"model.onnx": 10**30, "vocab.txt": 1}},
        {"labels": [[[]]]},
        {"outputs": ["logits"] * 100_000},
        {"sha256": {"../../etc/passwd": "0" * 64}},
        {"sha256": {"/etc/passwd": "0" * 64}},
        {"sha256": {".": "0" * 64}},
        {"sha256": {"a\0b": "0" * 64}},
        {"format_version": 10**300},
    ],
)
def test_absurd_manifest_is_refused(bundle: Path, changes: dict[str, Any]) -> None:
    edit_manifest(bundle, **changes)
    with pytest.raises(BundleError) as caught:
        Bundle.load(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["parity", "source", "config", "labels"])
def test_manifest_nested_too_deeply_is_refused(bundle: Path, key: str) -> None:
    text = (bundle / MANIFEST_FILE).read_text()
    deep = "[" * 200_000
    (bundle / MANIFEST_FILE).write_text(text.replace(f'"{key}":', f'"{key}": {deep}, "x":', 1))
    with pytest.raises(BundleError, match="is not JSON"):
        Bundle.load(bundle)


def test_manifest_with_a_key_twice_is_read_as_json_is(bundle: Path) -> None:
    # The last one wins everywhere, so that nothing is checked and then replaced.
    text = (bundle / MANIFEST_FILE).read_text()
    (bundle / MANIFEST_FILE).write_text(text.replace("{", '{"max_length": -5,', 1))
    assert Bundle.load(bundle).manifest.max_length == 16


def test_vocabulary_with_a_token_twice_keeps_the_last(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\na\n")
    assert load_vocab(path)["a"] == 6


@pytest.mark.parametrize("value", [b"", b"\xff" * 10, b"\x80" * 9 + b"\x02"])
def test_varint_that_never_ends_is_refused(value: bytes) -> None:
    try:
        assert read_varint(value, 0)[0] < 1 << 64
    except BertfastError as error:
        assert isinstance(error, CheckpointError)
