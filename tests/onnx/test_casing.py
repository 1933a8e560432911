"""Whether texts are lowercased: who decides, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from bertfast.errors import ExportError
from bertfast.onnx.casing import check_tokenizer_config, decide_do_lower_case, first_capitalised
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "asks for BertJapaneseTokenizer"),
        ({"tokenize_chinese_chars": False}, "always splits Chinese characters"),
        ({"strip_accents": False}, "strip_accents False with do_lower_case True"),
    ],
)
def test_tokenizer_settings_that_are_not_the_originals_are_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        check_tokenizer_config(values, True)


def test_tokenizer_settings_that_change_nothing_are_accepted() -> None:
    check_tokenizer_config({}, True)
    check_tokenizer_config({"strip_accents": True, "tokenize_chinese_chars": True}, True)
    check_tokenizer_config({"strip_accents": False, "tokenizer_class": "BertTokenizer"}, False)
    check_tokenizer_config({"strip_accents": None}, True)
