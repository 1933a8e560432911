"""The native core's interface over the pure-Python reference.

Used when the native tables were generated for another Unicode version than the running
interpreter's, and by tests that run both implementations. It imports `bertfast.reference`,
is slow, and gives the same ids and offsets.
"""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bertfast import reference
from bertfast._native import TextViews
from bertfast.errors import InputError
from bertfast.vocab import UNK_TOKEN

Ragged = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32] | None]


class ReferenceCore:
    """Same methods and results as `bertfast._native.Core`."""

    def __init__(self, vocab: Mapping[str, int], unk_id: int, do_lower_case: bool) -> None:
        """`vocab` maps token to id and holds the token [UNK], whose id is `unk_id`."""
        self._vocab = vocab
        self._unk_id = unk_id
        self._basic = reference.BasicTokenizer(do_lower_case)
        self._wordpiece = reference.WordpieceTokenizer(vocab)

    def encode_one(
        self, text: str | bytes, limit: int, specials: tuple[int, int] | None
    ) -> list[int]:
        """Return at most `limit` ids of `text` (all if negative), `specials` round them."""
        if not isinstance(text, str | bytes):
            raise InputError(f"expected str or bytes, got {type(text).__name__}")
        ids = self._ids(text, limit)
        return ids if specials is None else [specials[0], *ids, specials[1]]

    def _ids(self, text: str | bytes, limit: int) -> list[int]:
        ids: list[int] = []
        for word in self._basic.tokenize(text):
            ids.extend(self._vocab[piece] for piece in self._wordpiece.tokenize(word))
            if 0 <= limit <= len(ids):
                return ids[:limit]
        return ids

    def encode_batch(
        self,
        texts: Sequence[str | bytes] | TextViews,
        limit: int,
        num_threads: int,
        with_offsets: bool,
    ) -> Ragged:
        """Encode each text: ids int32 [n], row offsets int64 [rows + 1], offsets int32 [n, 2]."""
        del num_threads  # the interpreter's lock allows one
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        row_offsets = [0]
        for row, text in enumerate(texts.as_list() if isinstance(texts, TextViews) else texts):
            if not isinstance(text, str | bytes):
                raise InputError(f"row {row}: expected str or bytes, got {type(text).__name__}")
            if with_offsets:
                pieces = self._pieces_with_spans(reference.convert_to_unicode(text))
                pieces = pieces[:limit] if limit >= 0 else pieces
                ids += [piece for piece, _ in pieces]
                spans += [span for _, span in pieces]
            else:
                ids += self._ids(text, limit)
            row_offsets.append(len(ids))
        offsets = np.array(spans, np.int32).reshape(-1, 2) if with_offsets else None
        return np.array(ids, np.int32), np.array(row_offsets, np.int64), offsets

    def _pieces_with_spans(self, text: str) -> list[tuple[int, tuple[int, int]]]:
        result: list[tuple[int, tuple[int, int]]] = []
        for word in self._words_with_sources(text):
            pieces = self._wordpiece.tokenize("".join(char for char, _ in word))
            sources = [source for _, source in word]
            start = 0
            for piece in pieces:
                unknown = piece == UNK_TOKEN and len(pieces) == 1
                size = len(piece) - (2 if start > 0 else 0)
                covered = sources if unknown else sources[start : start + size]
                result.append((self._vocab[piece], (min(covered), max(covered) + 1)))
                start += size
        return result

    def _words_with_sources(self, text: str) -> list[list[tuple[str, int]]]:
        """Split `text` into words of (character, index of the code point it comes from)."""
        words: list[list[tuple[str, int]]] = [[]]
        for chunk in _chunks(text):
            words.append([])
            for char, source in self._normalize(chunk):
                if reference.is_punctuation(char):
                    words += [[(char, source)], []]
                else:
                    words[-1].append((char, source))
        return [word for word in words if word]

    def _normalize(self, chunk: list[tuple[str, int]]) -> list[tuple[str, int]]:
        if not self._basic.do_lower_case:
            return chunk
        lowered = "".join(char for char, _ in chunk).lower()
        sources = [source for char, source in chunk for _ in char.lower()]
        decomposed = [
            (part, source)
            for char, source in zip(lowered, sources, strict=True)
            for part in unicodedata.normalize("NFD", char)
        ]
        ordered = _canonical_order(decomposed)
        return [pair for pair in ordered if unicodedata.category(pair[0]) != "Mn"]


def _chunks(text: str) -> list[list[tuple[str, int]]]:
    """Clean `text` and cut it at whitespace and round CJK, keeping each character's index."""
    chunks: list[list[tuple[str, int]]] = [[]]
    for index, char in enumerate(text):
        cleaned = reference.clean_text(char)
        if not cleaned:
            continue
        if cleaned.isspace():
            chunks.append([])
        elif reference.is_cjk(ord(char)):
            chunks += [[(char, index)], []]
        else:
            chunks[-1].append((char, index))
    return [chunk for chunk in chunks if chunk]


def _canonical_order(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Sort every run of non-starters stably by combining class, as NFD does."""
    ordered: list[tuple[str, int]] = []
    run: list[tuple[str, int]] = []
    for pair in pairs:
        if unicodedata.combining(pair[0]):
            run.append(pair)
            continue
        ordered += sorted(run, key=lambda item: unicodedata.combining(item[0]))
        ordered.append(pair)
        run = []
    return ordered + sorted(run, key=lambda item: unicodedata.combining(item[0]))
