"""From folders as people have them to bundles, and every refusal on the way."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Predictor, export_bundle
from bertfast.bundle import Bundle
from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.errors import (
    BertfastError,
    BundleError,
    CheckpointError,
    ConfigError,
    ExportError,
    VocabError,
)
from bertfast.onnx.oracle import BertOracle
from tests.onnx.conftest import edit_json, open_model
from tests.small_bert import (
    VOCAB,
    random_feeds,
    random_variables,
    small_config,
    write_hugging_face,
    write_original,
    write_sentence_transformer,
    write_vocab,
)

CONFIG = small_config()
ERF_CONFIG = small_config(hidden_act="gelu_erf")
VARIABLES = random_variables(CONFIG)
CLASSIFIER = random_variables(CONFIG, n_labels=3)


def export(source: Path, **options: Any) -> Bundle:
    """Export beside the source, with a short gate."""
    return export_bundle(source, source.parent / "out", **({"gate_inputs": 40} | options))


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return write_original(tmp_path / "model", CONFIG, VARIABLES)


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return write_original(tmp_path / "model", CONFIG, CLASSIFIER)


def assert_equals_oracle(bundle: Bundle, config: BertConfig, variables: dict[str, Any]) -> None:
    feeds = random_feeds(config, [12, 5, 1], 12)
    given = open_model(bundle.model_path)(feeds)
    expected = BertOracle(config, variables).run(**feeds)
    assert tuple(given) == bundle.manifest.outputs
    for name, array in given.items():
        assert np.abs(array - expected[name]).max() < 1e-5, name


def test_export_original_checkpoint_gives_pooled_output(original: Path) -> None:
    bundle = export(original)
    manifest = bundle.manifest
    assert manifest.outputs == ("pooled_output",)
    assert (manifest.do_lower_case, manifest.max_length, manifest.labels) == (True, 64, None)
    assert manifest.config == CONFIG  # the bare word gelu: tanh
    assert manifest.parity["inputs"] == 40
    assert manifest.parity["max_abs_difference"]["pooled_output"] < 1e-5
    assert manifest.source["format"] == "tensorflow"
    assert str(original.parent) not in manifest.to_json_string()
    assert_equals_oracle(bundle, CONFIG, VARIABLES)
    assert Bundle.load(bundle.path) == bundle


@pytest.mark.parametrize("suffix", ["", ".index"])
def test_export_of_prefix_finds_the_files_beside_it(original: Path, suffix: str) -> None:
    prefix = original / f"bert_model.ckpt{suffix}"
    bundle = export_bundle(prefix, original.parent / "out", gate_inputs=10)
    assert bundle.manifest.source["checkpoint"] == "bert_model.ckpt"


def test_export_hugging_face_folder_means_erf_gelu(tmp_path: Path) -> None:
    source = write_hugging_face(tmp_path / "model", CONFIG, VARIABLES)
    bundle = export(source)
    assert bundle.manifest.config == ERF_CONFIG
    assert bundle.manifest.source["format"] == "safetensors"
    assert_equals_oracle(bundle, ERF_CONFIG, VARIABLES)


def test_export_hugging_face_config_beside_tensorflow_weights_means_erf(original: Path) -> None:
    (original / "bert_config.json").rename(original / "config.json")
    edit_json(original / "config.json", model_type="bert")
    assert export(original).manifest.config == ERF_CONFIG


def test_export_sentence_transformer_gives_mean_embedding(tmp_path: Path) -> None:
    source = write_sentence_transformer(tmp_path / "model", CONFIG, VARIABLES)
    bundle = export(source)
    assert bundle.manifest.outputs == ("mean_embedding",)
    assert bundle.manifest.max_length == 32
    assert bundle.manifest.source["decided_by"]["max_length"] == "sentence_bert_config.json"
    assert_equals_oracle(bundle, ERF_CONFIG, VARIABLES)


def test_export_sentence_transformer_with_obstacle_must_be_asked_for(tmp_path: Path) -> None:
    source = write_sentence_transformer(tmp_path / "model", CONFIG, VARIABLES)
    edit_json(source / "1_Pooling" / "config.json", pooling_mode_cls_token=True)
    with pytest.raises(ExportError, match="it pools by cls and mean; choose --output yourself"):
        export(source)
    assert export(source, outputs=["mean_embedding"]).manifest.outputs == ("mean_embedding",)


def test_export_sentence_transformer_that_lowercases_before_a_cased_tokenizer_is_refused(
    tmp_path: Path,
) -> None:
    source = write_sentence_transformer(tmp_path / "model", CONFIG, VARIABLES)
    edit_json(source / "sentence_bert_config.json", do_lower_case=True)
    with pytest.raises(ExportError, match="lowercases texts before a cased tokenizer"):
        export(source, do_lower_case=False)
    assert export(source).manifest.do_lower_case


def test_export_classifier_gives_probabilities_and_logits(classifier: Path) -> None:
    bundle = export(classifier)
    assert bundle.manifest.outputs == ("probabilities", "logits")
    assert bundle.manifest.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert bundle.manifest.parity["label_agreement"] == 1.0
    assert_equals_oracle(bundle, CONFIG, CLASSIFIER)


def test_export_classifier_labels_come_from_the_caller(classifier: Path) -> None:
    assert export(classifier, labels=["a", "b", "c"]).manifest.labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("id2label", "expected"),
    [
        ({"0": "no", "1": "yes", "2": "maybe"}, ("no", "yes", "maybe")),
        ({"0": "no", "2": "maybe"}, ("no", "LABEL_1", "maybe")),
        ({"0": "same", "1": "same", "2": "same"}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        (["no"], ("LABEL_0", "LABEL_1", "LABEL_2")),
    ],
)
def test_export_classifier_labels_come_from_id2label(
    tmp_path: Path, id2label: object, expected: tuple[str, ...]
) -> None:
    source = write_hugging_face(tmp_path / "model", CONFIG, CLASSIFIER, id2label=id2label)
    assert export(source).manifest.labels == expected


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b"], "2 labels were given, but output_weights has 3 rows"),
        (["a", "b", "a"], "must be distinct"),
        (["a", "b", ""], "must be distinct and not empty"),
    ],
)
def test_export_wrong_labels_are_refused(classifier: Path, labels: list[str], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export(classifier, labels=labels)


def test_export_labels_without_classifier_are_refused(original: Path) -> None:
    with pytest.raises(ExportError, match="labels were given, but the outputs are pooled_output"):
        export(original, labels=["a", "b"])


def test_export_single_score_gives_logits(tmp_path: Path) -> None:
    score = random_variables(CONFIG, n_labels=1)
    bundle = export(write_original(tmp_path / "model", CONFIG, score))
    assert bundle.manifest.outputs == ("logits",)


def test_export_multi_label_model_gives_logits_and_no_softmax(tmp_path: Path) -> None:
    source = write_hugging_face(
        tmp_path / "model", CONFIG, CLASSIFIER, problem_type="multi_label_classification"
    )
    assert export(source).manifest.outputs == ("logits",)
    with pytest.raises(ExportError, match="softmax is wrong; choose logits"):
        export(source, outputs=["probabilities"], overwrite=True)


def test_export_token_classifier_is_not_taken_for_a_sequence_classifier(tmp_path: Path) -> None:
    source = write_hugging_face(
        tmp_path / "model", CONFIG, CLASSIFIER, architectures=["BertForTokenClassification"]
    )
    assert export(source).manifest.outputs == ("pooled_output",)
    with pytest.raises(ExportError, match="BertForTokenClassification, whose classifier is not"):
        export(source, outputs=["logits"], overwrite=True)


def test_export_without_pooler_offers_the_other_outputs(tmp_path: Path) -> None:
    variables = {name: v for name, v in VARIABLES.items() if "pooler" not in name}
    source = write_hugging_face(tmp_path / "model", CONFIG, variables)
    with pytest.raises(ExportError, match=r"no bert/pooler.*choose mean_embedding"):
        export(source)
    outputs = ["sequence_output", "mean_embedding"]
    assert export(source, outputs=outputs).manifest.outputs == tuple(outputs)


@pytest.mark.parametrize(
    ("outputs", "error", "message"),
    [
        (["embeddings"], ExportError, "unknown output 'embeddings'; choose from pooled_output"),
        (["pooled_output"] * 2, ExportError, "chosen twice"),
        ([], ExportError, "no outputs were chosen"),
        (["logits"], CheckpointError, "lacks output_weights, which logits need"),
    ],
)
def test_export_outputs_that_cannot_be_are_refused(
    original: Path, outputs: list[str], error: type[BertfastError], message: str
) -> None:
    with pytest.raises(error, match=message):
        export(original, outputs=outputs)


def test_export_classifier_of_wrong_shape_is_named(tmp_path: Path) -> None:
    wrong = CLASSIFIER | {"output_bias": np.zeros(4, np.float32)}
    source = write_original(tmp_path / "model", CONFIG, wrong)
    with pytest.raises(CheckpointError, match=r"shape \[3, 24\] and output_bias \[4\]; expected"):
        export(source)


@pytest.mark.parametrize(
    ("n_lines", "message"),
    [
        (16, "has 16 lines, but the embedding has 17 rows; a token's id is its line number"),
        (18, "has 18 lines, but the embedding has 17 rows"),
    ],
)
def test_export_vocabulary_of_other_size_is_refused(
    original: Path, n_lines: int, message: str
) -> None:
    write_vocab(original / "vocab.txt", (*VOCAB, "more")[:n_lines])
    with pytest.raises(VocabError, match=message):
        export(original)


def test_export_vocabulary_with_blank_and_double_lines_counts_lines(original: Path) -> None:
    tokens = list(VOCAB)
    tokens[-1], tokens[-2] = "the", ""  # "the" twice, and an empty line
    write_vocab(original / "vocab.txt", tuple(tokens))
    bundle = export(original)
    assert bundle.vocab_path.read_bytes() == (original / "vocab.txt").read_bytes()


@pytest.mark.parametrize("token", ["[UNK]", "[CLS]", "[SEP]"])
def test_export_vocabulary_without_special_token_is_refused(original: Path, token: str) -> None:
    write_vocab(original / "vocab.txt", tuple("x" if t == token else t for t in VOCAB))
    with pytest.raises(VocabError, match=rf"has no \{token}; BERT needs"):
        export(original)


def test_export_files_can_be_given(original: Path, tmp_path: Path) -> None:
    config, vocab = tmp_path / "c.json", tmp_path / "v.txt"
    (original / "bert_config.json").rename(config)
    (original / "vocab.txt").rename(vocab)
    with pytest.raises(ConfigError, match=r"no bert_config\.json or config\.json in .*; pass"):
        export(original)
    with pytest.raises(VocabError, match=r"no vocab\.txt in .*; pass --vocab"):
        export(original, config_file=config)
    assert export(original, config_file=config, vocab_file=vocab).manifest.config == CONFIG


def test_export_given_files_that_are_missing_are_named(original: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.json"):
        export(original, config_file="none.json")
    with pytest.raises(VocabError, match=r"none\.txt"):
        export(original, vocab_file="none.txt")


def test_export_config_of_other_sizes_names_the_tensor(original: Path) -> None:
    edit_json(original / "bert_config.json", intermediate_size=41)
    with pytest.raises(CheckpointError, match=r"intermediate/dense/kernel has shape \[24, 40\]"):
        export(original)


@pytest.mark.parametrize("length", [1, 0, -3, 65])
def test_export_max_length_beyond_positions_is_refused(original: Path, length: int) -> None:
    with pytest.raises(ExportError, match=f"from 2 .* to 64, got {length}"):
        export(original, max_length=length)


def test_export_max_length_is_the_callers_then_the_tokenizers(tmp_path: Path) -> None:
    source = write_hugging_face(tmp_path / "model", CONFIG, VARIABLES)
    path = source / "tokenizer_config.json"
    path.write_text(json.dumps({"model_max_length": 48, "do_lower_case": False}))
    manifest = export(source).manifest
    assert (manifest.max_length, manifest.do_lower_case) == (48, False)
    assert export(source, max_length=5, overwrite=True).manifest.max_length == 5
    edit_json(path, model_max_length=10**30)  # Hugging Face's way of saying none
    assert export(source, overwrite=True).manifest.max_length == 64


def test_export_casing_contradiction_is_refused_and_can_be_settled(tmp_path: Path) -> None:
    source = write_original(tmp_path / "cased_L-2_H-24", CONFIG, VARIABLES)
    with pytest.raises(ExportError, match="'cased_L-2_H-24' says cased"):
        export(source)
    assert export(source, do_lower_case=False).manifest.do_lower_case is False


def test_export_corrupt_checkpoint_publishes_nothing(original: Path) -> None:
    data = original / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated"):
        export(original)
    assert {path.name for path in original.parent.iterdir()} == {"model"}


def test_export_over_the_tolerance_publishes_nothing(original: Path) -> None:
    with pytest.raises(ExportError, match=r"off by .* in pooled_output, the limit is 1e-12"):
        export(original, tolerance=1e-12)
    assert {path.name for path in original.parent.iterdir()} == {"model"}


def test_export_refuses_an_existing_directory_before_any_work(original: Path) -> None:
    bundle = export(original)
    (original / "bert_model.ckpt.index").unlink()  # so that any reading would fail
    with pytest.raises(BundleError, match="is not empty"):
        export(original)
    assert Bundle.load(bundle.path) == bundle


def test_export_of_object_based_checkpoint_says_what_is_unmapped(tmp_path: Path) -> None:
    names = {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": array for name, array in VARIABLES.items()}
    source = write_original(tmp_path / "model", CONFIG, names)
    with pytest.raises(CheckpointError, match=r"unmapped there: bert/.*tf\.train\.Checkpoint"):
        export(source)


def test_export_needs_one_gate_input(original: Path) -> None:
    with pytest.raises(ExportError, match="gate_inputs must be 1 at least, got 0"):
        export(original, gate_inputs=0)


def test_export_tells_its_steps(original: Path) -> None:
    steps: list[str] = []
    export(original, on_step=steps.append)
    assert steps == [
        "reading bert_model.ckpt",
        "building the graph",
        "comparing 40 inputs with the source",
        "comparing 40 inputs with the native engine",
    ]


def test_export_repeats_to_the_byte(original: Path) -> None:
    one = export(original).manifest.sha256
    assert export(original, overwrite=True).manifest.sha256 == one


def test_export_then_predict(classifier: Path) -> None:
    bundle = export(classifier, labels=["x", "y", "z"])
    predictor = Predictor(bundle.path)
    probabilities = predictor.predict(["the cat sat", "unaffable!"])
    assert probabilities.shape == (2, 3)
    assert probabilities.sum(1) == pytest.approx([1, 1], abs=1e-6)
    assert predictor.labels == ("x", "y", "z")


@pytest.mark.shared
def test_export_genuine_tf1_checkpoint(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "checkpoint_tf1"
    bundle = export_bundle(source, tmp_path / "out", gate_inputs=100)
    assert bundle.manifest.config.hidden_act == "gelu_tanh"
    config = BertConfig.from_json_file(source / "bert_config.json")
    assert_equals_oracle(bundle, config, read_checkpoint(source))


@pytest.mark.shared
def test_export_real_minilm_equals_golden(minilm: Path, shared_data: Path, tmp_path: Path) -> None:
    bundle = export_bundle(minilm, tmp_path / "out", gate_inputs=30)
    manifest = bundle.manifest
    assert manifest.outputs == ("mean_embedding",)
    assert (manifest.max_length, manifest.do_lower_case) == (256, True)
    assert manifest.config.hidden_act == "gelu_erf"
    golden = np.load(shared_data / "golden" / "minilm_l6.npz")
    feeds = {name: golden[name] for name in ("input_ids", "input_mask", "segment_ids")}
    given = open_model(bundle.model_path)(feeds)["mean_embedding"]
    assert np.abs(given - golden["mean_embedding"]).max() < 1e-5


def test_export_without_onnx_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import bertfast\n"
        "try: bertfast.export_bundle\n"
        "except bertfast.errors.MissingDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b'pip install "bertfast[export]"' in done.stdout
