"""Prediction on Ray Data: a class for `map_batches`, and a helper over data sets.

    model = ship_model("my_model")
    predict_dataset(ds, model, text_column="text", fields=["label"], workers=8)

Each actor opens the model once. A batch whose actor dies is run again by Ray on another one:
nothing is doubled.
"""

import io
import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bertfast.distributed.factory import PredictorFactory
from bertfast.errors import InputError, MissingDependencyError
from bertfast.runtime.overflow import Overflow

if TYPE_CHECKING:
    from ray.data import Dataset

DEFAULT_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A model directory in Ray's object store.

    Attributes:
        path: the directory on the driver.
        archive: reference to its files, a tar archive.

    Example:
        >>> ship_model("models/my_model").path.endswith("my_model")   # doctest: +SKIP
        True
    """

    path: str
    archive: Any


def ship_model(model: str | os.PathLike[str]) -> ShippedModel:
    """Put a model directory into the object store, from where each node fetches it once.

    Not needed where each node can read the directory itself.

    Example:
        >>> model = ship_model("my_model")                                   # doctest: +SKIP
        >>> ds = predict_dataset(ds, model, text_column="text", workers=4)   # doctest: +SKIP
    """
    ray = _import_ray()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in sorted(Path(model).iterdir()):
            archive.add(file, file.name, recursive=False)
    return ShippedModel(str(Path(model).absolute()), ray.put(buffer.getvalue()))


class BatchPredictor:
    """A callable class for `Dataset.map_batches(BatchPredictor, fn_constructor_args=...)`.

    Example:
        >>> from bertfast import Bundle
        >>> from bertfast.distributed import PredictorFactory
        >>> factory = PredictorFactory.create(Bundle.load().path, fields=["label"])
        >>> batch = {"text": np.array(["Καλημέρα!"])}
        >>> BatchPredictor(factory, "text")(batch)["label"].tolist()
        ['el']
    """

    def __init__(
        self,
        factory: PredictorFactory,
        text_column: str,
        pair_column: str | None = None,
        archive: Any = None,
    ) -> None:
        """Unpack the model if it was shipped; it opens with the first batch.

        Args:
            factory: the model and its options.
            text_column: the texts.
            pair_column: the second texts, or None.
            archive: of `ShippedModel`, or None.
        """
        self._columns = (text_column, pair_column)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if archive is not None:
            data = _import_ray().get(archive)
            self._folder = tempfile.TemporaryDirectory(prefix="bertfast-model-")
            _unpack(data, Path(self._folder.name))
            factory = replace(factory, bundle_path=self._folder.name)
        self._factory = factory

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the batch with a column for each predicted field."""
        text, pair = self._columns
        predicted = self._factory.predict(
            _texts(batch[text]), None if pair is None else _texts(batch[pair])
        )
        return {**batch, **predicted}


def predict_dataset(
    ds: "Dataset",
    model: str | os.PathLike[str] | ShippedModel,
    *,
    text_column: str = "text",
    pair_column: str | None = None,
    fields: Sequence[str] = (),
    prefix: str = "",
    max_length: int | None = None,
    overflow: Overflow = "truncate",
    stride: int | None = None,
    workers: int = 2,
    batch_rows: int = DEFAULT_BATCH_ROWS,
) -> "Dataset":
    """Return the data set with a column for each predicted field.

    label is a string, probability a float; probabilities, logits and embedding are arrays of
    floats (scores in the order of the model's labels). A null text is predicted as an empty
    one. Leave a core or more of the cluster to Ray's readers: workers that take every core
    can starve them.

    Args:
        ds: the data set.
        model: a model directory that every node can read, or what `ship_model` returned.
        text_column: the texts.
        pair_column: the second texts, for models trained on pairs.
        fields: label, probability, probabilities, logits, embedding; () means the default.
        prefix: stands before the fields' names.
        max_length: tokens a row at most; None takes the model's own.
        overflow: what becomes of texts beyond max_length; see `Predictor.predict`.
        stride: pieces that neighbouring windows share, for overflow "window".
        workers: actors, one core each.
        batch_rows: rows that are sorted and batched together.

    Raises:
        BundleError, InputError: as `PredictorFactory.create`, or a column would be replaced.
        MissingDependencyError: ray is not installed.

    Example:
        >>> ds = ray.data.from_items([{"text": "good film"}])                       # doctest: +SKIP
        >>> predict_dataset(ds, "my_model", fields=["label"], workers=1).columns()  # doctest: +SKIP
        ['text', 'label']
    """
    ray = _import_ray()
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is a positive integer, got {workers!r}")
    path = model.path if isinstance(model, ShippedModel) else model
    factory = PredictorFactory.create(
        path,
        fields=fields,
        prefix=prefix,
        max_length=max_length,
        overflow=overflow,
        stride=stride,
    )
    given = ds.columns() or []
    for name in (text_column, *([] if pair_column is None else [pair_column])):
        if given and name not in given:
            raise InputError(f"no column {name!r}; the data set has {', '.join(given)}")
    for name in factory.names:
        if name in given:
            raise InputError(f"the data set has a column {name!r} already; pass a prefix")
    archive = model.archive if isinstance(model, ShippedModel) else None
    return ds.map_batches(
        BatchPredictor,
        fn_constructor_args=(factory, text_column, pair_column, archive),
        batch_size=batch_rows,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )


def _unpack(data: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                (folder / Path(member.name).name).write_bytes(file.read())


def _texts(column: NDArray[Any]) -> list[str]:
    return ["" if text is None else str(text) for text in np.ravel(column).tolist()]


def _import_ray() -> Any:
    try:
        import ray.data
    except ImportError as error:
        raise MissingDependencyError("Ray needs ray[data]: pip install 'bertfast[ray]'") from error
    return ray
