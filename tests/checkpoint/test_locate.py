"""Which checkpoint a path means."""

from pathlib import Path

import numpy as np
import pytest

from bertfast.checkpoint import locate, read_checkpoint
from bertfast.errors import CheckpointError
from tests.checkpoint.tensor_bundle_writer import write_tensor_bundle


def write(prefix: Path) -> Path:
    write_tensor_bundle(prefix, {"x": np.ones(3)})
    return prefix


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_locate_any_of_its_files_gives_the_prefix(tmp_path: Path, suffix: str) -> None:
    prefix = write(tmp_path / "bert_model.ckpt")
    assert locate(Path(f"{prefix}{suffix}")) == prefix
    assert read_checkpoint(f"{prefix}{suffix}")["x"].tolist() == [1, 1, 1]


def test_locate_folder_with_one_index_gives_it(tmp_path: Path) -> None:
    prefix = write(tmp_path / "bert_model.ckpt")
    assert locate(tmp_path) == prefix


def test_locate_folder_with_several_lists_them(tmp_path: Path) -> None:
    for step in (2, 10):
        write(tmp_path / f"model.ckpt-{step}")
    (tmp_path / "model.safetensors").touch()
    expected = r"several.*model\.ckpt-10, model\.ckpt-2, model\.safetensors"
    with pytest.raises(CheckpointError, match=expected):
        locate(tmp_path)


@pytest.mark.parametrize("recorded", ["model.ckpt-2", "/elsewhere/run/model.ckpt-2"])
def test_locate_state_file_chooses(tmp_path: Path, recorded: str) -> None:
    for step in (2, 10):
        write(tmp_path / f"model.ckpt-{step}")
    (tmp_path / "checkpoint").write_text(
        f'model_checkpoint_path: "{recorded}"\nall_model_checkpoint_paths: "model.ckpt-10"\n'
    )
    assert locate(tmp_path) == tmp_path / "model.ckpt-2"


def test_locate_state_file_of_another_folder_is_followed(tmp_path: Path) -> None:
    prefix = write(tmp_path / "caf\xe9" / "model.ckpt-2")
    folder = tmp_path / "latest"
    folder.mkdir()
    escaped = str(prefix).replace("\xe9", r"\303\251")  # as protobuf's text format writes it
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{escaped}"\n')
    assert locate(folder) == prefix


def test_locate_state_file_of_lost_checkpoint_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model.ckpt-1")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-9"\n')
    with pytest.raises(CheckpointError, match=r"ckpt-9, which is not there; .*model\.ckpt-1"):
        locate(tmp_path)


@pytest.mark.parametrize("content", [b"", b"nothing", b'model_checkpoint_path: "\\xff"'])
def test_locate_malformed_state_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"names no|is malformed"):
        locate(tmp_path)


def test_locate_shards_of_safetensors_count_once(tmp_path: Path) -> None:
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        (tmp_path / name).touch()
    (tmp_path / "model.safetensors.index.json").touch()
    assert locate(tmp_path).name == "model.safetensors.index.json"


def test_locate_nothing_there_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint .* in "):
        locate(tmp_path)
    with pytest.raises(CheckpointError, match=r"no such checkpoint: .*other$"):
        locate(tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"no such checkpoint: .*model\.safetensors$"):
        locate(tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is not read"):
        locate(tmp_path)
    with pytest.raises(CheckpointError, match="it is a file, but not"):
        locate(tmp_path / "pytorch_model.bin")
    write(tmp_path / "bert_model.ckpt")
    with pytest.raises(CheckpointError, match=r"holds bert_model\.ckpt$"):
        locate(tmp_path / "bert_mode")
