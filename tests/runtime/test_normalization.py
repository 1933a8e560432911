"""Models that were trained on texts in one Unicode form, and texts in another."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.errors import ExportError
from bertfast.jobs import predict_files
from bertfast.manifest import NormalForm
from bertfast.onnx import export_bundle
from bertfast.runtime import Predictor
from bertfast.runtime.normalization import normalize_text
from tests.runtime.probe_model import write_probe_bundle

WIDE = "ａ ｂ"  # NFKC: "a b"


def write_bundle(folder: Path, form: NormalForm | None) -> Path:
    path = write_probe_bundle(folder)
    manifest = dataclasses.replace(Bundle.load(path).manifest, normalization=form)
    (path / MANIFEST_FILE).write_text(manifest.to_json_string(), "utf-8")
    return path


@pytest.fixture
def normalizing(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", "NFKC")


@pytest.mark.parametrize("text", [WIDE, WIDE.encode(), b"\xff" + WIDE.encode()])
def test_texts_are_put_into_the_models_form(normalizing: Path, text: str | bytes) -> None:
    expected = Predictor(normalizing).predict(["a b"])
    assert np.array_equal(Predictor(normalizing).predict([text]), expected)
    assert np.array_equal(next(Predictor(normalizing).predict_iter([text])), expected[0])


def test_second_texts_are_too(normalizing: Path) -> None:
    model = Predictor(normalizing)
    assert np.array_equal(model.predict(["a"], [WIDE]), model.predict(["a"], ["a b"]))


def test_without_a_form_texts_stay_as_they_are(tmp_path: Path) -> None:
    model = Predictor(write_bundle(tmp_path / "bundle", None))
    assert not np.array_equal(model.predict([WIDE]), model.predict(["a b"]))


def test_jobs_use_the_form(normalizing: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(f"{WIDE}\n", "utf-8")
    predict_files(tmp_path / "in.txt", tmp_path / "out.npy", normalizing)
    assert np.array_equal(np.load(tmp_path / "out.npy"), Predictor(normalizing).predict(["a b"]))


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_text_can_be_normalized(form: NormalForm) -> None:
    for text in ("", "a", "\ud800", "e\u0301", "\N{ANGSTROM SIGN}", "\x00", b"", b"\xff", b"\xc3"):
        assert isinstance(normalize_text(text, form), str | bytes)
    assert len(str(normalize_text("\u00e9", form))) == (2 if form.endswith("D") else 1)


def test_export_refuses_an_unknown_form(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="normalization is NFC, NFD, NFKC, NFKD, got 'nfc'"):
        export_bundle(tmp_path, tmp_path / "out", normalization="nfc")  # type: ignore[arg-type]
