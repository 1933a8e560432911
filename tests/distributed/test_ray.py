import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.distributed import PredictorFactory
from bertfast.distributed.ray import BatchPredictor, predict_dataset, ship_model
from bertfast.errors import InputError
from bertfast.runtime import Predictor
from tests.runtime.probe_model import LABELS


def table(ray: Any, texts: list[str]) -> Any:
    """A data set of several blocks."""
    import pyarrow as pa  # type: ignore[import-untyped]

    whole = pa.table({"id": range(len(texts)), "text": texts})
    step = -(-len(texts) // 6)
    return ray.data.from_arrow([whole.slice(at, step) for at in range(0, len(texts), step)])


def collected(ds: Any) -> dict[str, list[Any]]:
    """All rows, ordered by id."""
    rows = sorted(ds.take_all(), key=lambda row: row["id"])
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_ray_predicts_as_one_process_does(ray: Any, bundle: Path, texts: list[str]) -> None:
    ds = predict_dataset(
        table(ray, texts), bundle, fields=("label", "probability", "probabilities"), workers=2
    )
    found = collected(ds)
    expected = Predictor(bundle, threads=1).predict(texts)
    assert found["id"] == list(range(len(texts)))
    assert np.array_equal(np.array(found["probabilities"], np.float32), expected)
    assert np.array_equal(np.array(found["probability"], np.float32), expected.max(axis=1))
    assert found["label"] == [LABELS[best] for best in expected.argmax(axis=1)]


def test_ray_ships_the_model(ray: Any, bundle: Path, texts: list[str]) -> None:
    ds = predict_dataset(
        table(ray, texts[:500]),
        ship_model(bundle),
        prefix="p_",
        fields=("probabilities",),
        overflow="window",
        stride=2,
    )
    expected = Predictor(bundle, threads=1).predict(texts[:500], overflow="window", stride=2)
    assert np.array_equal(np.array(collected(ds)["p_probabilities"], np.float32), expected)


class DiesOnce(BatchPredictor):
    """Kills its process at the first batch that any actor sees."""

    mark: str = ""

    def __init__(self, factory: PredictorFactory, mark: str) -> None:
        super().__init__(factory, "text")
        self.mark = mark

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        if not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


def test_ray_batch_whose_actor_is_killed_is_run_again_without_doubles(
    ray: Any, bundle: Path, texts: list[str], tmp_path: Path
) -> None:
    mark = tmp_path / "killed"
    factory = PredictorFactory.create(bundle, fields=("label",))
    ds = table(ray, texts).map_batches(
        DiesOnce,
        fn_constructor_args=(factory, str(mark)),
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=1,
    )
    assert collected(ds)["id"] == list(range(len(texts)))
    assert mark.exists()


def test_ray_wrong_arguments_raise(ray: Any, bundle: Path) -> None:
    ds = ray.data.from_items([{"text": "a", "label": "b"}])
    with pytest.raises(InputError, match="no column 'body'"):
        predict_dataset(ds, bundle, text_column="body")
    with pytest.raises(InputError, match="has a column 'label' already; pass a prefix"):
        predict_dataset(ds, bundle)
    with pytest.raises(InputError, match="workers is a positive integer, got 0"):
        predict_dataset(ds, bundle, workers=0)
