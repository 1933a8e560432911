"""Vocabularies: read from a file, a sequence or a mapping, and checked once."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias

from bertfast.errors import VocabError
from bertfast.files import read_limited

UNK_TOKEN = "[UNK]"
CLS_TOKEN = "[CLS]"
SEP_TOKEN = "[SEP]"
SPECIAL_TOKENS = ("[PAD]", UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, "[MASK]")
PAD_ID = 0  # the original pads input_ids with 0 whatever [PAD] is

VocabSource: TypeAlias = str | PathLike[str] | Sequence[str] | Mapping[str, int]

_MAX_ID = 2**31 - 1
_MAX_FILE_BYTES = 1 << 28  # the largest vocabulary in use, of 500,000 tokens, has 5 MB


def load_vocab(vocab_file: str | PathLike[str]) -> dict[str, int]:
    """Read a vocabulary file: UTF-8, one token a line, ids by line number from 0.

    Lines end at a line feed only, each token is stripped, and of equal tokens the last
    line wins. Twin of `bertfast.reference.load_vocab`, with errors that name the line.

    Raises:
        VocabError: no such file, not UTF-8, or empty.
    """
    path = Path(vocab_file)
    try:
        data = read_limited(path, _MAX_FILE_BYTES)
    except OSError as error:
        raise VocabError(f"cannot read vocabulary {str(path)!r}: {error.strerror}") from error
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise VocabError(f"{path} line {line}: not UTF-8 ({error.reason})") from error
    if not lines[-1]:
        lines.pop()  # the end of the last line, not a line
    if not lines:
        raise VocabError(f"vocabulary {str(path)!r} is empty; give one token a line")
    return dict(zip(map(str.strip, lines), range(len(lines)), strict=True))


def as_vocab(source: VocabSource, *, name: str | None = None) -> dict[str, int]:
    """Return `source` (path, sequence of tokens, or mapping) as a checked {token: id}.

    Tokens of a sequence or a mapping are taken as they are; a sequence gives ids by position.
    Errors call the vocabulary `name`, if that is given.

    Raises:
        VocabError: unreadable, wrong types, or without [UNK], [CLS] or [SEP].
    """
    if isinstance(source, str | PathLike):
        vocab = load_vocab(source)
        _check_special(vocab, fspath(source) if name is None else name)
        return vocab  # whose types and ids are right by its making
    if isinstance(source, Mapping):
        vocab, kind = dict(source), "the given mapping"
    elif isinstance(source, Sequence):
        vocab, kind = {token: index for index, token in enumerate(source)}, "the given sequence"
    else:
        raise VocabError(
            f"a vocabulary is a path, a sequence of tokens or a mapping from token to id, "
            f"got {type(source).__name__}"
        )
    name = kind if name is None else name
    _check_types(vocab, name)
    if len(set(vocab.values())) < len(vocab):
        raise VocabError(f"vocabulary {name!r} gives one id to several tokens")
    _check_special(vocab, name)
    return vocab


def _check_special(vocab: Mapping[str, int], name: str) -> None:
    missing = [token for token in (UNK_TOKEN, CLS_TOKEN, SEP_TOKEN) if token not in vocab]
    if missing:
        raise VocabError(f"vocabulary {name!r} has no {' and no '.join(missing)}; BERT needs them")


def _check_types(vocab: Mapping[str, int], name: str) -> None:
    for token, index in vocab.items():
        if not isinstance(token, str):
            raise VocabError(
                f"vocabulary {name!r}: tokens are str, got {type(token).__name__} at id {index}"
            )
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= _MAX_ID:
            raise VocabError(
                f"vocabulary {name!r}: the id of {token!r} must be an integer from 0 to "
                f"{_MAX_ID}, got {index!r}"
            )
