"""SavedModels: what they serve equals the Predictor, in a process that has nothing of ours."""

import gzip
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Predictor, Tokenizer, export_bundle
from bertfast.bundle import Bundle
from bertfast.errors import BundleError, ExportError
from tests.onnx.conftest import edit_json
from tests.parity.graph import import_tensorflow
from tests.small_bert import VOCAB, random_variables, small_config, write_original

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)

CONFIG = small_config()
LABELS = ("dog", "cat", "κανένα")
TEXTS = ["the cat sat on the mat!", "", "Unaffable, a MAT", "xyz", "the cats " * 40, "a\x00\xad,"]
PAIRS = ["a mat", "the cat", "", "!", "un " * 50, ""]
MAX_LENGTH = 24

# Loads the SavedModel as a stranger would: TensorFlow and TF-Text, no package of ours.
SERVER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import tensorflow as tf, tensorflow_text
folder, requests = sys.argv[1], json.load(sys.stdin)
signatures = tf.saved_model.load(folder).signatures
answers = []
for signature, feeds in requests:
    tensors = {}
    for name, rows in feeds.items():
        tensors[name] = tf.constant(rows, None if name.startswith("text") else tf.int32)
    given = signatures[signature](**tensors)
    answers.append({name: value.numpy().tolist() for name, value in given.items()})
assert not [name for name in sys.modules if name.startswith("bertfast")]
print(json.dumps(answers, default=bytes.decode))
"""

Request = tuple[str, dict[str, Any]]


def serve(folder: Path, requests: list[Request]) -> list[dict[str, Any]]:
    """Answer requests in a fresh process."""
    command = [sys.executable, "-I", "-c", SERVER, str(folder)]
    done = subprocess.run(
        command,
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    variables = random_variables(CONFIG, n_labels=len(LABELS))
    return write_original(tmp_path_factory.mktemp("source") / "model", CONFIG, variables)


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    return {"labels": LABELS, "max_length": MAX_LENGTH, "gate_inputs": 40}


@pytest.fixture(scope="module")
def exported(source: Path, options: dict[str, Any]) -> Any:
    import_tensorflow()
    from bertfast.onnx import export_saved_model

    return export_saved_model(source, source.parent / "served" / "1", **options)


@pytest.fixture(scope="module")
def predictor(source: Path, options: dict[str, Any]) -> Predictor:
    return Predictor(export_bundle(source, source.parent / "bundle", **options).path)


@pytest.fixture(scope="module")
def answers(exported: Any) -> dict[str, dict[str, Any]]:
    """The answer of each signature, the tokenized one's to what tokenize answers."""
    encoding = Tokenizer(VOCAB)(TEXTS, PAIRS, max_length=MAX_LENGTH)
    ids = {
        name: getattr(encoding, name).tolist()
        for name in ("input_ids", "input_mask", "segment_ids")
    }
    requests: list[Request] = [
        ("serving_default", {"text": TEXTS}),
        ("pair", {"text": TEXTS, "text_pair": PAIRS}),
        ("tokenize", {"text": TEXTS}),
        ("tokenized", ids),
    ]
    given = serve(exported.path, requests)
    return {name: answer for (name, _), answer in zip(requests, given, strict=True)}


def assert_close(given: Any, expected: Any) -> None:
    assert np.abs(np.array(given) - expected).max() < 1e-5


def test_texts_get_the_predictors_numbers(
    answers: dict[str, dict[str, Any]], predictor: Predictor
) -> None:
    assert_close(answers["serving_default"]["probabilities"], predictor.predict(TEXTS))


def test_pairs_get_the_predictors_numbers(
    answers: dict[str, dict[str, Any]], predictor: Predictor
) -> None:
    expected = predictor.predict(TEXTS, PAIRS)
    assert_close(answers["pair"]["probabilities"], expected)
    assert_close(answers["tokenized"]["probabilities"], expected)


def test_tokenize_gives_the_tokenizers_arrays(answers: dict[str, dict[str, Any]]) -> None:
    expected = Tokenizer(VOCAB)(TEXTS, max_length=MAX_LENGTH)
    assert set(answers["tokenize"]) == {"input_ids", "input_mask", "segment_ids"}
    for name, rows in answers["tokenize"].items():
        assert rows == getattr(expected, name).tolist()


def test_labels_are_strings_in_every_row(answers: dict[str, dict[str, Any]]) -> None:
    for name in ("serving_default", "pair", "tokenized"):
        answer = answers[name]
        assert answer["labels"] == [list(LABELS)] * len(TEXTS)
        best = np.argmax(answer["logits"], axis=1)
        assert answer["label"] == [LABELS[index] for index in best]
        assert {len(rows) for rows in answer.values()} == {len(TEXTS)}


def test_manifest_says_what_was_exported_and_measured(exported: Any) -> None:
    manifest = json.loads((exported.path / "bertfast.json").read_text())
    assert manifest == json.loads(json.dumps(exported.manifest))
    assert manifest["format"] == "savedmodel"
    assert manifest["unicode_version"]
    assert manifest["signatures"] == ["pair", "serving_default", "tokenize", "tokenized"]
    assert manifest["labels"] == list(LABELS)
    assert manifest["parity"]["inputs"] == 40
    assert manifest["parity"]["label_agreement"] == 1.0
    assert max(manifest["parity"]["max_abs_difference"].values()) < 1e-4
    files = {path.relative_to(exported.path).as_posix() for path in exported.path.rglob("*.*")}
    assert set(manifest["sizes"]) == files - {"bertfast.json"}


def test_tables_and_labels_are_stored_once(exported: Any) -> None:
    # Its character table alone takes 170 kB, and four signatures use it.
    assert exported.manifest["sizes"]["saved_model.pb"] < 1_000_000
    graph = (exported.path / "saved_model.pb").read_bytes()
    assert graph.count("κανένα".encode()) == 1


def test_bundle_refuses_a_saved_model_by_name(exported: Any) -> None:
    with pytest.raises(BundleError, match="TensorFlow SavedModel"):
        Bundle.load(exported.path)


def test_saved_model_replaces_a_model_only_if_told(
    source: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    import_tensorflow()
    from bertfast.onnx import export_saved_model

    out = tmp_path / "out"
    chosen = {**options, "outputs": ["mean_embedding"], "labels": None, "max_length": 2}
    manifest = export_saved_model(source, out, **chosen).manifest
    assert manifest["signatures"] == ["serving_default", "tokenize", "tokenized"]  # no room for two
    assert manifest["labels"] is None
    with pytest.raises(BundleError, match="is not empty"):
        export_saved_model(source, out, **chosen)
    export_saved_model(source, out, **chosen, overwrite=True)
    [answer] = serve(out, [("serving_default", {"text": TEXTS})])
    assert set(answer) == {"mean_embedding"}


def test_saved_model_beyond_the_tolerance_is_not_published(
    source: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    import_tensorflow()
    from bertfast.onnx import export_saved_model

    with pytest.raises(ExportError, match=r"off by .* limit is .*not published"):
        export_saved_model(source, tmp_path / "out", **options, tolerance=1e-12)
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_without_a_pooler_is_served(tmp_path: Path) -> None:
    import_tensorflow()
    from bertfast.onnx import export_saved_model

    variables = random_variables(CONFIG)
    variables = {name: array for name, array in variables.items() if "/pooler/" not in name}
    source = write_original(tmp_path / "model", CONFIG, variables)
    done = export_saved_model(source, tmp_path / "out", outputs=["mean_embedding"], gate_inputs=40)
    bundle = export_bundle(source, tmp_path / "b", outputs=["mean_embedding"], gate_inputs=40)
    [answer] = serve(done.path, [("pair", {"text": TEXTS, "text_pair": PAIRS})])
    assert set(answer) == {"mean_embedding"}
    assert_close(answer["mean_embedding"], Predictor(bundle.path).predict(TEXTS, PAIRS))


@pytest.mark.shared
def test_golden_texts_have_the_golden_ids(shared_data: Path, tmp_path: Path) -> None:
    import_tensorflow()
    from bertfast.onnx import export_saved_model

    vocab = shared_data / "vocab" / "bert-base-uncased.txt"
    config = small_config(vocab_size=30522, max_position_embeddings=512)
    source = write_original(tmp_path / "model", config, random_variables(config))
    edit_json(source / "bert_config.json", vocab_size=30522)
    done = export_saved_model(source, tmp_path / "out", vocab_file=vocab, gate_inputs=10)
    with gzip.open(shared_data / "golden" / "tokenize.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in list(lines)[1:1500]]
    rows = [row for row in rows if not any("\ud800" <= char < "\ue000" for char in row["text"])]
    [answer] = serve(done.path, [("tokenize", {"text": [row["text"] for row in rows]})])
    cls_id, sep_id = 101, 102
    for row, ids, mask in zip(rows, answer["input_ids"], answer["input_mask"], strict=True):
        expected = [cls_id, *row["ids"]["bert-base-uncased"][:510], sep_id]
        assert ids[: sum(mask)] == expected
