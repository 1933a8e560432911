"""Prepares a vocabulary for the graph: what each character becomes, which entries can match.

TF-Text's FastWordpieceTokenizer splits words by its own idea of punctuation, which is the
law's for ASCII and CJK only. So that it never disagrees, our character table surrounds every
other separator with spaces and hides what could be taken for one inside a word, say "€",
behind a private-use code point, in texts and in vocabulary entries alike. Characters that no
entry holds become U+0001, which no text can have: their words are unknown anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import VocabError
from bertfast.tf.characters import (
    FINAL_SIGMA,
    MAX_INPUT_CHARS_PER_WORD,
    N_CODE_POINTS,
    Bools,
    Characters,
    read_characters,
)
from bertfast.vocab import UNK_TOKEN

UNKNOWN = "\x01"  # any character that no entry holds
NEVER = "\x02"  # an entry that no text matches

_PREFIX = "##"
_SURROGATES = slice(0xD800, 0xE000)
_PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
_MAX_ENTRY_BYTES = 255  # what FastWordpieceTokenizer takes, "##" not counted


@dataclass(frozen=True, slots=True, eq=False)
class GraphVocab:
    """A vocabulary in the graph's own characters.

    Attributes:
        entries: distinct tokens that texts can match, [UNK] and at least one more.
        tokens: the token that each entry stands for.
        ids: int32 [entries]; the id of each.
        strings: what characters become; strings[0] stands for themselves.
        values: int32 [N_CODE_POINTS]; index in `strings` for each code point.
        known: bool [N_CODE_POINTS]; characters that some entry holds.
        hidden: {code point: the private-use one that stands for it}.
    """

    entries: tuple[str, ...]
    tokens: tuple[str, ...]
    ids: NDArray[np.int32]
    strings: tuple[str, ...]
    values: NDArray[np.int32]
    known: Bools
    hidden: Mapping[int, int]


def prepare_vocab(vocab: Mapping[str, int], *, do_lower_case: bool) -> GraphVocab:
    """Return what the graph needs of a checked vocabulary {token: id}.

    Raises:
        VocabError: an entry that texts can match is longer than TF-Text takes, or there are
            more symbols than private-use code points.
    """
    characters = read_characters(do_lower_case=do_lower_case)
    letters, alone = _produced(do_lower_case=do_lower_case)
    usable = [token for token in vocab if _can_match(token, letters, alone)]
    known = np.zeros(N_CODE_POINTS, np.bool_)
    known[[ord(char) for char in set("".join(map(_body, usable)))]] = True
    hidden = _hide(known & letters & (~characters.safe | characters.cjk), known)
    table = {code_point: chr(other) for code_point, other in hidden.items()}
    entries = [token.translate(table) for token in usable]
    _check_sizes(usable, entries)
    tokens = [*usable, UNK_TOKEN, UNK_TOKEN]
    strings, values = _tabulate(characters, known, table)
    return GraphVocab(
        # With NEVER there is something to match, whatever the vocabulary.
        entries=(*entries, UNK_TOKEN, NEVER),
        tokens=tuple(tokens),
        ids=np.array([vocab[token] for token in tokens], np.int32),
        strings=tuple(strings),
        values=values,
        known=known,
        hidden=hidden,
    )


def splitting_characters(characters: Characters) -> Bools:
    """Return which characters TF-Text makes words of their own as the law does.

    Source: tensorflow/text fast_wordpiece_tokenizer_utils.h, IsPunctuationOrChineseChar.
    """
    result = characters.cjk.copy()
    result[:0x80] = characters.punctuation[:0x80]
    return result


@cache
def _produced(*, do_lower_case: bool) -> tuple[Bools, Bools]:
    """Return which characters texts have inside words, and which as words of their own."""
    characters = read_characters(do_lower_case=do_lower_case)
    parts = characters.plain.parts
    source = np.repeat(np.arange(N_CODE_POINTS), np.diff(characters.plain.starts))
    is_word = characters.punctuation[parts] | characters.cjk[source]
    letters, alone = np.zeros((2, N_CODE_POINTS), np.bool_)
    letters[parts[~is_word & ~characters.space[source]]] = True
    letters[FINAL_SIGMA] = True
    letters[_SURROGATES] = False
    alone[parts[is_word]] = True
    return letters, alone


def _body(token: str) -> str:
    return token[len(_PREFIX) :] if token.startswith(_PREFIX) else token


def _can_match(token: str, letters: Bools, alone: Bools) -> bool:
    body = _body(token)
    if not 0 < len(body) <= MAX_INPUT_CHARS_PER_WORD:
        return False
    if len(token) == 1 and alone[ord(token)]:
        return True
    return all(letters[ord(char)] for char in body)


def _hide(at_risk: Bools, known: Bools) -> dict[int, int]:
    """Give each code point of `at_risk` a private-use one that is not `known`."""
    code_points = np.flatnonzero(at_risk).tolist()
    free = [other for block in _PRIVATE_USE for other in block if not known[other]]
    if len(code_points) > len(free):
        raise VocabError(
            f"the vocabulary has {len(code_points)} symbols; the graph has room for {len(free)}"
        )
    return dict(zip(code_points, free, strict=False))


def _check_sizes(usable: Sequence[str], entries: Sequence[str]) -> None:
    for token, entry in zip(usable, entries, strict=True):
        n_bytes = len(_body(entry).encode())
        if n_bytes > _MAX_ENTRY_BYTES:
            raise VocabError(
                f"the vocabulary's token {token[:20]!r}... takes {n_bytes} bytes in the graph; "
                f"TF-Text takes {_MAX_ENTRY_BYTES} at most"
            )


def _tabulate(
    characters: Characters, known: Bools, table: Mapping[int, str]
) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct strings that code points become, and which one each becomes.

    Whole classes at once: what is dropped, spaces, characters of which nothing is known and
    those that stay as they are. The rest, some ten thousand, one by one.
    """
    index = {"": 1, " ": 2, UNKNOWN: 3, f" {UNKNOWN} ": 4}
    starts, parts = characters.plain.starts, characters.plain.parts
    lengths = np.diff(starts)
    target = parts[np.minimum(starts[:-1], len(parts) - 1)]  # counts if the length is 1
    is_same = (lengths == 1) & (target == np.arange(N_CODE_POINTS))
    apart = characters.punctuation[target] | characters.cjk
    shown = known.copy()
    shown[list(table)] = False
    classes = [
        is_same & (target == ord(" ")),
        characters.space,
        lengths == 0,
        is_same & splitting_characters(characters),
        (lengths == 1) & ~known[target],
        is_same & shown[target] & ~apart,
    ]
    values = np.select(classes, [0, 2, 1, 0, np.where(apart, 4, 3), 0], -1).astype(np.int32)
    values[_SURROGATES] = 0
    for code_point in np.flatnonzero(values < 0).tolist():
        string = "".join(_emit(characters, known, table, code_point))
        values[code_point] = index.setdefault(string, len(index) + 1)
    return ["", *index], values


def _emit(
    characters: Characters, known: Bools, table: Mapping[int, str], code_point: int
) -> Iterator[str]:
    """Yield what each part of `code_point` becomes: itself, hidden or unknown, spaced or not."""
    splitting = splitting_characters(characters)
    for part in characters.plain.of(code_point):
        char = table.get(part, chr(part)) if known[part] else UNKNOWN
        is_word = characters.punctuation[part] or characters.cjk[code_point]
        yield f" {char} " if is_word and not (known[part] and splitting[part]) else char
