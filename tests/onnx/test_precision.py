"""int8 and fp16: weights, graphs, their gate, and what an export says of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from bertfast.bundle import Bundle
from bertfast.config import BertConfig
from bertfast.engine import native_kernel
from bertfast.errors import ExportError
from bertfast.onnx import export_bundle, precision
from bertfast.onnx.graph import OUTPUTS, FusedGraph, assemble
from bertfast.onnx.half_graph import HalfGraph
from bertfast.onnx.native_gate import run_native
from bertfast.onnx.oracle import BertOracle
from bertfast.onnx.precision_gate import LIMITS, Limits, Miss, find_miss
from bertfast.onnx.quantization import quantize_columns, quantize_rows, round_tokens
from bertfast.onnx.quantized_graph import QuantizationPlan, QuantizedGraph
from bertfast.onnx.simulation import (
    input_ranges,
    layer_cosines,
    random_inputs,
    row_cosines,
    smoothing_factors,
)
from bertfast.runtime import Predictor
from tests.onnx.conftest import open_model
from tests.small_bert import (
    CLS_ID,
    SEP_ID,
    Variables,
    random_feeds,
    random_variables,
    small_config,
    write_original,
)

QKV = "bert/encoder/layer_0/attention/self/qkv/kernel"
SPECIALS = {"cls_id": CLS_ID, "sep_id": SEP_ID}


def initializers(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def with_outlier(variables: Variables, layer: int, size: float) -> Variables:
    """The variables with one channel that is large after a layer's first LayerNorm."""
    name = f"bert/encoder/layer_{layer}/attention/output/LayerNorm/beta"
    beta = variables[name].copy()
    beta[3] = size
    return variables | {name: beta}


def test_quantized_columns_are_within_half_a_step() -> None:
    kernel = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    kernel[:, 2], kernel[:, 4] = 0, 1e-42  # smaller than float32's normal numbers
    quantized = quantize_columns(kernel)
    assert quantized.values.dtype == np.int8 and quantized.scale.shape == (7,)
    assert abs(quantized.values.astype(int)).max() == 127
    assert (np.abs(quantized.dequantize() - kernel) <= quantized.scale / 2 + 1e-7).all()
    assert not quantized.values[:, [2, 4]].any()


def test_quantized_rows_have_scales_of_their_own() -> None:
    table = np.diag(np.arange(1, 5)).astype(np.float32)
    quantized = quantize_rows(table)
    assert quantized.scale.shape == (4, 1)
    assert np.array_equal(quantized.values, np.diag([127] * 4))
    np.testing.assert_allclose(quantized.dequantize(), table, rtol=1e-6)


def test_rounded_tokens_have_scales_of_their_own() -> None:
    x = np.array([[1.0, 127.0], [0.0, 0.0], [0.001, 0.127]], np.float32)
    np.testing.assert_allclose(round_tokens(x), x, rtol=1e-6)


def test_quantized_graph_holds_the_named_weights() -> None:
    config = small_config()
    variables = random_variables(config)
    factors = np.linspace(0.5, 2, 24, dtype=np.float32)
    plan = QuantizationPlan(float32_layers=(1,), smoothing={QKV: factors})
    weights = initializers(assemble(QuantizedGraph(config, variables, plan), ["pooled_output"]))
    names = [f"bert/encoder/layer_0/attention/self/{kind}/kernel" for kind in
             ("query", "key", "value")]  # fmt: skip
    joined = np.concatenate([variables[name] for name in names], axis=1)
    assert weights[f"{QKV}_quantized"].dtype == np.int8
    assert weights[f"{QKV}_scale"].shape == (72,) == weights[f"{QKV}_zero_point"].shape
    assert np.array_equal(weights[f"{QKV}_smoothing"], factors)
    restored = weights[f"{QKV}_quantized"] * weights[f"{QKV}_scale"] * factors[:, None]
    assert np.abs(restored - joined).max() < 0.02
    words = "bert/embeddings/word_embeddings"
    assert weights[f"{words}_quantized"].dtype == np.int8
    assert weights[f"{words}_scale"].shape == (len(variables[words]), 1)
    assert QKV not in weights and words not in weights
    assert weights["bert/encoder/layer_1/attention/self/qkv/kernel"].dtype == np.float32
    assert weights["bert/encoder/layer_1/output/dense/kernel"].dtype == np.float32
    assert weights["bert/encoder/layer_0/output/dense/kernel_quantized"].shape == (40, 24)


@pytest.mark.parametrize("act", ["gelu_erf", "gelu_tanh", "relu"])
@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("smooth", [True, False])
def test_quantized_graph_is_near_the_oracle(act: str, words: bool, smooth: bool) -> None:
    config = small_config(hidden_act=act)
    variables = random_variables(config, n_labels=3)
    ids = random_inputs(config, **SPECIALS)
    factors = smoothing_factors(variables, input_ranges(config, variables, ids)) if smooth else {}
    plan = QuantizationPlan(word_embeddings=words, smoothing=factors)
    run = open_model(assemble(QuantizedGraph(config, variables, plan), OUTPUTS))
    feeds = random_feeds(config, [9, 1, 5], 9)
    given, expected = run(feeds), BertOracle(config, variables).run(**feeds)
    for name in ("pooled_output", "mean_embedding", "logits"):
        assert row_cosines(given[name], expected[name]).min() > 0.99
        assert not np.allclose(given[name], expected[name], atol=1e-6)


def test_float32_plan_is_exact() -> None:
    config = small_config()
    variables = random_variables(config)
    plan = QuantizationPlan(float32_layers=(0, 1), word_embeddings=False)
    feeds = random_feeds(config, [5, 3], 5)
    given = open_model(assemble(QuantizedGraph(config, variables, plan), OUTPUTS[:3]))(feeds)
    expected = open_model(assemble(FusedGraph(config, variables), OUTPUTS[:3]))(feeds)
    assert all(np.array_equal(given[name], expected[name]) for name in given)


def test_half_graph_is_float16_inside_and_float32_outside() -> None:
    config = small_config()
    variables = random_variables(config, n_labels=3)
    model = assemble(HalfGraph(config, variables), OUTPUTS)
    weights = initializers(model)
    assert weights["bert/embeddings/word_embeddings"].dtype == np.float16
    assert weights[QKV].dtype == np.float16
    assert weights["output_weights"].dtype == np.float32 == weights["bert/pooler/dense/bias"].dtype
    feeds = random_feeds(config, [9, 1, 5], 9)
    given, expected = open_model(model)(feeds), BertOracle(config, variables).run(**feeds)
    mask = feeds["input_mask"] > 0
    for name, values in given.items():
        rows = mask if name == "sequence_output" else slice(None)
        assert values.dtype == np.float32
        np.testing.assert_allclose(values[rows], expected[name][rows], atol=0.03)


def test_smoothing_evens_out_a_large_channel() -> None:
    config = small_config()
    variables = with_outlier(random_variables(config), 1, 30.0)
    ids = random_inputs(config, **SPECIALS)
    ranges = input_ranges(config, variables, ids)
    assert len(ranges) == 2 * 4
    assert ranges["bert/encoder/layer_1/intermediate/dense/kernel"].argmax() == 3
    factors = smoothing_factors(variables, ranges)
    assert sorted(factors) == sorted(
        f"bert/encoder/layer_{n}/{kernel}/kernel"
        for n in (0, 1)
        for kernel in ("attention/self/qkv", "intermediate/dense")
    )
    plain = layer_cosines(config, variables, {}, ids)
    smooth = layer_cosines(config, variables, factors, ids)
    assert plain[1] < min(plain[0], smooth[1])
    assert all(0.99 < cosine < 1 for cosine in smooth)


def test_row_cosines_of_zeros_and_nan() -> None:
    given = np.array([[0, 0], [0, 0], [1, 0], [np.nan, 1]])
    expected = np.array([[0, 0], [1, 0], [2, 0], [1, 1]])
    assert row_cosines(given, expected)[:3].tolist() == [1, 0, 1]
    assert np.isnan(row_cosines(given, expected)[3])


@pytest.mark.parametrize(
    ("cosine", "agreement", "figure"),
    [
        ({"mean": 0.97, "worst": 0.96}, 1.0, "mean cosine of logits"),
        ({"mean": 0.99, "worst": 0.94}, 1.0, "worst cosine of logits"),
        ({"mean": float("nan"), "worst": 1.0}, 1.0, "mean cosine of logits"),
        ({"mean": 0.99, "worst": 0.96}, 0.94, "share of equal labels"),
        ({"mean": 0.99, "worst": 0.96}, 0.95, None),
    ],
)
def test_gate_finds_the_figure_below_its_limit(
    cosine: dict[str, float], agreement: float, figure: str | None
) -> None:
    measured = {"cosine": {"logits": cosine}, "label_agreement": agreement}
    miss = find_miss(measured, LIMITS["int8"])
    assert (miss.figure if miss else None) == figure


def test_gate_minds_the_native_engine_too() -> None:
    good = {"cosine": {"logits": {"mean": 0.99, "worst": 0.96}}, "label_agreement": 1.0}
    bad = {"cosine": {"logits": {"mean": 0.99, "worst": 0.94}}, "label_agreement": 1.0}
    assert find_miss({**good, "native": good}, LIMITS["int8"]) is None
    miss = find_miss({**good, "native": bad}, LIMITS["int8"])
    assert miss is not None
    assert miss.figure == "worst cosine of logits on the native engine"
    both = find_miss({**bad, "native": bad}, LIMITS["int8"])
    assert both is not None
    assert both.figure == "worst cosine of logits"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = small_config()
    folder = tmp_path_factory.mktemp("precision") / "uncased"
    return write_original(folder, config, random_variables(config, n_labels=3))


@pytest.mark.parametrize("floats", [False, True])
def test_export_int8_writes_what_it_measured(
    checkpoint: Path, tmp_path: Path, floats: bool
) -> None:
    bundle = export_bundle(
        checkpoint,
        tmp_path / "m",
        precision="int8",
        float_embeddings=floats,
        outputs=["logits", "mean_embedding", "sequence_output"],
        gate_inputs=150,
    )
    parity = bundle.manifest.parity
    assert bundle.manifest.precision == "int8"
    assert sorted(bundle.manifest.sha256) == ["model.onnx", "vocab.txt"]
    assert parity["reference"] == "its float32 graph"
    assert 0.99 < parity["cosine"]["mean_embedding"]["worst"] < 1
    native = parity["native"]
    assert native["kernel"] == native_kernel()
    assert native["cosine"].keys() == parity["cosine"].keys()
    assert 0.99 < native["cosine"]["mean_embedding"]["worst"] < 1
    assert native["cosine"] != parity["cosine"]
    assert native["label_agreement"] >= LIMITS["int8"].label_agreement
    assert parity["label_agreement"] >= LIMITS["int8"].label_agreement
    assert parity["speed_ratio"] > 0
    assert parity["limits"]["mean_cosine"] == LIMITS["int8"].mean_cosine
    assert parity["quantization"]["float32_layers"] == []
    assert len(parity["quantization"]["layer_cosine"]) == 2
    assert ("float32" in parity["quantization"]["word_embeddings"]) is floats
    assert parity["float32"]["max_abs_difference"]["logits"] < 1e-4
    assert json.loads(json.dumps(parity)) == parity
    assert np.isfinite(Predictor(bundle.path).predict(["the cat sat", "unaffable"])).all()


def test_export_fp16_is_measured_and_for_gpus(checkpoint: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"precision": "fp16", "gate_inputs": 60}
    with pytest.raises(ExportError, match=r"in fp16 the mean cosine of \w+ .* the limit is 1\.0"):
        export_bundle(checkpoint, tmp_path / "m", tolerance=1e-9, **options)
    assert not (tmp_path / "m").exists()
    export_bundle(checkpoint, tmp_path / "m", tolerance=0.01, **options)
    manifest = Bundle.load(tmp_path / "m").manifest
    assert manifest.precision == "fp16"
    assert manifest.parity["device"] in ("cpu", "cuda")
    assert "quantization" not in manifest.parity


def test_export_int8_too_far_off_names_layer_figure_and_limit(
    checkpoint: Path, tmp_path: Path
) -> None:
    message = (
        r"^in int8 the mean cosine of mean_embedding to the float32 graph is 0\.\d{4}, the limit "
        r"is 1\.0000, with 0 of 2 layers in float32 \(layer \d costs most: alone in int8 it "
        r"leaves a cosine of 0\.\d{4}\); it was not published$"
    )
    with pytest.raises(ExportError, match=message):
        export_bundle(
            checkpoint,
            tmp_path / "m",
            precision="int8",
            outputs=["mean_embedding"],
            gate_inputs=30,
            tolerance=1e-6,
        )
    assert not (tmp_path / "m").exists()


def test_export_int8_that_only_the_native_engine_misses_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def turned(*arguments: Any) -> list[dict[str, Any]]:
        found = run_native(*arguments)
        return [{name: -values for name, values in outputs.items()} for outputs in found]

    monkeypatch.setattr(precision, "run_native", turned)
    message = r"^in int8 the mean cosine of \w+ on the native engine to the float32 graph is -0\.9"
    with pytest.raises(ExportError, match=message):
        export_bundle(checkpoint, tmp_path / "m", precision="int8", gate_inputs=30)
    assert not (tmp_path / "m").exists()


def test_export_int8_leaves_the_most_sensitive_layer_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(num_hidden_layers=4)
    folder = write_original(tmp_path / "uncased", config, random_variables(config))
    seen: list[dict[str, Any]] = []

    def miss_once(measured: dict[str, Any], limits: Limits) -> Miss | None:
        seen.append(measured)
        return Miss("mean cosine of pooled_output", 0.5, 0.9) if len(seen) == 1 else None

    monkeypatch.setattr(precision, "find_miss", miss_once)
    bundle = export_bundle(folder, tmp_path / "m", precision="int8", gate_inputs=30)
    described = bundle.manifest.parity["quantization"]
    cosines = described["layer_cosine"]
    assert described["float32_layers"] == [cosines.index(min(cosines))]
    first, second = (one["cosine"]["pooled_output"]["mean"] for one in seen)
    assert second > first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision is one of fp32, int8, fp16, got 'int4'"),
        (
            {"precision": "int8", "graph": "portable"},
            "precision int8 needs the fused graph, got 'portable'",
        ),
    ],
)
def test_export_refuses_other_precisions(
    checkpoint: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export_bundle(checkpoint, tmp_path / "m", **options)


@pytest.mark.shared
def test_smoothing_helps_a_real_model(minilm: Path, minilm_config: BertConfig) -> None:
    from bertfast import Tokenizer, read_checkpoint

    variables = read_checkpoint(minilm)
    texts = [
        "The film is a riveting, brisk delight.",
        "PCCW's chief operating officer will report directly to the new director.",
        "Snow fell over the northern hills for the third day, and the trains stopped.",
    ]
    feeds = dict(Tokenizer(minilm / "vocab.txt")(texts))
    ids = random_inputs(minilm_config, cls_id=101, sep_id=102)
    factors = smoothing_factors(variables, input_ranges(minilm_config, variables, ids))

    def embeddings(graph: FusedGraph) -> NDArray[np.float32]:
        return open_model(assemble(graph, ["mean_embedding"]))(feeds)["mean_embedding"]

    expected = embeddings(FusedGraph(minilm_config, variables))
    plain, smooth = (
        row_cosines(
            embeddings(QuantizedGraph(minilm_config, variables, QuantizationPlan(smoothing=each))),
            expected,
        )
        for each in ({}, factors)
    )
    assert smooth.min() > 0.99  # 0.995, one scale a batch
    assert smooth.mean() > plain.mean()
