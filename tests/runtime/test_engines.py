import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bertfast import Predictor, export_bundle
from bertfast.bundle import Bundle
from bertfast.distributed import PredictorFactory
from bertfast.engine import native_kernel
from bertfast.errors import BundleError, InputError
from bertfast.jobs import JobOptions, predict_files
from bertfast.runtime.engines import choose_engine
from tests.runtime.probe_model import write_probe_bundle
from tests.runtime.test_predictor import run_python
from tests.small_bert import random_variables, small_config, write_original

TEXTS = ["the cat sat", "on", "unaffable mat !", "", "the " * 40, "a mat , a cat"] * 9

pytestmark = pytest.mark.skipif(native_kernel() == "portable", reason="auto needs AVX2")


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    config = small_config()
    source = write_original(folder / "uncased", config, random_variables(config, n_labels=3))
    return export_bundle(source, folder / "bundle", gate_inputs=40, outputs=None).path


@pytest.mark.parametrize(
    "output", ["probabilities", "logits", "pooled_output", "mean_embedding", "sequence_output"]
)
def test_engines_agree_on_every_output(tmp_path: Path, output: str) -> None:
    config = small_config()
    source = write_original(tmp_path / "uncased", config, random_variables(config, n_labels=3))
    path = export_bundle(source, tmp_path / "bundle", outputs=[output], gate_inputs=40).path
    pairs = [(text, TEXTS[-row]) for row, text in enumerate(TEXTS)]
    found = list(Predictor(path, threads=2, token_budget=50).predict_iter(pairs, window=20))
    expected = list(Predictor(path, engine="onnxruntime").predict_iter(pairs))
    assert len(found) == len(expected) == len(TEXTS)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-4


def test_auto_takes_the_native_engine_for_fused_graphs_alone(
    bundle_path: Path, tmp_path: Path
) -> None:
    model = Predictor(bundle_path)
    assert (model.engine, model.precision, model.kernel) == ("native", "fp32", native_kernel())
    forced = Predictor(bundle_path, engine="onnxruntime")
    assert (forced.engine, forced.precision, forced.kernel) == ("onnxruntime", "fp32", None)
    probe = write_probe_bundle(tmp_path / "probe")
    assert Predictor(probe).engine == "onnxruntime"
    with pytest.raises(InputError, match="its graph is not the fused one"):
        Predictor(probe, engine="native")


def test_other_devices_are_not_the_native_engines(bundle_path: Path) -> None:
    manifest = Bundle.load(bundle_path).manifest
    choice = choose_engine(manifest, device="cuda", engine="auto", precision=None)
    assert choice.engine == "onnxruntime"
    with pytest.raises(InputError, match="it runs on the CPU, not on 'cuda'"):
        choose_engine(manifest, device="cuda", engine="native", precision=None)


def test_weights_of_a_model_are_not_made_more_precise(bundle_path: Path) -> None:
    manifest = Bundle.load(bundle_path).manifest
    with pytest.raises(InputError, match="precision 'fp32': the model holds int8 weights"):
        choose_engine(
            replace(manifest, precision="int8"), device="cpu", engine="auto", precision="fp32"
        )
    with pytest.raises(InputError, match="cannot run this model: its weights are fp16"):
        choose_engine(
            replace(manifest, precision="fp16"), device="cpu", engine="native", precision=None
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tpu"}, "engine is one of auto, native, onnxruntime"),
        ({"precision": "fp8"}, "precision is one of fp32, int8 or None"),
        ({"engine": "onnxruntime", "precision": "int8"}, "holds fp32 weights, and only the native"),
    ],
)
def test_bad_choices_raise_at_once(
    bundle_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Predictor(bundle_path, **options)  # type: ignore[arg-type]


def test_int8_is_close_and_not_the_same(bundle_path: Path) -> None:
    exact = Predictor(bundle_path).predict(TEXTS)
    model = Predictor(bundle_path, precision="int8")
    assert model.precision == "int8"
    close = model.predict(TEXTS)
    assert not np.array_equal(close, exact)
    assert np.abs(close - exact).max() < 0.1


def test_pickle_keeps_engine_and_precision(bundle_path: Path) -> None:
    model = Predictor(bundle_path, threads=1, precision="int8", token_budget=30)
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.engine, copy.precision) == ("native", "int8")
    assert np.array_equal(copy.predict(TEXTS), model.predict(TEXTS))


def test_rows_have_the_same_bits_in_any_window(bundle_path: Path) -> None:
    model = Predictor(bundle_path, threads=2)
    together = model.predict(TEXTS)
    assert np.array_equal(np.stack(list(model.predict_iter(TEXTS, window=5))), together)
    assert np.array_equal(np.concatenate([model.predict([text]) for text in TEXTS]), together)


def test_native_engine_does_without_onnxruntime_and_survives_a_fork(bundle_path: Path) -> None:
    output = run_python(
        """
        import os, sys, threading
        from bertfast import Predictor
        model = Predictor(sys.argv[1], threads=3, token_budget=8)
        texts = ["the cat", "sat on a mat", "!"] * 20
        expected = model.predict(texts).tolist()
        stop = threading.Event()
        def work():
            while not stop.is_set():
                model.predict(texts)
        busy = threading.Thread(target=work)
        busy.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                same = model._model is not None and model.predict(texts).tolist() == expected
                os._exit(0 if same else 1)
            _, status = os.waitpid(child, 0)
            assert status == 0, status
        stop.set()
        busy.join()
        print(sorted({"onnx", "onnxruntime"} & set(sys.modules)))
        """,
        str(bundle_path),
    )
    assert output.strip() == "[]"


def test_import_of_bertfast_does_not_load_the_engine() -> None:
    code = """
        import sys, bertfast, bertfast.runtime
        print(sorted(name for name in sys.modules if name.startswith("bertfast._e")))
    """
    assert run_python(code).strip() == "[]"


def test_weights_that_do_not_fit_raise_one_line(bundle_path: Path, tmp_path: Path) -> None:
    import hashlib
    import shutil

    path = tmp_path / "bundle"
    shutil.copytree(bundle_path, path)
    content = (path / "model.onnx").read_bytes()
    damaged = content.replace(b"intermediate/dense/kernel", b"intermediate/dense/kernal")
    (path / "model.onnx").write_bytes(damaged)
    manifest = (path / "bertfast.json").read_text()
    old, new = (hashlib.sha256(data).hexdigest() for data in (content, damaged))
    (path / "bertfast.json").write_text(manifest.replace(old, new))
    with pytest.raises(BundleError, match=r"model\.onnx lacks 'bert/encoder/layer_0/inter"):
        Predictor(path).predict(["a"])


def test_job_of_another_engine_or_precision_is_not_resumed(
    bundle_path: Path, tmp_path: Path
) -> None:
    source = tmp_path / "texts.txt"
    source.write_text("the cat\n" * 10)
    folder = f"{tmp_path / 'out'}/"
    options = JobOptions(fields=("label",), part_rows=4)
    predict_files(source, folder, Predictor(bundle_path), options=options)
    with pytest.raises(InputError, match=r"model precision \(\"fp32\", now \"int8\"\)"):
        predict_files(source, folder, Predictor(bundle_path, precision="int8"), options=options)
    with pytest.raises(InputError, match=r"model engine \(\"native\", now \"onnxruntime\"\)"):
        predict_files(source, folder, Predictor(bundle_path, engine="onnxruntime"), options=options)


def test_factory_carries_engine_and_precision(bundle_path: Path) -> None:
    factory = PredictorFactory.create(bundle_path, precision="int8", fields=("probabilities",))
    copy = pickle.loads(pickle.dumps(factory))
    expected = Predictor(bundle_path, threads=1, precision="int8").predict(TEXTS)
    assert np.array_equal(copy.predict(TEXTS)["probabilities"], expected)
