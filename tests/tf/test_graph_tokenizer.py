"""The public face of the tokenizer in the graph; tests/parity/test_graph.py has its ids."""

import gzip
import json
import unicodedata
from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.errors import InputError, VocabError
from tests.parity.graph import import_tensorflow
from tests.tokenizer.original import prepare_row
from tests.tokenizer.vocabulary import SPECIAL_TOKENS, small_vocab

if TYPE_CHECKING:
    from bertfast.tf import GraphTokenizer

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)

VOCAB = small_vocab()
SPECIALS = (VOCAB.index("[CLS]"), VOCAB.index("[SEP]"))
TEXTS = ["Unaffable, hello!", "", " ", "ΛΟΓΟΣ ß ﬁn", "大学 x", "naïve\u200b cafe\u0301"]


@pytest.fixture(scope="module")
def tf() -> Any:
    return import_tensorflow()


@pytest.fixture(scope="module")
def make_graph(tf: Any) -> Callable[..., "GraphTokenizer"]:
    from bertfast.tf import GraphTokenizer

    return GraphTokenizer


@pytest.fixture(scope="module")
def graph(make_graph: Callable[..., "GraphTokenizer"]) -> "GraphTokenizer":
    return make_graph(VOCAB)


@pytest.fixture(scope="module")
def native() -> Tokenizer:
    return Tokenizer(VOCAB)


def expected_ids(native: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [native.encode(text, add_special_tokens=False) for text in texts]


def test_tokenize_gives_int32_int64_and_tokens(
    tf: Any, graph: "GraphTokenizer", native: Tokenizer
) -> None:
    ids = expected_ids(native, TEXTS)
    for dtype in (tf.int32, tf.int64):
        pieces = graph.tokenize(TEXTS, token_out_type=dtype)
        assert pieces.dtype == dtype
        assert pieces.to_list() == ids
    tokens = graph.tokenize(TEXTS, token_out_type=tf.string).to_list()
    assert [[token.decode() for token in row] for row in tokens] == [
        native.tokenize(text) for text in TEXTS
    ]


def test_tokenize_of_one_string_is_one_row(graph: "GraphTokenizer", native: Tokenizer) -> None:
    assert graph.tokenize(TEXTS[0]).numpy().tolist() == expected_ids(native, TEXTS)[0]


def test_tokenize_of_no_texts_is_empty(tf: Any, graph: "GraphTokenizer") -> None:
    empty: list[Any] = [[], tf.zeros([0], tf.string)]
    for texts in empty:
        pieces = graph.tokenize(texts)
        assert pieces.to_list() == []
        assert pieces.dtype == tf.int32


def test_tokenize_works_in_a_function_and_in_a_dataset(
    tf: Any, graph: "GraphTokenizer", native: Tokenizer
) -> None:
    traced = tf.function(graph.tokenize, input_signature=[tf.TensorSpec([None], tf.string)])
    assert traced(tf.constant(TEXTS)).to_list() == expected_ids(native, TEXTS)
    texts = tf.data.Dataset.from_tensor_slices(TEXTS)
    for mapped in (texts.batch(4).map(graph.tokenize), texts.map(graph.tokenize)):
        rows = [row for batch in mapped for row in _rows(batch)]
        assert rows == expected_ids(native, TEXTS)


def _rows(batch: Any) -> list[list[int]]:
    return batch.to_list() if hasattr(batch, "to_list") else [batch.numpy().tolist()]


def test_tokenizer_can_be_built_while_a_function_is_traced(
    tf: Any, make_graph: Callable[..., "GraphTokenizer"], native: Tokenizer
) -> None:
    built: list[GraphTokenizer] = []

    def run(text: Any) -> Any:
        built.append(make_graph(VOCAB))
        return built[0].tokenize(text)

    traced = tf.function(run, input_signature=[tf.TensorSpec([None], tf.string)])
    assert traced(tf.constant(TEXTS)).to_list() == expected_ids(native, TEXTS)
    assert built[0].tokenize(TEXTS).to_list() == expected_ids(native, TEXTS)


def test_detokenize_equals_decode(tf: Any, graph: "GraphTokenizer", native: Tokenizer) -> None:
    rows = [*expected_ids(native, TEXTS), list(range(len(VOCAB))), list(range(len(VOCAB)))[::-1]]
    decoded = [native.decode(row).encode() for row in rows]
    for dtype in (tf.int32, tf.int64):
        ragged = tf.ragged.constant(rows, dtype)
        assert graph.detokenize(ragged).numpy().tolist() == decoded
    assert graph.detokenize(tf.constant([rows[-1], rows[-2]])).numpy().tolist() == decoded[:-3:-1]
    assert graph.detokenize(tf.constant(rows[0])).numpy() == decoded[0]
    assert graph.detokenize(rows).numpy().tolist() == decoded


def test_detokenize_refuses_an_unknown_id(tf: Any, graph: "GraphTokenizer") -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in the vocabulary"):
        graph.detokenize(tf.constant([[len(VOCAB)]]))


LETTERS = "abcdefghijklmnopqrstuvwxyz"
LENGTHS = [*range(10), 17, 40]
PAIRS = [
    (" ".join(LETTERS[i % 26] for i in range(a)), " ".join("z" * b))
    for a, b in product(LENGTHS, LENGTHS)
]


@pytest.mark.parametrize("max_seq_length", [*range(3, 21), 128])
def test_pack_of_pairs_equals_the_original(
    graph: "GraphTokenizer", native: Tokenizer, max_seq_length: int
) -> None:
    first, second = (list(texts) for texts in zip(*PAIRS, strict=True))
    packed = graph.pack(first, second, max_seq_length=max_seq_length)
    arrays = [packed[name].numpy() for name in ("input_ids", "input_mask", "segment_ids")]
    for array in arrays:
        assert array.dtype == np.int32
        assert array.shape == (len(PAIRS), max_seq_length)
    for row, pair in enumerate(PAIRS):
        ids_a, ids_b = expected_ids(native, list(pair))
        expected = prepare_row(ids_a, ids_b, max_seq_length, SPECIALS)
        padding = [0] * (max_seq_length - len(expected.input_ids))
        assert arrays[0][row].tolist() == expected.input_ids + padding
        assert arrays[1][row].tolist() == [1] * len(expected.input_ids) + padding
        assert arrays[2][row].tolist() == expected.segment_ids + padding


@pytest.mark.parametrize("max_seq_length", [2, 3, 5, 20])
@pytest.mark.parametrize("padding", ["max_length", "longest"])
def test_pack_of_texts_equals_the_tokenizer(
    graph: "GraphTokenizer", native: Tokenizer, max_seq_length: int, padding: Any
) -> None:
    packed = graph.pack(TEXTS, max_seq_length=max_seq_length, padding=padding)
    expected = native(TEXTS, max_length=max_seq_length, padding=padding)
    for name, array in packed.items():
        assert np.array_equal(array, getattr(expected, name)), name


def test_pack_of_one_text_is_one_row(graph: "GraphTokenizer") -> None:
    row = graph.pack("a b", "c", max_seq_length=9)
    batch = graph.pack(["a b"], ["c"], max_seq_length=9)
    for name in row:
        assert row[name].shape == (9,)
        assert np.array_equal(row[name], batch[name][0])


def test_pack_of_an_empty_batch_has_no_rows(tf: Any, graph: "GraphTokenizer") -> None:
    empty = tf.zeros([0], tf.string)
    widths: dict[Any, int] = {"max_length": 7, "longest": 2}
    for padding, width in widths.items():
        packed = graph.pack(empty, empty, max_seq_length=7, padding=padding)
        assert {tuple(array.shape) for array in packed.values()} == {(0, width)}


def test_pack_refuses_different_numbers_of_texts(tf: Any, graph: "GraphTokenizer") -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="different numbers of rows"):
        graph.pack(["a", "b"], ["c"], max_seq_length=9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": [1, 2], "max_seq_length": 5}, "got int32"),
        ({"text": [["a"]], "max_seq_length": 5}, "got string"),
        ({"text": ["a", 1], "max_seq_length": 5}, "texts are"),
        ({"text": ["a"], "max_seq_length": 1}, "too small"),
        ({"text": ["a"], "text_pair": ["b"], "max_seq_length": 2}, "too small"),
        ({"text": ["a"], "max_seq_length": 5, "padding": "none"}, "padding is"),
    ],
)
def test_pack_refuses_wrong_arguments(
    graph: "GraphTokenizer", arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        graph.pack(**arguments)


def test_tokenize_refuses_another_output_type(tf: Any, graph: "GraphTokenizer") -> None:
    with pytest.raises(InputError, match="token_out_type"):
        graph.tokenize(["a"], token_out_type=tf.float32)


def test_lone_surrogates_are_refused(graph: "GraphTokenizer") -> None:
    with pytest.raises(InputError, match="texts are"):
        graph.tokenize(["\ud800"])


def test_vocabulary_without_a_needed_token_is_refused(
    make_graph: Callable[..., "GraphTokenizer"],
) -> None:
    with pytest.raises(VocabError, match=r"no \[CLS\]"):
        make_graph(["[UNK]", "[SEP]", "a"])


def test_entry_that_tf_text_cannot_hold_is_refused(
    make_graph: Callable[..., "GraphTokenizer"],
) -> None:
    with pytest.raises(VocabError, match="255 at most"):
        make_graph([*SPECIAL_TOKENS, "я" * 200])
    make_graph([*SPECIAL_TOKENS, "я" * 201, "a"])  # no text matches it, so it may stay


def test_vocabulary_is_given_back(graph: "GraphTokenizer") -> None:
    assert graph.vocab == {token: index for index, token in enumerate(VOCAB)}
    assert graph.vocab_size == len(VOCAB)
    assert graph.do_lower_case
    assert graph.unicode_version == unicodedata.unidata_version


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "do_lower_case"),
    [
        ("bert-base-uncased", True),
        ("bert-base-cased", False),
        ("bert-base-multilingual-cased", False),
        ("bert-base-chinese", True),
    ],
)
def test_ids_equal_the_original(
    make_graph: Callable[..., "GraphTokenizer"],
    shared_data: Path,
    shared_vocab: Callable[[str], Path],
    name: str,
    do_lower_case: bool,
) -> None:
    graph = make_graph(shared_vocab(name), do_lower_case)
    with gzip.open(shared_data / "golden" / "tokenize.jsonl.gz", "rt", encoding="utf-8") as lines:
        _, *rows = map(json.loads, lines)
    # TensorFlow's strings are bytes: a lone surrogate has none.
    rows = [row for row in rows if not any("\ud800" <= char < "\ue000" for char in row["text"])]
    assert len(rows) > 4000
    found = graph.tokenize([row["text"] for row in rows]).to_list()
    wrong = [row["text"] for row, ids in zip(rows, found, strict=True) if ids != row["ids"][name]]
    assert wrong == []
