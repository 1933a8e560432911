"""Fuzz targets of the parsers that are written in Python: any bytes give a result or our error.

`TARGETS` are run by `tools/fuzz_parsers.py` (guided by coverage) and by `test_parsers.py`
(damaged copies of `SEEDS` and Hypothesis's bytes). Each takes the bytes of an untrusted file.
"""

import contextlib
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast import Tokenizer
from bertfast.checkpoint.entries import parse_index
from bertfast.checkpoint.snappy import decompress
from bertfast.checkpoint.tensor_bundle import read_tensor_bundle
from bertfast.engine import Network
from bertfast.errors import BertfastError, UnknownTokenError
from bertfast.jobs.journal import FORMAT_VERSION, Journal, differences
from bertfast.manifest import Manifest
from bertfast.runtime.external_data import external_files
from bertfast.vocab import load_vocab
from tests.checkpoint.tensor_bundle_writer import (
    entry,
    header,
    raw_table,
    table,
    varint,
    write_tensor_bundle,
)
from tests.fuzz import small_network

Target = Callable[[bytes], None]

_MAX_TENSOR_BYTES = 1 << 20


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="bertfast-fuzz-"))


def fuzz_index(data: bytes) -> None:
    """The `.index` file of a TensorFlow checkpoint, checksums and all."""
    parse_index(data)


def fuzz_entries(data: bytes) -> None:
    """The same behind checksums that are right: one block of `data`."""
    parse_index(raw_table([(b"z", data)]))


def fuzz_tensor_data(data: bytes) -> None:
    """A checkpoint of any bytes whose index, right in form, is made of its first bytes."""
    prefix = _folder() / "data"
    head, content = data[:24], data[24:]
    numbers = list(head.ljust(24, b"\0"))
    entries = [(b"", header(1 + numbers[0] % 2))]
    for n, at in enumerate(range(1, 24, 6)):
        dtype, rank, size, offset, n_bytes, shard = numbers[at : at + 6] + [0] * (at + 6 - 24)
        shape = [size] * (rank % 4)
        entries.append((b"t%d" % n, entry(dtype % 24, shape, offset, n_bytes, 0, shard % 3)))
    Path(f"{prefix}.index").write_bytes(table(entries))
    Path(f"{prefix}.data-00000-of-00001").write_bytes(content)
    tensors = read_tensor_bundle(prefix, lambda name: True).variables
    assert all(tensor.nbytes <= _MAX_TENSOR_BYTES for tensor in tensors.values())


def fuzz_snappy(data: bytes) -> None:
    """A compressed block."""
    assert len(decompress(data)) <= 64 * len(data)


def fuzz_safetensors(data: bytes) -> None:
    """A safetensors file; its header gets the length it should have if the first byte is odd."""
    from bertfast.checkpoint.safetensors_files import read_safetensors

    path = _folder() / "model.safetensors"
    if data[:1] and data[0] & 1:
        text, _, content = data[1:].partition(b"\0")
        data = len(text).to_bytes(8, "little") + text + content
    path.write_bytes(data)
    tensors = read_safetensors(path).variables
    # 8-bit tensors stay, 16-bit ones are widened.
    assert sum(tensor.nbytes for tensor in tensors.values()) <= 4 * len(data)


def fuzz_manifest(data: bytes) -> None:
    """`bertfast.json`: what is read can be written and read again."""
    manifest = Manifest.from_json_bytes(data)
    # Numbers that are none (NaN) are read, where nothing but messages uses them.
    with contextlib.suppress(ValueError):
        again = Manifest.from_json_bytes(manifest.to_json_string().encode("utf-8"))
        assert again.sha256 == manifest.sha256


def fuzz_journal(data: bytes) -> None:
    """The journal of a job, used as `Job` does."""
    path = _folder() / "_journal.jsonl"
    path.write_bytes(data)
    journal = Journal.open(path)
    try:
        assert journal.total("rows_in") >= 0
        assert journal.position.line >= 0
        assert all(isinstance(line, str) for line in differences(journal.identity, {"a": 1}))
        assert path.read_bytes() == data[: data.rfind(b"\n") + 1]
    finally:
        journal.close()


def fuzz_vocabulary(data: bytes) -> None:
    """A vocabulary file."""
    path = _folder() / "vocab.txt"
    path.write_bytes(data)
    vocab = load_vocab(path)
    assert max(vocab.values()) <= data.count(b"\n")


def fuzz_model(data: bytes) -> None:
    """The walk over an ONNX model that looks for files it would read."""
    assert all(isinstance(name, str) for name in external_files(memoryview(data)))


def fuzz_network(data: bytes) -> None:
    """The native engine's reader of a `model.onnx`, and the network that it makes of it."""
    path = _folder() / "network.onnx"
    path.unlink(missing_ok=True)  # the last one may still be mapped
    path.write_bytes(data)
    for quantize in (False, True):
        network = Network(path, small_network.CONFIG, quantize=quantize)
        for output in small_network.OUTPUTS:
            if not network.width(output):
                continue
            rows = network.run(*small_network.ROWS, output=output, token_budget=4, threads=1)
            assert rows.shape == (small_network.n_rows(output), network.width(output))


def fuzz_rows(data: bytes) -> None:
    """Ids, segments and offsets of any kind for the native engine."""
    head, n_offsets = data[:1].ljust(1, b"\0")[0], data[1:2].ljust(1, b"\0")[0] % 8
    numbers = np.frombuffer(data[2:], np.int8).astype(np.int64)
    numbers[numbers == 127] = 2**63 - 1
    numbers[numbers == -128] = -(2**63)
    offsets, ids = numbers[:n_offsets], numbers[n_offsets:].astype(np.int32)
    segments = ids[::-1].copy() % 3 if head & 8 else np.zeros(len(ids) + (head >> 7), np.int32)
    output = small_network.OUTPUTS[head % len(small_network.OUTPUTS)]
    rows = _network().run(ids, segments, offsets, output=output, token_budget=4, threads=1)
    assert np.isfinite(rows).all()


@cache
def _network() -> Network:
    path = _folder() / "rows.onnx"
    path.write_bytes(small_network.model_bytes())
    return Network(path, small_network.CONFIG)


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "##", "[MASK]", "\u00e9"])


def fuzz_decode(data: bytes) -> None:
    """Ids of any kind to text: text, or an error that names the id."""
    ids = np.frombuffer(data[: len(data) // 4 * 4], np.int32)
    small = [byte % 12 - 1 for byte in data]
    for numbers in (ids, ids.tolist(), small):
        with contextlib.suppress(UnknownTokenError):
            assert isinstance(_tokenizer().decode(numbers), str)


TARGETS: dict[str, Target] = {
    "index": fuzz_index,
    "entries": fuzz_entries,
    "tensor_data": fuzz_tensor_data,
    "snappy": fuzz_snappy,
    "safetensors": fuzz_safetensors,
    "manifest": fuzz_manifest,
    "journal": fuzz_journal,
    "vocabulary_file": fuzz_vocabulary,
    "model": fuzz_model,
    "network": fuzz_network,
    "rows": fuzz_rows,
    "ids": fuzz_decode,
}


def run(name: str, data: bytes) -> bool:
    """Run a target; False if it refused `data` with our error. Any other error comes through."""
    try:
        TARGETS[name](data)
    except BertfastError as error:
        assert str(error)
        return False
    return True


def seeds(name: str) -> list[bytes]:
    """Return good inputs of a target, to begin with."""
    made = {
        "index": lambda: [_checkpoint(".index")],
        "entries": lambda: [varint(0) + varint(0) + varint(2) + b"\x08\x01" + b"\0" * 8],
        "tensor_data": lambda: [bytes([0, 1, 1, 4, 0, 16]) + bytes(40)],
        "snappy": lambda: [b"\x05\x00a\x01\x01"],
        "safetensors": lambda: [_safetensors()],
        "manifest": lambda: [_manifest()],
        "journal": lambda: [_journal()],
        "vocabulary_file": lambda: [b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n##a\n\xc3\xa9\n"],
        "model": lambda: [_model()],
        "network": lambda: [small_network.model_bytes()],
        "rows": lambda: [bytes([n, 3, 0, 2, 3, 1, 0, 2]) for n in range(5)],
        "ids": lambda: [np.arange(8, dtype=np.int32).tobytes()],
    }
    return made[name]()


def _checkpoint(suffix: str) -> bytes:
    prefix = _folder() / "seed"
    tensors: dict[str, NDArray[Any]] = {
        "a/kernel": np.ones((2, 3), np.float32),
        "b/bias": np.arange(3),
    }
    write_tensor_bundle(prefix, tensors)
    return Path(f"{prefix}{suffix}").read_bytes()


def _safetensors() -> bytes:
    values = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return b"\x01" + json.dumps({"embeddings.LayerNorm.weight": values}).encode() + b"\0" + bytes(8)


def _manifest() -> bytes:
    config = {"vocab_size": 9, "hidden_size": 4, "num_attention_heads": 1}
    content = {
        "format_version": 1,
        "bertfast_version": "0.1.0",
        "unicode_version": "14.0.0",
        "do_lower_case": True,
        "max_length": 16,
        "config": config,
        "outputs": ["logits"],
        "default_output": "logits",
        "labels": None,
        "precision": "fp32",
        "sha256": {"model.onnx": "0" * 64, "vocab.txt": "1" * 64},
        "sizes": {"model.onnx": 1, "vocab.txt": 2},
        "parity": {"a": 1.5},
        "source": {},
    }
    return json.dumps(content).encode()


def _journal() -> bytes:
    place = {"source": 0, "line": 3, "offset": 40}
    counts = {"rows_in": 3, "rows_out": 3, "rows_rejected": 0, "tokens": 9, "truncated": 0}
    lines = [
        {"journal": FORMAT_VERSION, "identity": {"n": 1}},
        {"part": 0, **counts, "n_bytes": 50, "next": place},
        {"identity": {"n": 2}},
        {"complete": True},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _model() -> bytes:
    """An ONNX model of one initializer whose data lie in another file."""
    location = b"\x0a\x08location" + b"\x12\x07w.bytes"
    tensor = b"\x08\x02" + b"\x10\x01" + b"\x42\x01w" + b"\x6a" + varint(len(location)) + location
    tensor += b"\x70\x01"
    graph = b"\x2a" + varint(len(tensor)) + tensor
    return b"\x08\x08" + b"\x3a" + varint(len(graph)) + graph
