"""The model directory: complete or absent, and verified when it is opened."""

import dataclasses
import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertfast.bundle import (
    MANIFEST_FILE,
    Bundle,
    Manifest,
    check_output_dir,
    describe_files,
    staged_directory,
)
from bertfast.config import BertConfig
from bertfast.errors import BundleError


def fill(folder: Path, **changes: Any) -> Manifest:
    """Write a bundle's files into an empty directory."""
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    sha256, sizes = describe_files(folder)
    manifest = Manifest(
        bertfast_version="0.1.0",
        unicode_version=unicodedata.unidata_version,
        do_lower_case=True,
        max_length=128,
        config=BertConfig(vocab_size=2),
        outputs=("probabilities", "logits"),
        default_output="probabilities",
        labels=("neg", "p\xf6s"),
        precision="fp32",
        sha256=sha256,
        sizes=sizes,
        parity={"inputs": 5},
        source={"format": "tensorflow"},
    )
    manifest = dataclasses.replace(manifest, **changes)
    (folder / MANIFEST_FILE).write_text(manifest.to_json_string())
    return manifest


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    with staged_directory(path) as staging:
        fill(staging)
    return path


def test_bundle_loads_what_was_written(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "model") as staging:
        manifest = fill(staging)
    bundle = Bundle.load(tmp_path / "model")
    assert bundle.manifest == manifest
    assert bundle.manifest.labels == ("neg", "p\xf6s")
    assert bundle.model_path.read_bytes() == b"graph"
    assert bundle.vocab_path.name == "vocab.txt"
    assert names_in(tmp_path) == ["model"]


def test_bundle_of_another_unicode_version_loads_with_a_warning(tmp_path: Path) -> None:
    fill(tmp_path, unicode_version="1.1.5")
    with pytest.warns(RuntimeWarning, match=r"exported under Unicode 1\.1\.5"):
        assert Bundle.load(tmp_path).manifest.unicode_version == "1.1.5"


def test_bundle_without_labels_loads(tmp_path: Path) -> None:
    fill(tmp_path, labels=None)
    assert Bundle.load(tmp_path).manifest.labels is None


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_bundle_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.load(folder, verify=False)


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_bundle_changed_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} is damaged: its sha256"):
        Bundle.load(folder)
    assert Bundle.load(folder, verify=False).path == folder


def test_bundle_truncated_file_is_named_even_unverified(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"gra")
    with pytest.raises(BundleError, match=r"model\.onnx is damaged: 3 bytes, .* says 5"):
        Bundle.load(folder, verify=False)


def test_bundle_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no model directory: .*nowhere does not exist"):
        Bundle.load(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"has no bertfast\.json; make one with `bertfast export"):
        Bundle.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="file is not a directory"):
        Bundle.load(tmp_path / "file")


def test_bundle_manifest_ignores_keys_of_later_versions(folder: Path) -> None:
    edit(folder, lambda values: values | {"novelty": 1})
    assert Bundle.load(folder).manifest.max_length == 128


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda values: {name: value for name, value in values.items() if name != key}


def having(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda values: values | {key: value}


WRONG_VALUES: tuple[object, ...] = (1.5, [[]], {"a": []})
KEYS = [field.name for field in dataclasses.fields(Manifest)]
LATER_KEYS = {"normalization", "strip_accents", "tokenize_chinese_chars"}  # may be absent


@pytest.mark.parametrize("key", [key for key in KEYS if key not in LATER_KEYS])
def test_bundle_manifest_without_a_key_is_refused(folder: Path, key: str) -> None:
    edit(folder, without(key))
    with pytest.raises(BundleError, match=rf"bertfast\.json lacks '{key}'$"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key in KEYS
        for value in WRONG_VALUES
        if not (key in ("parity", "source") and isinstance(value, dict))  # any object will do
    ],
)
def test_bundle_manifest_value_of_wrong_type_is_refused(
    folder: Path, key: str, value: object
) -> None:
    edit(folder, having(key, value))
    with pytest.raises(BundleError, match=r"bertfast\.json (must have|has|lacks)") as raised:
        Bundle.load(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (having("format_version", 2), "format_version 2, but this bertfast reads 1; export"),
        (having("format_version", True), "an integer as 'format_version', got bool"),
        (having("max_length", 513), "max_length 513; positions go from 1 to 512"),
        (having("max_length", 0), "max_length 0"),
        (having("outputs", []), "must name each output once"),
        (having("outputs", ["logits", "logits"]), "must name each output once"),
        (having("default_output", "pooled_output"), "'pooled_output', which is no output"),
        (having("labels", [1]), "a list of strings as 'labels'"),
        (having("normalization", "nfc"), "one of NFC, NFD, NFKC, NFKD as 'normalization'"),
        (having("strip_accents", 0), "true or false as 'strip_accents', got int"),
        (having("config", {"vocab_size": -1}), "bad config: vocab_size must be"),
        (having("sha256", {"model.onnx": "0" * 64}), "has no sha256 of vocab.txt|as the size"),
        (having("sha256", {"model.onnx": "xyz", "vocab.txt": "0" * 64}), "'xyz' as the sha256"),
        (having("sha256", {}), "has no sha256 of model.onnx"),
        (having("sizes", {"model.onnx": 5}), "None as the size of vocab.txt"),
        (having("sizes", {"model.onnx": -5, "vocab.txt": True}), "-5 as the size"),
        (lambda values: [values], "must hold a JSON object, got list"),
    ],
)
def test_bundle_bad_manifest_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(folder, change)
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "\0"])
def test_bundle_manifest_cannot_name_files_outside(folder: Path, name: str) -> None:
    def change(values: dict[str, Any]) -> object:
        values["sha256"][name] = "0" * 64
        values["sizes"][name] = 1
        return values

    edit(folder, change)
    with pytest.raises(BundleError, match="which is not directly in the directory"):
        Bundle.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_bundle_manifest_that_is_not_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(BundleError, match=r"bertfast\.json (is not JSON|must hold)"):
        Bundle.load(folder)


def test_staging_replaces_nothing_without_overwrite(folder: Path) -> None:
    with (
        pytest.raises(BundleError, match=r"is not empty; give another .*--overwrite"),
        staged_directory(folder),
    ):
        pytest.fail("the block must not run")
    assert Bundle.load(folder).manifest.max_length == 128


def test_staging_overwrites_a_bundle_as_a_whole(folder: Path) -> None:
    (folder / "extra.bin").touch()
    with staged_directory(folder, overwrite=True) as staging:
        fill(staging, max_length=7)
        assert Bundle.load(folder).manifest.max_length == 128  # until the end of the block
    assert Bundle.load(folder).manifest.max_length == 7
    assert not (folder / "extra.bin").exists()
    assert names_in(folder.parent) == ["model"]


def test_staging_never_overwrites_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with (
        pytest.raises(BundleError, match="not a model directory, so it is not overwritten"),
        staged_directory(tmp_path, overwrite=True),
    ):
        pytest.fail("the block must not run")
    assert (tmp_path / "precious.txt").exists()


def test_staging_takes_an_empty_directory_and_makes_parents(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "a" / "b"):
        with staged_directory(path) as staging:
            fill(staging)
        assert Bundle.load(path).manifest.precision == "fp32"


def test_staging_follows_a_link_to_its_directory(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    with staged_directory(link, overwrite=True) as staging:
        fill(staging, max_length=9)
    assert link.is_symlink()
    assert Bundle.load(folder).manifest.max_length == 9


def test_staging_leaves_nothing_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), staged_directory(tmp_path / "model") as staging:
        fill(staging)
        raise RuntimeError
    assert names_in(tmp_path) == []


def test_staging_refuses_a_file_and_a_place_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(BundleError, match="is not a directory"),
        staged_directory(tmp_path / "file"),
    ):
        pytest.fail("the block must not run")
    with (
        pytest.raises(BundleError, match="cannot create"),
        staged_directory(tmp_path / "file" / "model"),
    ):
        pytest.fail("the block must not run")


def test_staging_yields_to_one_that_was_faster(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with (
        pytest.raises(BundleError, match="is not empty"),
        staged_directory(path) as slow,
    ):
        fill(slow, max_length=1)
        with staged_directory(path) as fast:
            fill(fast, max_length=2)
    assert Bundle.load(path).manifest.max_length == 2
    assert names_in(tmp_path) == ["model"]


def test_staging_puts_the_old_bundle_back_when_publishing_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with (
        pytest.raises(BundleError, match=r"cannot publish .*: No space left on device"),
        staged_directory(folder, overwrite=True) as staging,
    ):
        fill(staging, max_length=7)
    assert Bundle.load(folder).manifest.max_length == 128
    assert names_in(folder.parent) == ["model"]


def test_bundle_module_needs_neither_onnx_nor_onnxruntime() -> None:
    code = (
        "import sys, bertfast.bundle, bertfast.config, bertfast.checkpoint;"
        "print([name for name in ('onnx', 'onnxruntime', 'safetensors', 'tensorflow')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_sources_in_the_output_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).touch()  # a bundle to overwrite, with its checkpoint inside
    source = tmp_path / "checkpoint" / "model.ckpt"
    check_output_dir(tmp_path, overwrite=True, sources=(None, tmp_path / "../elsewhere"))
    with pytest.raises(BundleError, match="would be replaced"):
        check_output_dir(tmp_path, overwrite=True, sources=(None, source))
