"""Texts, checks, plans, arithmetic and processes of `bertfast benchmark predict`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.benchmark.corpora import generated_corpora
from bertfast.benchmark.predict.batches import by_length, in_order, pad, pool
from bertfast.benchmark.predict.checking import compare
from bertfast.benchmark.predict.processes import Process, WorkerError
from bertfast.benchmark.predict.texts import (
    count_tokens,
    generate_texts,
    read_input,
    text_of_length,
)
from bertfast.benchmark.predict.work import best_rate, useful_flops
from bertfast.benchmark.vocabulary import derive_vocabulary
from bertfast.config import BertConfig
from bertfast.errors import InputError


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """A tokenizer with the vocabulary of the English corpus."""
    english = generated_corpora(200_000)[0]
    return Tokenizer(derive_vocabulary(english.texts, do_lower_case=True))


def test_generated_texts_are_distinct_and_vary_in_length(tokenizer: Tokenizer) -> None:
    texts = generate_texts(400, tokenizer)
    lengths = count_tokens(tokenizer, texts)
    assert len(set(texts)) == len(texts) == 400
    assert (lengths.min() >= 7) and (lengths.max() <= 192)
    assert lengths.min() < 12 and lengths.max() > 140
    assert 0.5 < lengths.std() / lengths.mean() < 1.0
    assert texts == generate_texts(400, tokenizer)


def test_short_text_has_the_length_asked_for(tokenizer: Tokenizer) -> None:
    text = text_of_length(generate_texts(5, tokenizer), tokenizer)
    assert 18 <= count_tokens(tokenizer, [text])[0] <= 20


def test_input_is_sampled_evenly_without_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("a\n\n \nb\nc\nd\ne\n", encoding="utf-8")
    assert read_input(path, 3) == ["a", "c", "e"]
    assert read_input(path, 100) == ["a", "b", "c", "d", "e"]
    path.write_text(" \n \n", encoding="utf-8")
    with pytest.raises(InputError, match="only blank lines"):
        read_input(path, 3)


def unit_rows(n: int, seed: int = 0) -> Any:
    rows = np.random.default_rng(seed).standard_normal((n, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_equal_embeddings_agree() -> None:
    rows = unit_rows(200)
    agreement = compare(rows + np.float32(1e-6), rows, "fp32")
    assert (agreement.problem, agreement.n_different) == ("", 0)


def test_one_text_in_a_hundred_may_differ() -> None:
    rows = unit_rows(200)
    given = rows.copy()
    given[:2] = unit_rows(2, seed=1)
    agreement = compare(given, rows, "fp32")
    assert (agreement.problem, agreement.n_different) == ("", 2)
    given[2] = unit_rows(1, seed=2)[0]
    assert compare(given, rows, "fp32").problem.startswith("3 of 200 texts differ")


def test_coarse_int8_agrees_and_broken_int8_does_not() -> None:
    rows = unit_rows(200)
    coarse = rows + np.float32(0.02) * unit_rows(200, seed=1)
    coarse /= np.linalg.norm(coarse, axis=1, keepdims=True)
    assert compare(coarse, rows, "int8").problem == ""
    assert "below 0.95" in compare(unit_rows(200, seed=1), rows, "int8").problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: 3 * rows, "lengths up to 3, not 1"),
        (lambda rows: rows[:-1], r"embeddings are [199, 16], not [200, 16]"),
        (lambda rows: np.full_like(rows, np.nan), "lengths up to nan, not 1"),
    ],
)
def test_embeddings_of_another_form_are_a_problem(
    change: Callable[[Any], Any], problem: str
) -> None:
    rows = unit_rows(200)
    assert problem in compare(change(rows), rows, "fp32").problem


def test_plans_hold_every_row_once() -> None:
    lengths = np.array([3, 9, 4, 4, 1])
    for plan in (in_order, by_length):
        assert sorted(np.concatenate(plan(lengths, 2)).tolist()) == [0, 1, 2, 3, 4]


def test_pooling_ignores_padding_and_gives_length_one() -> None:
    ids, mask = pad([[5], [6, 7, 8]], np.array([0, 1]), np.int64)
    assert ids.tolist() == [[5, 0, 0], [6, 7, 8]]
    vectors = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    pooled = pool(vectors, mask)
    assert pooled[0] == pytest.approx(vectors[0, 0] / np.linalg.norm(vectors[0, 0]), abs=1e-6)
    mean = vectors[1].mean(0)
    assert pooled[1] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_useful_flops_count_kernels_and_attention() -> None:
    config = BertConfig(
        vocab_size=10,
        hidden_size=4,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=6,
    )
    per_token = 2 * (4 * 4 * 4 + 2 * 4 * 6)
    expected = 2 * (3 * per_token + 4 * 4 * (1 * 1 + 2 * 2))
    assert useful_flops(config, np.array([1, 2])) == expected


def test_rate_of_products_is_positive() -> None:
    assert best_rate(((64, 64, 64),), tries=1) > 0


def test_worker_answers_errors_and_goes_on() -> None:
    with Process(1) as process:
        with pytest.raises(WorkerError, match="RuntimeError: no model is loaded"):
            process.ask("time", batch=1)
        assert process.ask("peak")["mb"] > 5
