"""Records of raw text give the batches of records of features."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.errors import InputError
from bertfast.glue.examples import Example, InputExample, PaddingInputExample
from tests.parity.graph import import_tensorflow
from tests.tokenizer.vocabulary import small_vocab

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)

LABELS = ["0", "1"]
EXAMPLES: list[Example] = [
    InputExample("1", "Hello world!", "a cafe\u0301", "1"),
    InputExample("2", "ΛΟΓΟΣ", None, "0"),
    InputExample("3", "", "unaffable " * 30, "1"),
    InputExample("4", "大学 \x00 x", "", "0"),
    PaddingInputExample(),
    *(InputExample(str(n), "a b c " * n, "d e " * (9 - n), "1") for n in range(9)),
]
LENGTH = 16


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    import_tensorflow()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The examples as features and as texts."""
    from bertfast.tf.records import write_examples
    from bertfast.tf.text_records import write_texts

    features, texts = tmp_path / "features.tf_record", tmp_path / "texts.tf_record"
    tokenizer = Tokenizer(small_vocab())
    write_examples(EXAMPLES, LABELS, LENGTH, tokenizer, features, progress=False)
    write_texts(EXAMPLES, LABELS, texts, progress=False)
    return features, texts


def open_texts(path: Path, batch_size: int, **options: Any) -> Any:
    from bertfast.tf import GraphTokenizer
    from bertfast.tf.text_records import text_pipeline

    return text_pipeline(path, GraphTokenizer(small_vocab()), LENGTH, batch_size, **options)


@pytest.mark.parametrize(
    ("is_training", "skip_batches"), [(False, 0), (False, 2), (True, 0), (True, 7)]
)
def test_batches_equal_those_of_features(
    files: tuple[Path, Path], is_training: bool, skip_batches: int
) -> None:
    from bertfast.tf.records import input_pipeline

    options: dict[str, Any] = {
        "is_training": is_training,
        "drop_remainder": is_training,
        "seed": 5,
        "skip_batches": skip_batches,
    }
    features = input_pipeline(files[0], LENGTH, 4, **options)
    texts = open_texts(files[1], 4, **options)
    compared = 0
    for expected, given in zip(features.take(9), texts.take(9), strict=True):
        assert set(given) == set(expected)
        for name, array in expected.items():
            assert given[name].dtype == array.dtype
            assert np.array_equal(given[name], array), name
        compared += 1
    assert compared == (9 if is_training else 4 - skip_batches)


def test_texts_take_less_room_than_features(files: tuple[Path, Path]) -> None:
    assert files[1].stat().st_size < files[0].stat().st_size


def test_other_records_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    options: dict[str, Any] = {"is_training": False, "drop_remainder": False, "seed": 0}
    with pytest.raises(InputError, match="no feature 'text_a'"):
        open_texts(files[0], 4, **options)
    with pytest.raises(InputError, match="cannot read"):
        open_texts(tmp_path / "none", 4, **options)


def test_unknown_label_is_refused_before_a_file_appears(tmp_path: Path) -> None:
    from bertfast.tf.text_records import write_texts

    path = tmp_path / "texts.tf_record"
    with pytest.raises(InputError, match="unknown label 'x'"):
        write_texts([InputExample("1", "a", None, "x")], LABELS, path, progress=False)
    with pytest.raises(InputError, match="no example"):
        write_texts([], LABELS, path, progress=False)
    assert not path.exists()
