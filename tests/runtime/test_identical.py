import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Predictor, export_bundle
from bertfast.runtime.identical import find_distinct
from bertfast.runtime.predictor import WindowPrediction
from tests.small_bert import random_variables, small_config, write_original

OUTPUTS = ["probabilities", "logits", "pooled_output", "mean_embedding", "sequence_output"]
TEXTS = ["the cat", "sat", "the cat", "", "a mat !", "", "THE  cat", "sat on", "the " * 90] * 3


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identical")
    config = small_config()
    source = write_original(folder / "uncased", config, random_variables(config, n_labels=3))
    return export_bundle(source, folder / "bundle", outputs=OUTPUTS, gate_inputs=40).path


class Counts:
    """What a progress bar would show."""

    def __init__(self) -> None:
        self.rows = self.tokens = 0

    def set_total(self, n_rows: int) -> None:
        """Ignore it."""

    def advance(self, n_rows: int, n_tokens: int) -> None:
        self.rows += n_rows
        self.tokens += n_tokens


def windows(model: Predictor, rows: Any, **options: Any) -> list[WindowPrediction]:
    return list(model.predict_windows(rows, **options))


@given(rows=st.lists(st.lists(st.integers(-3, 3), max_size=3)))
def test_distinct_rows_give_all_rows_back(rows: list[list[int]]) -> None:
    ids = np.array([number for row in rows for number in row], np.int32)
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    distinct = find_distinct(ids, offsets)
    different = {tuple(row) for row in rows}
    if distinct is None:
        assert len(different) == len(rows)
        return
    assert len(distinct.rows) == len(different) < len(rows)
    kept, edges = distinct.take(ids, offsets)
    given = [kept[edges[place] : edges[place + 1]].tolist() for place in distinct.places]
    assert given == rows


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("precision", [None, "int8"])
def test_repeated_texts_have_the_bits_of_texts_alone(
    bundle_path: Path, output: str, precision: Any
) -> None:
    model = Predictor(bundle_path, output=output, precision=precision, engine="native", threads=2)
    counts = Counts()
    found = windows(model, TEXTS, progress=counts)
    alone = [windows(model, [text])[0] for text in TEXTS]
    assert [window.n_repeated for window in alone] == [0] * len(TEXTS)
    # "the cat" and "THE  cat" have the same ids; nine texts of seven kinds, three times.
    assert [window.n_repeated for window in found] == [len(TEXTS) - 6]
    for row, expected in zip(found[0].values, alone, strict=True):
        assert np.array_equal(row, expected.values[0])
    assert found[0].n_tokens == sum(window.n_tokens for window in alone) == counts.tokens
    assert found[0].n_truncated == 3
    assert counts.rows == len(TEXTS)


def test_the_same_first_text_with_another_second_is_another_row(bundle_path: Path) -> None:
    model = Predictor(bundle_path, output="logits", engine="native")
    pairs = [("the cat", "sat"), ("the cat", "on"), ("the cat", "sat"), ("the cat sat", "")]
    found = windows(model, pairs)[0]
    assert found.n_repeated == 1
    for row, pair in zip(found.values, pairs, strict=True):
        assert np.array_equal(row, model.predict([pair[0]], [pair[1]])[0])
    assert not np.array_equal(found.values[0], found.values[3])


def test_pieces_of_long_texts_are_computed_once(bundle_path: Path) -> None:
    model = Predictor(bundle_path, output="mean_embedding", engine="native", max_length=16)
    long = "the cat sat on a mat " * 20
    found = windows(model, [long, long, "sat"], overflow="window")[0]
    assert found.n_repeated > 0
    alone = model.predict([long], overflow="window")
    assert np.array_equal(np.asarray(found.values)[:2], np.concatenate([alone, alone]))


def test_repeated_rows_are_logged(bundle_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = Predictor(bundle_path, engine="native")
    with caplog.at_level(logging.INFO, "bertfast"):
        model.predict(["the cat", "sat", "the cat"])
    assert "1 of 3 texts were computed once with an equal one" in caplog.text


def test_onnx_runtime_computes_every_row(bundle_path: Path) -> None:
    found = windows(Predictor(bundle_path, engine="onnxruntime"), TEXTS)
    assert [window.n_repeated for window in found] == [0]
