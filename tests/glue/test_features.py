"""Features of examples: in batches and one by one, the same."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast.errors import InputError
from bertfast.glue.examples import Example, InputExample, PaddingInputExample, pad_examples
from bertfast.glue.features import _truncate_seq_pair, convert_examples, convert_single_example
from tests.glue.vocabulary import small_tokenizer

TOKENIZER = small_tokenizer()
LABELS = ["no", "yes"]
TEXTS = st.lists(st.sampled_from(["the", "cat", "unaffable", "cats", "x", " ", "\u0300"])).map(
    " ".join
)
EXAMPLES = st.one_of(
    st.just(PaddingInputExample()),
    st.builds(
        InputExample, st.just("id"), TEXTS, st.one_of(st.none(), TEXTS), st.sampled_from(LABELS)
    ),
)


def test_features_of_a_pair_are_laid_out_as_drawn() -> None:
    example = InputExample("dev-1", "The cat sat.", "unaffable", "yes")
    features = convert_single_example(9, example, LABELS, 12, TOKENIZER)
    assert features.input_ids == [2, 5, 6, 8, 15, 3, 11, 12, 13, 3, 0, 0]
    assert features.input_mask == [1] * 10 + [0] * 2
    assert features.segment_ids == [0] * 6 + [1] * 4 + [0] * 2
    assert (features.label_id, features.is_real_example) == (1, True)


@pytest.mark.parametrize(
    ("a", "b", "max_length", "expected"),
    [(5, 4, 6, (3, 3)), (5, 4, 5, (3, 2)), (1, 9, 4, (1, 3)), (9, 1, 4, (3, 1)), (2, 2, 0, (0, 0))],
)
def test_pairs_are_truncated_from_the_longer_and_from_b_on_a_tie(
    a: int, b: int, max_length: int, expected: tuple[int, int]
) -> None:
    tokens_a, tokens_b = list("abcdefghi"[:a]), list("ABCDEFGHI"[:b])
    _truncate_seq_pair(tokens_a, tokens_b, max_length)
    assert (len(tokens_a), len(tokens_b)) == expected
    assert "".join(tokens_a) == "abcdefghi"[: expected[0]]
    assert "".join(tokens_b) == "ABCDEFGHI"[: expected[1]]


@given(st.lists(EXAMPLES, min_size=1, max_size=6), st.integers(3, 14))
def test_a_batch_has_the_features_of_its_examples(
    examples: list[Example], max_seq_length: int
) -> None:
    batch = convert_examples(examples, LABELS, max_seq_length, TOKENIZER)
    assert len(batch) == len(examples)
    for row, example in enumerate(examples):
        one = convert_single_example(5, example, LABELS, max_seq_length, TOKENIZER)
        assert batch.input_ids[row].tolist() == one.input_ids
        assert batch.input_mask[row].tolist() == one.input_mask
        assert batch.segment_ids[row].tolist() == one.segment_ids
        assert batch.label_ids[row] == one.label_id
        assert batch.is_real_example[row] == one.is_real_example


def test_padding_examples_fill_a_batch_with_zeros() -> None:
    examples = pad_examples([InputExample("a", "cat", None, "yes")] * 5, 4)
    assert len(examples) == 8
    batch = convert_examples(examples, LABELS, 6, TOKENIZER)
    assert batch.is_real_example.tolist() == [True] * 5 + [False] * 3
    assert not batch.input_ids[5:].any()
    assert not batch.input_mask[5:].any()
    assert batch.label_ids.tolist() == [1] * 5 + [0] * 3
    assert len(pad_examples(examples, 4)) == 8
    with pytest.raises(InputError, match="batch_size is a positive integer, got 0"):
        pad_examples(examples, 0)


@pytest.mark.parametrize("label", ["maybe", None])
def test_an_unknown_label_is_refused(label: str | None) -> None:
    example = InputExample("dev-7", "cat", None, label)
    message = f"example 'dev-7' has the unknown label {label!r}; the labels are 'no', 'yes'"
    with pytest.raises(InputError, match=message):
        convert_examples([example], LABELS, 8, TOKENIZER)
    with pytest.raises(InputError, match=message):
        convert_single_example(0, example, LABELS, 8, TOKENIZER)


def test_too_short_a_length_is_refused() -> None:
    pair = InputExample("dev-1", "cat", "dog", "yes")
    for convert in (
        lambda: convert_examples([pair], LABELS, 2, TOKENIZER),
        lambda: convert_single_example(0, pair, LABELS, 2, TOKENIZER),
    ):
        with pytest.raises(InputError, match="max_length=2 is too small for a pair of texts"):
            convert()
    single = InputExample("dev-1", "cat", None, "yes")
    assert convert_single_example(0, single, LABELS, 2, TOKENIZER).input_ids == [2, 3]


def test_the_first_five_examples_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    example = InputExample("dev-1", "The cat", "sat", "yes")
    with caplog.at_level(logging.INFO, logger="bertfast.glue.features"):
        convert_single_example(4, example, LABELS, 8, TOKENIZER)
        assert caplog.messages == [
            "*** Example ***",
            "guid: dev-1",
            "tokens: [CLS] the cat [SEP] sat [SEP]",
            "input_ids: 2 5 6 3 8 3 0 0",
            "input_mask: 1 1 1 1 1 1 0 0",
            "segment_ids: 0 0 0 0 1 1 0 0",
            "label: yes (id = 1)",
        ]
        caplog.clear()
        convert_single_example(5, example, LABELS, 8, TOKENIZER)
        assert caplog.messages == []
