"""The native core's interface over the pure-Python reference.

Used when the native tables were generated for another Unicode version than the running
interpreter's, and by tests that run both implementations. It imports `bertfast.reference`,
is slow, and gives the same ids and offsets.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bertfast import reference
from bertfast._native import TextViews
from bertfast.errors import InputError
from bertfast.options import TokenizerOptions
from bertfast.vocab import UNK_TOKEN

_Chars = list[tuple[str, int]]  # (character, index of the code point it comes from)
Ragged = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32] | None]


class ReferenceCore:
    """Same methods and results as `bertfast._native.Core`."""

    def __init__(
        self,
        vocab: Mapping[str, int],
        unk_id: int,
        options: TokenizerOptions,
        special_tokens: Mapping[str, int],
    ) -> None:
        """`vocab` maps token to id and holds the token [UNK], whose id is `unk_id`.

        `special_tokens` stand for themselves wherever a text has them.
        """
        self._vocab = vocab
        self._unk_id = unk_id
        self._special_tokens = special_tokens
        self._basic = reference.BasicTokenizer(
            options.do_lower_case,
            strip_accents=options.strip_accents,
            tokenize_chinese_chars=options.tokenize_chinese_chars,
        )
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
        return list(islice(self._all_ids(text), limit if limit >= 0 else None))

    def _all_ids(self, text: str | bytes) -> Iterator[int]:
        for part in self._split(text):
            if part in self._special_tokens:
                yield self._special_tokens[part]
                continue
            for word in self._basic.tokenize(part):
                yield from (self._vocab[piece] for piece in self._wordpiece.tokenize(word))

    def _split(self, text: str | bytes) -> list[str]:
        text = reference.convert_to_unicode(text)
        return reference.split_at_special_tokens(text, self._special_tokens)

    def encode_batch(
        self,
        texts: Sequence[str | bytes] | TextViews,
        limit: int,
        num_threads: int,
        with_offsets: bool,
        specials: tuple[int, int] | None = None,
    ) -> Ragged:
        """Encode each text: ids int32 [n], row offsets int64 [rows + 1], offsets int32 [n, 2].

        `specials` stand round each row unless None; they have no offsets.
        """
        del num_threads  # the interpreter's lock allows one
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        row_offsets = [0]
        for row, text in enumerate(texts.as_list() if isinstance(texts, TextViews) else texts):
            if not isinstance(text, str | bytes):
                raise InputError(f"row {row}: expected str or bytes, got {type(text).__name__}")
            if with_offsets:
                pieces = islice(self._ids_with_spans(text), limit if limit >= 0 else None)
                for index, span in pieces:
                    ids.append(index)
                    spans.append(span)
            else:
                ids += self.encode_one(text, limit, specials)
            row_offsets.append(len(ids))
        offsets = np.array(spans, np.int32).reshape(-1, 2) if with_offsets else None
        return np.array(ids, np.int32), np.array(row_offsets, np.int64), offsets

    def _ids_with_spans(self, text: str | bytes) -> Iterator[tuple[int, tuple[int, int]]]:
        start = 0
        for part in self._split(text):
            end = start + len(part)
            if part in self._special_tokens:
                yield self._special_tokens[part], (start, end)
            else:
                for piece, first, last in self._pieces_with_spans(part):
                    yield self._vocab[piece], (start + first, start + last)
            start = end

    def _pieces_with_spans(self, text: str) -> Iterator[tuple[str, int, int]]:
        for word in self._words_with_sources(text):
            pieces = self._wordpiece.tokenize("".join(char for char, _ in word))
            sources = [source for _, source in word]
            start = 0
            for piece in pieces:
                unknown = piece == UNK_TOKEN and len(pieces) == 1
                size = len(piece) - (2 if start > 0 else 0)
                covered = sources if unknown else sources[start : start + size]
                yield piece, min(covered), max(covered) + 1
                start += size

    def _words_with_sources(self, text: str) -> list[_Chars]:
        words: list[_Chars] = [[]]
        for chunk in _chunks(text, self._basic.tokenize_chinese_chars):
            words.append([])
            for char, source in self._normalize(chunk):
                if reference.is_punctuation(char):
                    words += [[(char, source)], []]
                else:
                    words[-1].append((char, source))
        return [word for word in words if word]

    def _normalize(self, chunk: _Chars) -> _Chars:
        if self._basic.do_lower_case:
            lowered = "".join(char for char, _ in chunk).lower()
            sources = [source for char, source in chunk for _ in char.lower()]
            chunk = list(zip(lowered, sources, strict=True))
        if not self._basic.strip_accents:
            return chunk
        decomposed = [
            (part, source) for char, source in chunk for part in unicodedata.normalize("NFD", char)
        ]
        ordered = _canonical_order(decomposed)
        return [pair for pair in ordered if unicodedata.category(pair[0]) != "Mn"]


def _chunks(text: str, tokenize_chinese_chars: bool) -> list[_Chars]:
    """Clean `text` and cut it at whitespace and round CJK, keeping each character's index."""
    chunks: list[_Chars] = [[]]
    for index, char in enumerate(text):
        cleaned = reference.clean_text(char)
        if not cleaned:
            continue
        if cleaned.isspace():
            chunks.append([])
        elif tokenize_chinese_chars and reference.is_cjk(ord(char)):
            chunks += [[(char, index)], []]
        else:
            chunks[-1].append((char, index))
    return [chunk for chunk in chunks if chunk]


def _canonical_order(pairs: _Chars) -> _Chars:
    """Sort every run of non-starters stably by combining class, as NFD does."""
    ordered: _Chars = []
    run: _Chars = []
    for pair in pairs:
        if unicodedata.combining(pair[0]):
            run.append(pair)
            continue
        ordered += sorted(run, key=lambda item: unicodedata.combining(item[0]))
        ordered.append(pair)
        run = []
    return ordered + sorted(run, key=lambda item: unicodedata.combining(item[0]))
