"""The model that is part of the package: it loads anywhere, is right, and survives anything."""

import doctest
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bertfast import Bundle, Predictor, models
from bertfast.errors import BundleError, InputError
from bertfast.jobs import predict_files
from bertfast.models import LANGUAGE_NAMES, default_bundle_path
from tests.cli.command import one_line_error, run
from tests.conftest import REPOSITORY
from tests.models.sentences import CERTAIN, SENTENCES
from tests.runtime.probe_model import write_probe_bundle

# Of the sentences, one of each language and more; the close pairs may be wrong now and then.
LEAST_RIGHT = 0.95
MEGABYTE = 1_000_000

OFFLINE = """
import json, socket, sys

def refuse(*arguments, **options):
    raise OSError("no network in this test")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import bertfast
texts = ["Wir fahren morgen früh in die Berge.", "Καλημέρα σας"]
labels = bertfast.Predictor().predict_labels(texts)
loaded = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(json.dumps({"labels": labels, "loaded": sorted(loaded)}))
"""


@pytest.fixture(scope="module")
def model() -> Predictor:
    return Predictor(threads=1)


def test_embedded_model_needs_neither_network_nor_extras() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["labels"] == ["de", "el"]
    assert {"bertfast", "numpy"} <= set(seen["loaded"])
    heavy = {"tensorflow", "onnx", "safetensors", "pyarrow", "torch", "click", "rich"}
    assert heavy.isdisjoint(seen["loaded"])


def test_embedded_model_is_small_and_knows_72_languages(model: Predictor) -> None:
    assert model.labels == tuple(sorted(LANGUAGE_NAMES))
    assert len(LANGUAGE_NAMES) == 72
    assert model.max_length == 64
    assert model.output == "probabilities"
    switches = model.bundle.manifest.tokenizer_switches()
    assert (switches["do_lower_case"], switches["strip_accents"]) == (True, False)
    assert sum(model.bundle.manifest.sizes.values()) < 8 * MEGABYTE


def test_every_language_has_a_sentence() -> None:
    assert {label for label, _ in SENTENCES} == set(LANGUAGE_NAMES)


def test_sentences_are_recognized(model: Predictor) -> None:
    found = model.predict_labels([text for _, text in SENTENCES])
    wrong = [
        (label, given, text)
        for (label, text), given in zip(SENTENCES, found, strict=True)
        if label != given
    ]
    assert not [case for case in wrong if case[0] in CERTAIN]
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(SENTENCES), wrong


@pytest.mark.parametrize("page", ["README.md", "docs/langid.md"])
def test_pages_show_what_the_model_says(page: str) -> None:
    text = (REPOSITORY / page).read_text("utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    results = doctest.DocTestRunner().run(examples)
    assert results.attempted >= 3
    assert not results.failed


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t\r",
        "0",
        "2024-05-17 13:45:00",
        "!?...",
        "\N{GRINNING FACE}",
        "\N{THUMBS UP SIGN}" * 200,
        "\x00\x01",
        "\ud800",
        "\N{COMBINING ACUTE ACCENT}" * 300,
        "ꙮ",
        "x" * 100_000,
        "ab " * 50_000,
        b"\xff\xfe abc",
    ],
)
def test_texts_of_no_language_give_probabilities(model: Predictor, text: str | bytes) -> None:
    probabilities = model.predict([text])
    assert probabilities.shape == (1, 72)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_labels(model: Predictor) -> None:
    assert model.predict_labels([]) == []
    english_then_greek = "the weather is nice and " * 20 + "ο καιρός είναι καλός και " * 200
    assert model.predict_labels([english_then_greek]) == ["en"]
    assert model.predict_labels([english_then_greek], overflow="window") == ["el"]
    assert model.predict([]).shape == (0, 72)


def test_a_null_is_refused_by_its_number(model: Predictor) -> None:
    with pytest.raises(InputError, match="1"):
        model.predict_labels(["a", None])  # type: ignore[list-item]


def test_predictor_of_none_and_of_nothing_are_the_same(model: Predictor) -> None:
    assert Predictor(None, "cpu", 1).bundle.path == Predictor().bundle.path == default_bundle_path()
    assert Bundle.load().path == default_bundle_path()
    texts = ["Bonjour tout le monde", "你好"]
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(texts), model.predict(texts))


def test_another_unicode_version_gives_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same model is in the wheels of all interpreters; warnings are errors here."""
    monkeypatch.setattr("bertfast.bundle.unicodedata.unidata_version", "99.0.0")
    assert Bundle.load().manifest.unicode_version != "99.0.0"


def test_labels_of_a_model_without_labels_are_refused(tmp_path: Path) -> None:
    model = Predictor(write_probe_bundle(tmp_path / "bundle"))
    with pytest.raises(InputError, match="has no labels; use predict"):
        model.predict_labels(["a"])


def test_predict_files_names_languages(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(
        "Wir fahren morgen früh in die Berge.\n여기는 비가 와요\n", "utf-8"
    )
    predict_files(tmp_path / "in.txt", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "de\nko\n"


def test_predict_command_without_a_model_names_languages(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(
        "Wir fahren morgen früh in die Berge.\n여기는 비가 와요\n", "utf-8"
    )
    done = run("predict", tmp_path / "in.txt", "-o", tmp_path / "out.tsv", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    header, *rows = (tmp_path / "out.tsv").read_text().splitlines()
    assert header.split("\t") == ["label", *sorted(LANGUAGE_NAMES)]
    assert [row.split("\t")[0] for row in rows] == ["de", "ko"]


def test_package_without_the_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_FOLDER", tmp_path)
    with pytest.raises(BundleError, match=r"built without its embedded model .* name a model"):
        Predictor()


def test_command_of_a_package_without_the_model_fails_in_one_line(tmp_path: Path) -> None:
    source = Path(models.__file__).parent.parent
    package = tmp_path / "bertfast"
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("langid", "__pycache__"))
    (tmp_path / "in.txt").write_text("a\n")
    done = run("predict", "in.txt", "-o", "out.txt", cwd=tmp_path)
    assert "was built without its embedded model" in one_line_error(done)


def test_damaged_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "langid"
    shutil.copytree(default_bundle_path(), folder)
    with (folder / "vocab.txt").open("a") as file:
        file.write("more\n")
    monkeypatch.setattr(models, "_FOLDER", folder)
    with pytest.raises(BundleError, match=r"vocab\.txt is damaged"):
        Predictor()
