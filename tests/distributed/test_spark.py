import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.distributed.spark import predict_dataframe, predict_udf, ship_model
from bertfast.errors import InputError
from bertfast.runtime import Predictor
from tests.runtime.probe_model import LABELS


def rows_of(df: Any, *names: str) -> dict[str, list[Any]]:
    """Collect columns, ordered by id."""
    rows = sorted(df.select("id", *names).collect(), key=lambda row: row["id"])
    return {name: [row[name] for row in rows] for name in ("id", *names)}


def test_spark_predicts_as_one_process_does(spark: Any, bundle: Path, texts: list[str]) -> None:
    df = spark.createDataFrame(list(enumerate(texts)), "id int, text string").repartition(5)
    predicted = predict_dataframe(df, bundle, fields=("label", "probability", "probabilities"))
    assert predicted.columns == ["id", "text", "label", "probability", "probabilities"]
    found = rows_of(predicted, "label", "probability", "probabilities")
    expected = Predictor(bundle, threads=1).predict(texts)
    assert found["id"] == list(range(len(texts)))
    assert np.array_equal(np.array(found["probabilities"], np.float32), expected)
    assert np.array_equal(np.array(found["probability"], np.float32), expected.max(axis=1))
    assert found["label"] == [LABELS[best] for best in expected.argmax(axis=1)]


def test_spark_ships_the_model_and_takes_pairs(spark: Any, bundle: Path, texts: list[str]) -> None:
    shipped = ship_model(spark, bundle)
    pairs = list(zip(range(400), texts, texts[7:], strict=False))
    df = spark.createDataFrame(pairs, "id int, one string, two string")
    predicted = predict_dataframe(
        df,
        bundle,
        text_column="one",
        pair_column="two",
        shipped=shipped,
        prefix="p_",
        overflow="window",
        stride=2,
    )
    found = rows_of(predicted, "p_label", "p_probabilities")
    model = Predictor(bundle, threads=1)
    expected = model.predict(texts[:400], texts[7:407], overflow="window", stride=2)
    assert np.array_equal(np.array(found["p_probabilities"], np.float32), expected)


def test_spark_udf_takes_null_as_an_empty_text(spark: Any, bundle: Path) -> None:
    df = spark.createDataFrame([(0, None), (1, ""), (2, "a")], "id int, text string")
    predicted = df.withColumn("p", predict_udf(bundle, fields=("probability",))("text"))
    values = [value["probability"] for value in rows_of(predicted, "p")["p"]]
    assert values[0] == values[1] != values[2]


def test_spark_task_whose_worker_is_killed_is_run_again_without_doubles(
    spark: Any, bundle: Path, texts: list[str], tmp_path: Path
) -> None:
    mark = tmp_path / "killed"

    def kill_once(batches: Any) -> Any:
        for batch in batches:
            if 7 in set(batch["id"]) and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    df = spark.createDataFrame(list(enumerate(texts)), "id int, text string").repartition(4)
    predicted = predict_dataframe(df, bundle, fields=("label",))
    found = rows_of(predicted.mapInPandas(kill_once, predicted.schema), "label")
    assert mark.exists()
    assert found["id"] == list(range(len(texts)))


def test_spark_columns_that_are_missing_or_there_already_raise(spark: Any, bundle: Path) -> None:
    df = spark.createDataFrame([("a", "b")], "text string, label string")
    with pytest.raises(InputError, match="no column 'body'; the data frame has text, label"):
        predict_dataframe(df, bundle, text_column="body")
    with pytest.raises(InputError, match="has a column 'label' already; pass a prefix"):
        predict_dataframe(df, bundle)
