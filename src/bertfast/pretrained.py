"""Reads the tokenizer of a model folder in Hugging Face's form: vocabulary and settings.

    vocab.txt               the vocabulary, a token a line
    tokenizer.json          the whole tokenizer; its vocabulary counts if there is no vocab.txt
    tokenizer_config.json   settings; where it states one, that wins, as in Hugging Face's code
    special_tokens_map.json names of the special tokens
    added_tokens.json       tokens beyond the vocabulary

Whatever bertfast cannot follow token by token is refused.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from bertfast.errors import InputError, VocabError
from bertfast.files import read_limited
from bertfast.vocab import SPECIAL_TOKENS, UNK_TOKEN, as_vocab, load_vocab

VOCAB_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"

# Names of BERT's tokenizer in Hugging Face's library, which also come with "Fast" behind.
_CLASSES = tuple(
    f"{model}Tokenizer"
    for model in ("Bert", "DistilBert", "Electra", "MobileBert", "SqueezeBert", "ConvBert")
)

_MAX_FILE_BYTES = 1 << 28  # tokenizer.json repeats the vocabulary
_CAPITAL = re.compile(r"[A-Z]")
_BRACKETED = re.compile(r"(##)?[\[<].*[\]>]")  # [UNK], [unused7], <S>: in uncased ones too


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What a folder says: the vocabulary {token: id} and the arguments of `Tokenizer`."""

    vocab: dict[str, int]
    do_lower_case: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool


def read_pretrained(folder: str | PathLike[str], do_lower_case: bool | None) -> Pretrained:
    """Read the tokenizer of `folder`; `do_lower_case` goes before what it says.

    Raises:
        InputError: no such folder, or settings that bertfast does not have.
        VocabError: no vocabulary, or not that of a BERT WordPiece model.
    """
    path = _check_folder(folder)
    config = _read_json(path / CONFIG_FILE)
    tokenizer = _read_json(path / TOKENIZER_FILE)
    if tokenizer:
        _check_tokenizer(tokenizer, path / TOKENIZER_FILE)
    else:
        _check_class(config, path / CONFIG_FILE)
    _check_config(config, path / CONFIG_FILE)
    _check_special_tokens(_read_json(path / SPECIAL_TOKENS_FILE), path / SPECIAL_TOKENS_FILE)
    vocab = _read_vocab(path, tokenizer)
    _check_added_tokens(path, config, tokenizer)
    stated = _Switches(path, config, tokenizer.get("normalizer", {}))
    lower = stated.get("do_lower_case", "lowercase") if do_lower_case is None else do_lower_case
    if lower is None:
        _check_no_capitals(path, vocab)
    chinese = stated.get("tokenize_chinese_chars", "handle_chinese_chars")
    return Pretrained(
        vocab,
        do_lower_case=lower is not False,
        strip_accents=stated.get("strip_accents", "strip_accents"),
        tokenize_chinese_chars=chinese is not False,
    )


def _check_folder(folder: str | PathLike[str]) -> Path:
    path = Path(folder)
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(
            f"{str(path)!r} is a file; from_pretrained reads a folder, Tokenizer a file"
        )
    raise InputError(
        f"no folder {str(path)!r}; from_pretrained reads local folders and downloads nothing: "
        f"download the model first, or give the path of its vocabulary to Tokenizer"
    )


def _read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one if there is no file."""
    try:
        content = json.loads(read_limited(path, _MAX_FILE_BYTES))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object, got {type(content).__name__}")
    return content


def _read_vocab(path: Path, tokenizer: Mapping[str, Any]) -> dict[str, int]:
    listed = tokenizer["model"]["vocab"] if tokenizer else {}
    if not (path / VOCAB_FILE).exists():
        if not tokenizer:
            raise VocabError(f"{path} has neither {VOCAB_FILE} nor {TOKENIZER_FILE}")
        return as_vocab(listed, name=str(path / TOKENIZER_FILE))
    vocab = as_vocab(load_vocab(path / VOCAB_FILE), name=str(path / VOCAB_FILE))
    for token, index in listed.items():
        # A line of vocab.txt is stripped: other tokens cannot be in it.
        if token == token.strip() and vocab.get(token) != index:
            raise VocabError(
                f"{path}: {TOKENIZER_FILE} has {token!r} as id {index!r}, {VOCAB_FILE} as "
                f"{vocab.get(token)!r}; remove the one that the model does not use"
            )
    return vocab


def _check_tokenizer(tokenizer: Mapping[str, Any], path: Path) -> None:
    """Refuse a tokenizer.json that is not BERT's."""
    model = _get_object(tokenizer, "model", path)
    expected = {"type": "WordPiece", "unk_token": UNK_TOKEN, "continuing_subword_prefix": "##"}
    for key, value in expected.items():
        if model.get(key, value) != value:
            raise VocabError(
                f"{path} has the model's {key} {model[key]!r}; a BERT WordPiece model has {value!r}"
            )
    _get_object(model, "vocab", path)
    for key, kind in (("normalizer", "BertNormalizer"), ("pre_tokenizer", "BertPreTokenizer")):
        part = tokenizer.get(key)
        found = part.get("type") if isinstance(part, dict) else part
        if found != kind:
            raise InputError(f"{path} has the {key} {found!r}, not BERT's {kind}")
    if tokenizer["normalizer"].get("clean_text", True) is not True:
        raise InputError(f"{path} has clean_text false; BERT's tokenizer always cleans the text")


def _check_class(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a vocabulary that another tokenizer reads; tokenizer.json would say it better."""
    name = config.get("tokenizer_class")
    if name is not None and str(name).removesuffix("Fast") not in _CLASSES:
        raise VocabError(f"{path} asks for {name!r}, which is not known as BERT's WordPiece")


def _check_config(config: Mapping[str, Any], path: Path) -> None:
    """Refuse settings of tokenizer_config.json under which other tokens come out."""
    if config.get("do_basic_tokenize", True) is not True or config.get("never_split"):
        raise InputError(f"{path} has do_basic_tokenize false or never_split; BERT has neither")
    _check_special_tokens(config, path)


def _check_special_tokens(names: Mapping[str, Any], path: Path) -> None:
    for token in SPECIAL_TOKENS:
        key = f"{token[1:-1].lower()}_token"
        given = names.get(key)
        content = given.get("content") if isinstance(given, Mapping) else given
        if content not in (None, token):
            raise VocabError(f"{path} has {content!r} as {key}; a BERT model has {token!r}")


def _check_added_tokens(
    path: Path, config: Mapping[str, Any], tokenizer: Mapping[str, Any]
) -> None:
    """Refuse tokens beyond BERT's own that Hugging Face finds in texts and bertfast does not."""
    decoder = config.get("added_tokens_decoder") or {}
    entries = [*(tokenizer.get("added_tokens") or ())]
    entries += decoder.values() if isinstance(decoder, dict) else ()
    added = [entry.get("content") for entry in entries if isinstance(entry, dict)]
    added += _read_json(path / ADDED_TOKENS_FILE)
    for token in added:
        if token not in SPECIAL_TOKENS:
            raise InputError(
                f"{path} adds the token {token!r}, which bertfast does not find in texts; "
                f"give the vocabulary to Tokenizer to go without"
            )


@dataclass(frozen=True, slots=True)
class _Switches:
    """What a folder states: in tokenizer_config.json, else in tokenizer.json's normalizer."""

    path: Path
    config: Mapping[str, Any]
    normalizer: Mapping[str, Any]

    def get(self, config_name: str, normalizer_name: str) -> bool | None:
        """Return a switch by its names in the two files; None if it is null or not stated."""
        values, file, name = self.config, CONFIG_FILE, config_name
        if config_name not in values:
            values, file, name = self.normalizer, TOKENIZER_FILE, normalizer_name
        value = values.get(name)
        if value is not None and not isinstance(value, bool):
            raise InputError(f"{self.path / file}: {name} is true, false or null, got {value!r}")
        return value


def _check_no_capitals(path: Path, vocab: Iterable[str]) -> None:
    """Refuse to lower for a vocabulary with capital letters only because nothing forbids it."""
    for token in vocab:
        if _CAPITAL.search(token) and not _BRACKETED.fullmatch(token):
            raise InputError(
                f"{path} does not say whether texts are lowercased, and its vocabulary has "
                f"{token!r}; pass do_lower_case"
            )


def _get_object(values: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = values.get(key)
    if not isinstance(value, dict):
        raise VocabError(f"{path} has no {key}, or one that is no JSON object")
    return value
