"""Prediction on Spark: a user-defined function over columns, and a helper over data frames.

    df.withColumn("p", predict_udf("my_model", fields=["label"])("text"))
    predict_dataframe(df, "my_model", text_column="text", shipped=ship_model(spark, "my_model"))

Each Python worker opens the model once. A task that fails is run again by Spark, and its rows
are those of the partition: nothing is doubled.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bertfast.distributed.factory import PredictorFactory
from bertfast.errors import InputError, MissingDependencyError
from bertfast.runtime.overflow import Overflow

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

DEFAULT_BATCH_ROWS = 4096


def ship_model(spark: "SparkSession", model: str | os.PathLike[str]) -> str:
    """Send a model directory to every worker; return the name by which they find it.

    Not needed where each worker can read the directory itself.

    Raises:
        InputError: another directory of the same name was sent before.

    Example:
        >>> ship_model(spark, "models/my_model")   # doctest: +SKIP
        'my_model'
    """
    path = Path(model).resolve()
    try:
        spark.sparkContext.addFile(str(path), recursive=True)
    except Exception as error:  # Py4J's errors have no base class of their own here
        raise InputError(f"{path} cannot be sent to the workers: {str(error)[:200]}") from error
    return path.name


def predict_udf(
    model: str | os.PathLike[str],
    *,
    pairs: bool = False,
    shipped: str | None = None,
    fields: Sequence[str] = (),
    prefix: str = "",
    max_length: int | None = None,
    overflow: Overflow = "truncate",
    stride: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
) -> "Callable[..., Column]":
    """Return a Spark function of a text column, or of a text and a second text column.

    It gives a struct with a member for each field: label a string, probability a float,
    probabilities, logits and embedding arrays of floats (scores in the order of the model's
    labels). A null text is predicted as an empty one: filter where that is not wanted.

    Args:
        model: the model directory, readable here; by the workers too, unless it is shipped.
        pairs: whether the function takes a second text column.
        shipped: what `ship_model` returned.
        fields: label, probability, probabilities, logits, embedding; () means the default.
        prefix: stands before the fields' names.
        max_length: tokens a row at most; None takes the model's own.
        overflow: what becomes of texts beyond max_length; see `Predictor.predict`.
        stride: pieces that neighbouring windows share, for overflow "window".
        batch_rows: rows that are sorted and batched together.

    Raises:
        BundleError, InputError: as `PredictorFactory.create`.
        MissingDependencyError: pyspark or pandas is not installed.

    Example:
        >>> predict = predict_udf("my_model", fields=["label", "probability"])   # doctest: +SKIP
        >>> df = df.withColumn("predicted", predict("text"))                     # doctest: +SKIP
        >>> df.select("text", "predicted.label").columns                         # doctest: +SKIP
        ['text', 'label']
    """
    _check_pyspark()
    from pyspark.ml.functions import predict_batch_udf

    factory = PredictorFactory.create(
        model,
        fields=fields,
        prefix=prefix,
        max_length=max_length,
        overflow=overflow,
        stride=stride,
    )

    def make_predict() -> Callable[..., Any]:
        located = _located(factory, shipped)

        # Spark counts the parameters to tell how many columns there are.
        def predict(texts: NDArray[Any]) -> dict[str, NDArray[Any]]:
            return located.predict(_texts(texts))

        def predict_pairs(texts: NDArray[Any], seconds: NDArray[Any]) -> dict[str, NDArray[Any]]:
            return located.predict(_texts(texts), _texts(seconds))

        return predict_pairs if pairs else predict

    udf: Callable[..., Column] = predict_batch_udf(
        make_predict, return_type=result_type(factory), batch_size=batch_rows
    )
    return udf


def predict_dataframe(
    df: "DataFrame",
    model: str | os.PathLike[str],
    *,
    text_column: str = "text",
    pair_column: str | None = None,
    shipped: str | None = None,
    fields: Sequence[str] = (),
    prefix: str = "",
    max_length: int | None = None,
    overflow: Overflow = "truncate",
    stride: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
) -> "DataFrame":
    """Return the data frame with a column for each predicted field.

    The arguments are those of `predict_udf`.

    Raises:
        InputError: a column is missing, or would be replaced by a predicted one.

    Example:
        >>> df = spark.createDataFrame([("good film",)], "text string")   # doctest: +SKIP
        >>> predict_dataframe(df, "my_model", fields=["label"]).columns   # doctest: +SKIP
        ['text', 'label']
    """
    columns = [text_column] if pair_column is None else [text_column, pair_column]
    for name in columns:
        if name not in df.columns:
            raise InputError(f"no column {name!r}; the data frame has {', '.join(df.columns)}")
    udf = predict_udf(
        model,
        pairs=pair_column is not None,
        shipped=shipped,
        fields=fields,
        prefix=prefix,
        max_length=max_length,
        overflow=overflow,
        stride=stride,
        batch_rows=batch_rows,
    )
    names = PredictorFactory.create(model, fields=fields, prefix=prefix).names
    for name in names:
        if name in df.columns:
            raise InputError(f"the data frame has a column {name!r} already; pass a prefix")
    struct = "__bertfast"
    predicted = df.withColumn(struct, udf(*columns))
    return predicted.select(*df.columns, *(f"{struct}.{name}" for name in names))


def result_type(factory: PredictorFactory) -> "StructType":
    """Return the Spark type of the predicted struct.

    Example:
        >>> from bertfast.distributed import PredictorFactory
        >>> factory = PredictorFactory.create("my_model", fields=["label"])   # doctest: +SKIP
        >>> result_type(factory).simpleString()                               # doctest: +SKIP
        'struct<label:string>'
    """
    from pyspark.sql.types import ArrayType, DataType, FloatType, StringType, StructField
    from pyspark.sql.types import StructType as Struct

    def of(field: str) -> DataType:
        if field == "label":
            return StringType()
        return FloatType() if field == "probability" else ArrayType(FloatType())

    return Struct(
        [
            StructField(name, of(field))
            for field, name in zip(factory.fields, factory.names, strict=True)
        ]
    )


def _located(factory: PredictorFactory, shipped: str | None) -> PredictorFactory:
    """Return the factory with the path that holds on this worker."""
    if shipped is None:
        return factory
    import dataclasses

    from pyspark import SparkFiles

    return dataclasses.replace(factory, bundle_path=SparkFiles.get(shipped))


def _texts(column: NDArray[Any]) -> list[str]:
    return ["" if text is None else text for text in np.ravel(column).tolist()]


def _check_pyspark() -> None:
    try:
        import pandas  # noqa: F401
        import pyspark  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Spark needs pyspark and pandas: pip install 'bertfast[spark]'"
        ) from error
