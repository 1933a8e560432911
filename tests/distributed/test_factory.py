import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.distributed import PredictorFactory
from bertfast.errors import BundleError, InputError
from bertfast.runtime import Predictor
from tests.runtime.probe_model import LABELS, write_probe_bundle

TEXTS = ["a b", "", "c d e f g", "h"]


def test_factory_pickles_small_and_predicts_as_the_predictor(bundle: Path) -> None:
    factory = PredictorFactory.create(bundle, fields=("label", "probability", "probabilities"))
    factory.predict(TEXTS)
    data = pickle.dumps(factory)
    assert len(data) < 1000
    found = pickle.loads(data).predict(TEXTS)
    expected = Predictor(bundle, threads=1).predict(TEXTS)
    assert np.array_equal(found["probabilities"], expected)
    assert np.array_equal(found["probability"], expected.max(axis=1))
    assert found["label"].tolist() == [LABELS[best] for best in expected.argmax(axis=1)]


def test_factory_opens_one_model_a_process(bundle: Path) -> None:
    first = PredictorFactory.create(bundle)
    second = pickle.loads(pickle.dumps(first))
    assert first._predictor() is second._predictor()
    assert replace(first, max_length=5)._predictor() is not first._predictor()


def test_factory_names_columns_and_takes_pairs(bundle: Path) -> None:
    factory = PredictorFactory.create(bundle, fields=("label",), prefix="p_")
    assert list(factory.predict(["a"], ["b"])) == ["p_label"] == list(factory.names)
    assert factory.labels() == LABELS


def test_factory_with_another_or_no_model_on_the_worker_raises(
    bundle: Path, tmp_path: Path
) -> None:
    factory = PredictorFactory.create(bundle)
    with pytest.raises(BundleError, match=r"no model at .*nowhere on this worker"):
        replace(factory, bundle_path=str(tmp_path / "nowhere")).predict(["a"])
    copy = shutil.copytree(bundle, tmp_path / "copy")
    assert replace(factory, bundle_path=str(copy)).predict(["a"])
    manifest = copy / "bertfast.json"
    manifest.write_text(manifest.read_text() + " ")
    with pytest.raises(BundleError, match="is another model than on the driver"):
        replace(factory, bundle_path=str(copy), max_length=9).predict(["a"])


def test_factory_wrong_options_raise_at_once(bundle: Path) -> None:
    with pytest.raises(InputError, match="unknown field 'score'"):
        PredictorFactory.create(bundle, fields=("score",))
    with pytest.raises(InputError, match="max_length is an integer from 2 to 64"):
        PredictorFactory.create(bundle, max_length=65)
    with pytest.raises(BundleError):
        PredictorFactory.create(bundle / "nowhere")


def test_factory_carries_overflow_stride_and_memory(bundle: Path) -> None:
    texts = ["a b c d e f g h " * 6, "a"]
    options: dict[str, Any] = {"max_length": 16, "fields": ("probabilities",)}
    factory = PredictorFactory.create(
        bundle, overflow="window", stride=2, max_memory="50MB", **options
    )
    copy = pickle.loads(pickle.dumps(factory))
    assert (copy.overflow, copy.stride, copy.max_memory) == ("window", 2, 50_000_000)
    model = Predictor(bundle, threads=1, max_length=16, output="probabilities")
    expected = model.predict(texts, overflow="window", stride=2)
    assert np.array_equal(copy.predict(texts)["probabilities"], expected)
    truncated = PredictorFactory.create(bundle, **options).predict(texts)["probabilities"]
    assert np.array_equal(truncated[1], expected[1])
    assert not np.array_equal(truncated[0], expected[0])
    with pytest.raises(InputError, match="stride goes with overflow='window'"):
        PredictorFactory.create(bundle, stride=2)
    with pytest.raises(InputError, match="max_memory of 10 bytes is too small"):
        PredictorFactory.create(bundle, max_memory=10)


def test_factory_of_token_vectors_is_refused(tmp_path: Path) -> None:
    path = write_probe_bundle(tmp_path / "tokens", default_output="sequence_output")
    with pytest.raises(InputError, match=r"rows of different length; use bertfast\.jobs"):
        PredictorFactory.create(path)
