"""The original's names stay importable and give the original's results."""

from pathlib import Path

import pytest

import bertfast
from bertfast import reference, tokenization
from tests.tokenizer.vocabulary import small_vocab

NAMES = [
    *("FullTokenizer", "BasicTokenizer", "WordpieceTokenizer", "load_vocab"),
    *("convert_to_unicode", "printable_text", "validate_case_matches_checkpoint"),
]


@pytest.mark.parametrize("name", NAMES)
def test_name_is_importable_from_the_package_and_from_tokenization(name: str) -> None:
    assert getattr(bertfast, name) is getattr(tokenization, name)
    assert name in dir(bertfast)


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_full_tokenizer_equals_the_reference(tmp_path: Path, do_lower_case: bool) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(small_vocab()), encoding="utf-8")
    ours = tokenization.FullTokenizer(str(path), do_lower_case)
    theirs = reference.FullTokenizer(str(path), do_lower_case)
    assert dict(ours.vocab) == dict(theirs.vocab)
    assert dict(ours.inv_vocab) == dict(theirs.inv_vocab)
    for text in ("Unaffable Café 大学!", b"caf\xc3\xa9\xff", "", "x" * 300):
        pieces = theirs.tokenize(text)
        assert ours.tokenize(text) == pieces
        assert ours.convert_tokens_to_ids(pieces) == theirs.convert_tokens_to_ids(pieces)
        ids = theirs.convert_tokens_to_ids(pieces)
        assert ours.convert_ids_to_tokens(ids) == pieces
    with pytest.raises(KeyError):
        ours.convert_tokens_to_ids(["no such token"])


def test_basic_and_wordpiece_tokenizers_work_alone() -> None:
    basic = tokenization.BasicTokenizer(do_lower_case=True)
    assert basic.tokenize("ΑΣ, 大学") == ["ας", ",", "大", "学"]
    wordpiece = tokenization.WordpieceTokenizer({"[UNK]": 0, "a": 1, "##b": 2})
    assert wordpiece.tokenize("ab ba") == ["a", "##b", "[UNK]"]
    short = tokenization.WordpieceTokenizer(
        {"a": 1, "##a": 2}, unk_token="<unk>", max_input_chars_per_word=3
    )
    assert short.tokenize("aaa aaaa") == ["a", "##a", "##a", "<unk>"]


@pytest.mark.parametrize("value", ["é", "é".encode(), b"\xc3\xa9\xff"])
def test_text_converts_to_unicode(value: str | bytes) -> None:
    assert tokenization.convert_to_unicode(value) == "é"
    assert tokenization.printable_text(value) == "é"


def test_conversion_refuses_other_types() -> None:
    with pytest.raises(ValueError, match="Unsupported string type"):
        tokenization.convert_to_unicode(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("do_lower_case", "path"),
    [
        (True, "/models/uncased_L-12_H-768_A-12/bert_model.ckpt"),
        (True, "gs://bert/chinese_L-12_H-768_A-12/bert_model.ckpt"),
        (False, "multi_cased_L-12_H-768_A-12/bert_model.ckpt"),
        (False, "cased_L-24_H-1024_A-16/bert_model.ckpt"),
        (False, "/somewhere/else/bert_model.ckpt"),
        (True, "model.ckpt"),
        (True, ""),
        (True, None),
    ],
)
def test_casing_that_fits_the_checkpoint_is_accepted(do_lower_case: bool, path: str | None) -> None:
    tokenization.validate_case_matches_checkpoint(do_lower_case, path)


@pytest.mark.parametrize(
    ("do_lower_case", "path"),
    [
        (False, "/models/uncased_L-12_H-768_A-12/bert_model.ckpt"),
        (False, "multilingual_L-12_H-768_A-12/bert_model.ckpt"),
        (True, "multi_cased_L-12_H-768_A-12/bert_model.ckpt"),
        (True, "cased_L-12_H-768_A-12/bert_model.ckpt"),
    ],
)
def test_casing_that_contradicts_the_checkpoint_is_refused(do_lower_case: bool, path: str) -> None:
    with pytest.raises(ValueError, match=f"do_lower_case={do_lower_case}"):
        tokenization.validate_case_matches_checkpoint(do_lower_case, path)
