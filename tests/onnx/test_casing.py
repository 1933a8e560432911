"""Whether texts are lowercased: who decides, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from bertfast.errors import ExportError
from bertfast.onnx.casing import (
    check_tokenizer_config,
    decide_do_lower_case,
    decide_switch,
    first_capitalised,
)
from bertfast.vocab import load_vocab

UNCASED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[unused1]", "<S>", "paris", "##s"]
CASED = [*UNCASED, "Paris"]


@pytest.mark.parametrize(
    ("given", "tokenizer_config", "name", "vocab", "expected"),
    [
        (False, {"do_lower_case": True}, "uncased", UNCASED, (False, "the caller")),
        (True, {}, "cased", CASED, (True, "the caller")),
        (None, {"do_lower_case": False}, "uncased", UNCASED, (False, "tokenizer_config.json")),
        (None, {"do_lower_case": None}, "x", CASED, (False, "the vocabulary")),
        (None, {}, "uncased_L-12_H-768_A-12", UNCASED, (True, "the directory's name")),
        (None, {}, "multi_cased_L-12_H-768_A-12", CASED, (False, "the directory's name")),
        (None, {}, "BERT-Base-Cased", CASED, (False, "the directory's name")),
        (None, {}, "chinese_L-12_H-768_A-12", UNCASED, (True, "the vocabulary")),
        (None, {}, "my_model", CASED, (False, "the vocabulary")),
    ],
)
def test_casing_is_decided_in_order(
    given: bool | None,
    tokenizer_config: dict[str, Any],
    name: str,
    vocab: list[str],
    expected: tuple[bool, str],
) -> None:
    assert decide_do_lower_case(given, tokenizer_config, name, vocab) == expected


@pytest.mark.parametrize(
    ("name", "vocab", "message"),
    [
        ("uncased_L-2", CASED, "'uncased_L-2' says uncased, but the vocabulary has 'Paris'"),
        ("cased_L-2", UNCASED, "'cased_L-2' says cased, but the vocabulary has no capital"),
    ],
)
def test_casing_of_contradicting_name_is_asked_for(
    name: str, vocab: list[str], message: str
) -> None:
    with pytest.raises(ExportError, match=message + ".*; pass --do-lower-case or --cased"):
        decide_do_lower_case(None, {}, name, vocab)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "is_cased"),
    [
        ("bert-base-uncased", False),
        ("bert-base-cased", True),
        ("bert-base-multilingual-cased", True),
        ("bert-base-chinese", False),
    ],
)
def test_casing_of_googles_vocabularies_shows(shared_data: Path, name: str, is_cased: bool) -> None:
    vocab = load_vocab(shared_data / "vocab" / f"{name}.txt")
    assert (first_capitalised(vocab) is not None) is is_cased


def test_tokenizer_that_is_not_berts_is_refused() -> None:
    with pytest.raises(ExportError, match="asks for BertJapaneseTokenizer"):
        check_tokenizer_config({"tokenizer_class": "BertJapaneseTokenizer"})
    check_tokenizer_config({"tokenizer_class": "BertTokenizer"})
    check_tokenizer_config({})


@pytest.mark.parametrize(
    ("given", "values", "decided"),
    [
        (None, {}, None),
        (None, {"strip_accents": None}, None),
        (None, {"strip_accents": False}, False),
        (None, {"strip_accents": True}, True),
        (True, {"strip_accents": False}, True),
        (False, {}, False),
    ],
)
def test_caller_goes_before_the_file(
    given: bool | None, values: dict[str, Any], decided: bool | None
) -> None:
    assert decide_switch(given, values, "strip_accents") is decided


def test_switch_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(ExportError, match="strip_accents 'no', not true, false or null"):
        decide_switch(None, {"strip_accents": "no"}, "strip_accents")
