"""Pretraining instances: the original's for a seed, and what every instance must be."""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer
from bertfast.errors import InputError, VocabError
from bertfast.glue.pretraining import (
    TrainingInstance,
    create_masked_lm_predictions,
    create_training_instances,
    read_documents,
    truncate_seq_pair,
)
from tests.glue.vocabulary import TOKENS, WORDS, small_tokenizer

TEXT = """The cat sat.
The unaffable dogs ran, the cats sat.

 \t
The dog sat, the dog ran.
Unaffable.
The mat.


The mat, the mats, the mats.
"""


def write_text(folder: Path, text: str = TEXT) -> Path:
    path = folder / "text.txt"
    path.write_text(text, encoding="utf-8")
    return path


def create(path: Path, seed: int = 1, **changes: Any) -> list[TrainingInstance]:
    options = {
        "max_seq_length": 16,
        "dupe_factor": 20,
        "short_seq_prob": 0.3,
        "masked_lm_prob": 0.3,
        "max_predictions_per_seq": 4,
    } | changes
    return create_training_instances([path], small_tokenizer(), rng=random.Random(seed), **options)


@pytest.mark.shared
def test_instances_are_those_of_the_original(
    shared_data: Path, shared_vocab: Callable[[str], Path]
) -> None:
    groups: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    with gzip.open(shared_data / "golden" / "pretraining.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if "config" in row:
                groups.append((row["config"], []))
            else:
                groups[-1][1].append(row)
    assert [config["do_whole_word_mask"] for config, _ in groups] == [False, True]
    for config, expected in groups:
        vocab, seed = shared_vocab(config.pop("vocab")), config.pop("random_seed")
        tokenizer = Tokenizer(vocab, do_lower_case=config.pop("do_lower_case"))
        assert config.pop("instances") == len(expected) > 0
        instances = create_training_instances(
            [shared_data / "corpora" / "sample_text.txt"],
            tokenizer,
            rng=random.Random(seed),
            **config,
        )
        assert [asdict(instance) for instance in instances] == expected


def test_blank_lines_part_documents_and_ends_of_files_do_not(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("\ncat.\n\u00a0\ndog\r\n\u0300\n", encoding="utf-8")
    second.write_text("sat", encoding="utf-8")
    documents = read_documents([first, second], small_tokenizer())
    assert documents == [[["cat", "."]], [["dog"], ["sat"]]]


@pytest.mark.parametrize("do_whole_word_mask", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_every_instance_is_a_masked_pair(
    tmp_path: Path, seed: int, do_whole_word_mask: bool
) -> None:
    path = write_text(tmp_path)
    sentences = {
        tuple(s) for document in read_documents([path], small_tokenizer()) for s in document
    }
    instances = create(path, seed, do_whole_word_mask=do_whole_word_mask)
    assert len(instances) > 40
    assert {instance.is_random_next for instance in instances} == {False, True}
    for instance in instances:
        assert len(instance.tokens) == len(instance.segment_ids) <= 16
        assert instance.masked_lm_positions == sorted(set(instance.masked_lm_positions))
        original = list(instance.tokens)
        for position, label in zip(
            instance.masked_lm_positions, instance.masked_lm_labels, strict=True
        ):
            assert instance.tokens[position] in (*TOKENS, label)
            original[position] = label
        first = original.index("[SEP]")
        assert (original[0], original[-1]) == ("[CLS]", "[SEP]")
        assert original.count("[SEP]") == 2
        expected = [0] * (first + 1) + [1] * (len(original) - first - 1)
        assert instance.segment_ids == expected
        assert min(first - 1, len(original) - first - 2) >= 1
        if len(original) < 16 and not instance.is_random_next:
            assert any(tuple(original[1 : 1 + n]) in sentences for n in range(first))


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    path = write_text(tmp_path)
    assert create(path, 7) == create(path, 7)
    assert create(path, 7) != create(path, 8)


def test_one_document_is_its_own_random_next(tmp_path: Path) -> None:
    instances = create(write_text(tmp_path, "The cat sat.\n"), dupe_factor=1)
    assert [instance.is_random_next for instance in instances] == [True]


def test_progress_is_told_of_each_document(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    create(
        write_text(tmp_path),
        dupe_factor=2,
        on_progress=lambda used, total: calls.append((used, total)),
    )
    assert calls == [(used, 6) for used in range(1, 7)]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30), st.integers(0, 99))
def test_masking_replaces_a_share_of_the_tokens(words: list[str], seed: int) -> None:
    tokens = ["[CLS]", *words, "[SEP]"]
    for whole in (False, True):
        masked, positions, labels = create_masked_lm_predictions(
            tokens, 0.15, 5, TOKENS, random.Random(seed), do_whole_word_mask=whole
        )
        wanted = min(5, max(1, round(len(tokens) * 0.15)))
        assert len(positions) <= wanted
        if not whole:
            assert len(positions) == wanted
        assert labels == [tokens[position] for position in positions]
        assert positions == sorted(set(positions))
        assert {0, len(tokens) - 1}.isdisjoint(positions)
        rest = set(range(len(tokens))) - set(positions)
        assert all(masked[position] == tokens[position] for position in rest)


def test_whole_words_are_masked_or_left() -> None:
    tokens = ["[CLS]", "un", "##aff", "##able", "cat", "##s", "sat", "[SEP]"]
    words = [{1, 2, 3}, {4, 5}, {6}]
    seen = set()
    for seed in range(50):
        _, positions, _ = create_masked_lm_predictions(
            tokens, 0.4, 9, TOKENS, random.Random(seed), do_whole_word_mask=True
        )
        taken = [word for word in words if word & set(positions)]
        assert set().union(*taken) == set(positions)
        seen.add(tuple(positions))
    assert {(1, 2, 3), (4, 5, 6)} <= seen  # three of eight tokens at 0.4


def test_masks_are_four_fifths_mask_and_half_of_the_rest_random() -> None:
    tokens = ["[CLS]", *["cat"] * 20_000, "[SEP]"]
    masked, positions, _ = create_masked_lm_predictions(
        tokens, 1.0, 10_000, ["dog"], random.Random(3)
    )
    taken = [masked[position] for position in positions]
    assert len(taken) == 10_000
    assert taken.count("[MASK]") == pytest.approx(8000, abs=160)  # four standard deviations
    assert taken.count("cat") == pytest.approx(1000, abs=120)
    assert taken.count("dog") == pytest.approx(1000, abs=120)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 12), st.integers(0, 99))
def test_truncation_draws_once_a_token_and_keeps_what_is_between(
    length_a: int, length_b: int, max_num_tokens: int, seed: int
) -> None:
    tokens_a, tokens_b = list("abcdefghi"[:length_a]), list("ABCDEFGHI"[:length_b])
    expected_a, expected_b = list(tokens_a), list(tokens_b)
    ours, plain = random.Random(seed), random.Random(seed)
    truncate_seq_pair(tokens_a, tokens_b, max_num_tokens, ours)
    while len(expected_a) + len(expected_b) > max_num_tokens:  # the rule, word for word
        longer = expected_a if len(expected_a) > len(expected_b) else expected_b
        longer.pop(0 if plain.random() < 0.5 else -1)
    assert (tokens_a, tokens_b) == (expected_a, expected_b)
    assert ours.random() == plain.random()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_seq_length": 4}, "max_seq_length=4 is too small: at least 5"),
        ({"dupe_factor": 0}, "dupe_factor and max_predictions_per_seq are at least 1, got 0 and 4"),
        ({"max_predictions_per_seq": 0}, "are at least 1, got 20 and 0"),
        ({"short_seq_prob": -0.1}, "short_seq_prob is from 0 to 1, got -0.1"),
        ({"masked_lm_prob": 15}, "masked_lm_prob is from 0 to 1, got 15"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        create(write_text(tmp_path), **changes)


def test_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no text in .*text\.txt"):
        create(write_text(tmp_path, "\n \n\u0300\n"))
    with pytest.raises(InputError, match=r"cannot read .*none\.txt"):
        create(tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"cat\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"bad\.txt line 2: not UTF-8"):
        create(tmp_path / "bad.txt")


def test_a_vocabulary_without_mask_is_refused(tmp_path: Path) -> None:
    tokenizer = Tokenizer([token for token in TOKENS if token != "[MASK]"])
    with pytest.raises(VocabError, match=r"the vocabulary has no \[MASK\]"):
        create_training_instances(
            [write_text(tmp_path)], tokenizer, 16, 1, 0.1, 0.15, 4, random.Random(1)
        )
