"""Decides what a model's tokenizer does with texts, and says by what."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bertfast.errors import ExportError

_BRACKETED = re.compile(r"(##)?[\[<].*[\]>]")  # [UNK], [unused7], <S>: in uncased ones too
_CAPITAL = re.compile(r"[A-Z]")
_ASK = "pass --do-lower-case or --cased"

# Hugging Face's names of the original's tokenizer; the last is any that tokenizer.json describes.
_TOKENIZERS = ("BertTokenizer", "BertTokenizerFast", "TokenizersBackend")


def decide_do_lower_case(
    given: bool | None,
    tokenizer_config: Mapping[str, Any],
    model_name: str,
    vocab: Iterable[str],
) -> tuple[bool, str]:
    """Return `do_lower_case` and what decided it.

    In this order: the caller; Hugging Face's tokenizer_config.json; "cased" or "uncased" in the
    name of the model's directory; the vocabulary: an uncased one has no capital letters.

    Raises:
        ExportError: the directory's name and the vocabulary contradict each other.
    """
    if given is not None:
        return given, "the caller"
    stated = tokenizer_config.get("do_lower_case")
    if isinstance(stated, bool):
        return stated, "tokenizer_config.json"
    capitalised = first_capitalised(vocab)
    lowered = model_name.lower()
    if "cased" not in lowered:
        return capitalised is None, "the vocabulary"
    by_name = "uncased" in lowered
    if by_name and capitalised is not None:
        raise ExportError(
            f"the directory {model_name!r} says uncased, but the vocabulary has "
            f"{capitalised!r}; {_ASK}"
        )
    if not by_name and capitalised is None:
        raise ExportError(
            f"the directory {model_name!r} says cased, but the vocabulary has no capital "
            f"letter; {_ASK}"
        )
    return by_name, "the directory's name"


def first_capitalised(vocab: Iterable[str]) -> str | None:
    """Return the first token with a capital ASCII letter, markers such as [CLS] aside.

    >>> first_capitalised(["[CLS]", "<S>", "paris", "##S"])
    '##S'
    """
    return next(
        (token for token in vocab if _CAPITAL.search(token) and not _BRACKETED.fullmatch(token)),
        None,
    )


def decide_switch(
    given: bool | None, tokenizer_config: Mapping[str, Any], name: str
) -> bool | None:
    """Return one of Hugging Face's switches: the caller's, else the file's, else None.

    Raises:
        ExportError: the file has something else than true, false or null there.

    Example:
        >>> decide_switch(None, {"strip_accents": False}, "strip_accents")
        False
    """
    if given is not None:
        return given
    stated = tokenizer_config.get(name)
    if stated is None or isinstance(stated, bool):
        return stated
    raise ExportError(f"tokenizer_config.json has {name} {stated!r}, not true, false or null")


def check_tokenizer_config(values: Mapping[str, Any]) -> None:
    """Refuse tokenizers that are not BERT's.

    Raises:
        ExportError: the model was trained on other tokens than ours would be.
    """
    kind = values.get("tokenizer_class")
    if kind is not None and kind not in _TOKENIZERS:
        raise ExportError(f"tokenizer_config.json asks for {kind}, which is not BERT's WordPiece")
