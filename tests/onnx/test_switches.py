"""Bundles of models whose tokenizer has Hugging Face's switches."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bertfast import Predictor, Tokenizer, export_bundle
from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.errors import ExportError
from tests.small_bert import VOCAB, random_variables, small_config, write_hugging_face

CONFIG = small_config()
VARIABLES = random_variables(CONFIG)
TEXTS = ["The cat", "Th\u00e9 CAT", "the\u6771cat", "un\u00e4ffable!"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_hugging_face(tmp_path / "model", CONFIG, VARIABLES)


@pytest.mark.parametrize("strips", [None, True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("chinese", [True, False])
def test_bundle_keeps_the_folders_switches(
    folder: Path, tmp_path: Path, lower: bool, strips: bool | None, chinese: bool
) -> None:
    settings = {
        "do_lower_case": lower,
        "strip_accents": strips,
        "tokenize_chinese_chars": chinese,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    bundle = export_bundle(folder, tmp_path / "out", gate_inputs=20, outputs=["sequence_output"])
    expected = Tokenizer.from_pretrained(folder)
    assert repr(expected) == repr(Tokenizer(VOCAB, **settings))  # type: ignore[arg-type]
    assert repr(Tokenizer.from_bundle(bundle.path)) == repr(expected)
    with Predictor(bundle) as model:
        lengths = [len(row) for row in model.predict_iter(TEXTS)]
    assert lengths == [len(expected.encode(text)) for text in TEXTS]


def test_switches_change_what_is_predicted(folder: Path, tmp_path: Path) -> None:
    stripped = export_bundle(folder, tmp_path / "a", gate_inputs=20)
    kept = export_bundle(folder, tmp_path / "b", gate_inputs=20, strip_accents=False)
    assert kept.manifest.strip_accents is False
    plain, accented = "the cat", "th\u00e9 cat"
    with Predictor(stripped) as model:
        values = model.predict([plain, accented])
        assert np.array_equal(values[0], values[1])
    with Predictor(kept) as model:
        values = model.predict([plain, accented])
        assert not np.array_equal(values[0], values[1])


def test_the_originals_own_value_is_no_switch(folder: Path, tmp_path: Path) -> None:
    bundle = export_bundle(
        folder, tmp_path / "out", gate_inputs=20, do_lower_case=True, strip_accents=True
    )
    assert bundle.manifest.strip_accents is None


def test_manifest_from_before_the_switches_is_read(folder: Path, tmp_path: Path) -> None:
    bundle = export_bundle(folder, tmp_path / "out", gate_inputs=20)
    path = bundle.path / MANIFEST_FILE
    values = json.loads(path.read_text("utf-8"))
    del values["strip_accents"], values["tokenize_chinese_chars"]
    path.write_text(json.dumps(values), "utf-8")
    assert Bundle.load(bundle.path).manifest == dataclasses.replace(bundle.manifest)


def test_saved_model_with_a_switch_is_refused(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow_text")
    from bertfast import export_saved_model

    (folder / "tokenizer_config.json").write_text('{"strip_accents": false}', "utf-8")
    with pytest.raises(ExportError, match="the tokenizer in a SavedModel is the original's"):
        export_saved_model(folder, tmp_path / "out", gate_inputs=20)
    assert not (tmp_path / "out").exists()
