"""The soak of the Predictor: that it measures, and that it would notice."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bertfast.benchmark.predict.random_model import write_random_model
from bertfast.onnx import export_bundle
from tests.benchmark.conftest import TEXTS
from tests.benchmark.test_predict_command import CONFIG
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    """`benchmarks/soak_predictor.py`, which is no package's."""
    path = REPOSITORY / "benchmarks" / "soak_predictor.py"
    spec = importlib.util.spec_from_file_location("soak_predictor", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its own module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "soak_predictor", module)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, exported."""
    folder = tmp_path_factory.mktemp("soak")
    write_random_model(folder / "tiny", TEXTS, config=CONFIG)
    export_bundle(folder / "tiny", folder / "bundle", gate_inputs=10)
    return folder / "bundle"


def test_soak_reports_slope_and_peak(soak: ModuleType, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "soak.json"
    code = soak.main([str(bundle), "--batches", "30", "--json", str(output)])
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["batches"] == 30
    assert found["peak_mb"] >= found["end_mb"] > 5
    size_mb = (bundle / "model.onnx").stat().st_size / 1e6
    assert found["limit_mb"] == pytest.approx(1.2 * size_mb + 100)
    is_kept = found["peak_mb"] <= found["limit_mb"] and found["slope_kb"] < soak.MAX_SLOPE_KB
    assert code == (0 if is_kept else 1)


def test_batches_vary_in_size_and_length(soak: ModuleType) -> None:
    shapes = {(len(texts), max(map(len, texts))) for texts in soak.batches(300)}
    assert len(shapes) > 200


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [({}, True), ({"peak_mb": 201.0}, False), ({"slope_kb": 1.5}, False)],
)
def test_growth_and_peak_are_noticed(
    soak: ModuleType, changes: dict[str, float], is_kept: bool
) -> None:
    values = {
        "batches": 9,
        "texts": 9,
        "seconds": 1.0,
        "start_mb": 100.0,
        "end_mb": 100.0,
        "peak_mb": 200.0,
        "limit_mb": 200.0,
        "slope_kb": 0.1,
    }
    assert soak.Found(**(values | changes)).is_kept is is_kept
