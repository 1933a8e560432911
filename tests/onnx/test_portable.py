"""The portable graph: standard operators, free sizes, the source's numbers."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from bertfast import Predictor, export_bundle
from bertfast.bundle import Bundle
from bertfast.checkpoint import read_checkpoint
from bertfast.config import BertConfig
from bertfast.errors import ExportError
from bertfast.onnx.gate import compare_runners
from bertfast.onnx.graph import OUTPUTS
from bertfast.onnx.oracle import BertOracle
from tests.onnx.conftest import edit_json, open_model
from tests.parity.graph import import_tensorflow
from tests.small_bert import (
    CLS_ID,
    SEP_ID,
    random_feeds,
    random_variables,
    small_config,
    write_original,
)

pytestmark = pytest.mark.skipif(
    not (find_spec("tf2onnx") and find_spec("tensorflow")), reason="tf2onnx is not installed"
)

CONFIG = small_config()
VARIABLES = random_variables(CONFIG, n_labels=3)


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    import_tensorflow()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_original(tmp_path / "model", CONFIG, VARIABLES)


def export(source: Path, name: str = "out", **options: Any) -> Bundle:
    chosen: dict[str, Any] = {"graph": "portable", "gate_inputs": 60} | options
    return export_bundle(source, source.parent / name, **chosen)


@pytest.mark.filterwarnings("ignore")  # tf2onnx and what it imports
def test_portable_graph_gives_every_output_of_the_oracle(source: Path) -> None:
    bundle = export(source, outputs=OUTPUTS)
    session = open_model(bundle.model_path)
    for lengths, width in (([12, 5, 1], 12), ([1], 1), ([64, 3], 64), ([7] * 9, 8)):
        feeds = random_feeds(CONFIG, lengths, width)
        given, expected = session(feeds), BertOracle(CONFIG, VARIABLES).run(**feeds)
        assert tuple(given) == OUTPUTS
        for name, array in given.items():
            assert np.abs(array - expected[name]).max() < 2e-5, name


@pytest.mark.filterwarnings("ignore")
def test_portable_graph_is_standard_and_its_sizes_are_free(source: Path) -> None:
    model = onnx.load(export(source, outputs=["logits", "sequence_output"]).model_path)
    assert {opset.domain for opset in model.opset_import} == {""}
    assert {node.domain for node in model.graph.node} == {""}
    # Each LayerNorm is means over the last axis: pooled ones would keep runtimes from fusing it.
    assert "GlobalAveragePool" not in {node.op_type for node in model.graph.node}
    shapes = {value.name: dimensions(value) for value in [*model.graph.input, *model.graph.output]}
    assert shapes == {
        "input_ids": ["batch", "length"],
        "input_mask": ["batch", "length"],
        "segment_ids": ["batch", "length"],
        "logits": ["batch", 3],
        "sequence_output": ["batch", "length", 24],
    }


def dimensions(value: onnx.ValueInfoProto) -> list[str | int]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.filterwarnings("ignore")
def test_portable_and_fused_bundles_predict_the_same(source: Path) -> None:
    portable, fused = export(source), export(source, "fused", graph="fused")
    texts = ["the cat sat", "", "a mat !", "unaffable cats " * 9]
    given, expected = (Predictor(bundle.path).predict(texts) for bundle in (portable, fused))
    assert np.abs(given - expected).max() < 1e-5
    assert (given.argmax(1) == expected.argmax(1)).all()
    assert portable.manifest.source["graph"] == "portable"
    assert fused.manifest.source["graph"] == "fused"
    assert portable.manifest.labels == fused.manifest.labels


@pytest.mark.filterwarnings("ignore")
def test_portable_export_is_compared_with_tensorflow_too(source: Path) -> None:
    parity = export(source).manifest.parity
    assert parity["inputs"] == 60
    measured = parity["tensorflow"]
    assert set(measured["max_abs_difference"]) == {"probabilities", "logits"}
    assert 0 < max(measured["max_abs_difference"].values()) < 1e-4
    assert measured["label_agreement"] == 1.0


@pytest.mark.filterwarnings("ignore")
def test_portable_export_beyond_the_tolerance_is_not_published(source: Path) -> None:
    with pytest.raises(ExportError, match=r"off by .* not published"):
        export(source, tolerance=1e-12)
    assert not (source.parent / "out").exists()


def test_difference_from_tensorflow_alone_is_refused() -> None:
    def run(shift: float) -> Any:
        return lambda batches: [
            {"logits": np.full((len(batch.lengths), 3), shift)} for batch in batches
        ]

    def compare(shift: float) -> Any:
        return compare_runners(
            run(shift), run(0.0), CONFIG, ["logits"], cls_id=CLS_ID, sep_id=SEP_ID, n_inputs=40
        )

    assert compare(1e-6)["max_abs_difference"]["logits"] == 1e-6
    with pytest.raises(ExportError, match=r"off by 0\.01 in logits from the TensorFlow model"):
        compare(0.01)
    with pytest.raises(ExportError, match="off by nan"):
        compare(float("nan"))


def test_unknown_graph_is_refused(source: Path) -> None:
    with pytest.raises(ExportError, match="'fused' or 'portable'"):
        export(source, graph="other")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("graph", ["fused", "portable"])
def test_checkpoint_of_a_training_run_keeps_head_and_labels(tmp_path: Path, graph: str) -> None:
    """As `bertfast run-classifier` leaves it: Adam's slots, labels in the configuration."""
    folder = tmp_path / "run"
    slots = {f"{name}/adam_m": np.zeros_like(array) for name, array in VARIABLES.items()}
    step: NDArray[np.int64] = np.array(7, np.int64)
    write_original(folder, CONFIG, {**VARIABLES, **slots, "global_step": step})
    edit_json(folder / "bert_config.json", id2label={"0": "no", "1": "yes", "2": "maybe"})
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    bundle = export(folder, graph=graph)
    assert bundle.manifest.labels == ("no", "yes", "maybe")
    assert bundle.manifest.outputs == ("probabilities", "logits")
    assert bundle.manifest.parity["label_agreement"] == 1.0
    check_logits(bundle, CONFIG, read_checkpoint(folder))


def check_logits(bundle: Bundle, config: BertConfig, variables: dict[str, NDArray[Any]]) -> None:
    lengths: Sequence[int] = [12, 5, 1]
    feeds = random_feeds(config, list(lengths), 12)
    given = open_model(bundle.model_path)(feeds)["logits"]
    assert np.abs(given - BertOracle(config, variables).run(**feeds)["logits"]).max() < 2e-5
