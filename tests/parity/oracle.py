"""The reference as an oracle for millions of strings, and comparison with the native core."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from bertfast import Tokenizer, reference
from tests.conftest import build_tokenizer
from tests.tokenizer.vocabulary import SPECIAL_TOKENS

Text = str | bytes

BATCH_SIZE = 20_000
MAX_CACHED_CHUNKS = 200_000
MAX_SHOWN = 5


class MemoizedReference:
    """`reference.FullTokenizer` on a ready vocabulary, with two caches to save time.

    Cleaning and CJK isolation map each character alone, and everything after the split at
    whitespace handles each chunk alone; so the reference's own functions run once a distinct
    character and once a distinct chunk. `test_memoized_reference_equals_the_reference`
    compares it with the plain reference.
    """

    def __init__(self, vocab: Mapping[str, int], *, do_lower_case: bool) -> None:
        self._vocab = vocab
        self._do_lower_case = do_lower_case
        self._wordpiece = reference.WordpieceTokenizer(vocab)
        self._cleaned = _CleanedCharacters()
        self._chunks: dict[str, list[int]] = {}

    def ids(self, text: Text) -> list[int]:
        """Return the ids of `text`, without special tokens."""
        cleaned = reference.convert_to_unicode(text).translate(self._cleaned)
        ids: list[int] = []
        for chunk in reference.whitespace_tokenize(cleaned):
            known = self._chunks.get(chunk)
            if known is None:
                known = self._remember(chunk)
            ids += known
        return ids

    def _remember(self, chunk: str) -> list[int]:
        if len(self._chunks) >= MAX_CACHED_CHUNKS:
            self._chunks.clear()
        normal = reference.strip_accents(chunk.lower()) if self._do_lower_case else chunk
        words = reference.split_on_punctuation(normal)
        pieces = [piece for word in words for piece in self._wordpiece.tokenize(word)]
        ids = self._chunks[chunk] = [self._vocab[piece] for piece in pieces]
        return ids


class _CleanedCharacters(dict[int, str]):
    """What cleaning and CJK isolation make of a code point, for `str.translate`."""

    def __missing__(self, code_point: int) -> str:
        cleaned = reference.isolate_cjk(reference.clean_text(chr(code_point)))
        self[code_point] = cleaned
        return cleaned


@dataclass(frozen=True)
class Twins:
    """The two implementations on one vocabulary."""

    native: Tokenizer
    oracle: MemoizedReference
    tokens: Mapping[int, str]


def make_twins(tokens: Sequence[str], *, do_lower_case: bool) -> Twins:
    """Build both implementations on a vocabulary given as a list of tokens."""
    vocab = {token: index for index, token in enumerate(tokens)}
    return Twins(
        build_tokenizer("native", vocab, do_lower_case=do_lower_case),
        MemoizedReference(vocab, do_lower_case=do_lower_case),
        {index: token for token, index in vocab.items()},
    )


def revealing_vocab(characters: Iterable[str]) -> list[str]:
    """Return a vocabulary of everything that `characters` can become, as "c" and "##c".

    No word is unknown then, unless it is too long, so that ids show each word's characters.
    """
    given = set(characters)
    lowered = {part for char in given for part in char.lower()} | {"ς"}
    parts = {part for char in lowered for part in unicodedata.normalize("NFD", char)}
    every = sorted(given | lowered | parts)
    return list(dict.fromkeys([*SPECIAL_TOKENS, *every, *(f"##{char}" for char in every)]))


@dataclass
class Comparison:
    """How many texts were compared, and the smallest form of the first that differed."""

    cases: int = 0
    n_differences: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, twins: Twins, texts: Iterable[Text]) -> None:
        """Compare native and reference ids of every text, a batch at a time.

        Each batch is encoded twice: as it is, and once more, when its chunks have been seen
        before, with every str that can be UTF-8 as bytes.
        """
        for batch in batches(texts):
            self.cases += len(batch)
            rows = [twins.oracle.ids(text) for text in batch]
            for form in (batch, [as_bytes(text) for text in batch]):
                native = twins.native.encode_ragged(form, add_special_tokens=False)
                for row in differing_rows(native, rows):
                    self._note(form[row], twins)

    def add_equal(self, left: Tokenizer, texts: Sequence[Text], others: Sequence[Text]) -> None:
        """Compare the ids of `texts` with those of `others`, both by one tokenizer."""
        self.cases += len(texts)
        ids, offsets = left.encode_ragged(texts, add_special_tokens=False)
        ids_2, offsets_2 = left.encode_ragged(others, add_special_tokens=False)
        if np.array_equal(ids, ids_2) and np.array_equal(offsets, offsets_2):
            return
        rows = [ids_2[start:end].tolist() for start, end in pairwise(offsets_2)]
        for row in differing_rows((ids, offsets), rows):
            self.fail(f"{texts[row]!r} is not encoded as {others[row]!r}")

    def add_offsets(
        self, native: Tokenizer, texts: Sequence[str], rows: Sequence[list[tuple[int, int]]]
    ) -> None:
        """Compare the offsets of `texts` with `rows`: twice, as `add` does."""
        self.cases += len(texts)
        forms = [*texts, *map(as_bytes, texts)]
        encoding = native(forms, return_offsets=True, add_special_tokens=False)
        assert encoding.offsets is not None
        for row, text in enumerate(forms):
            spans = [(a, b) for a, b in encoding.offsets[row, : encoding.lengths[row]].tolist()]
            if spans != rows[row % len(texts)]:
                self.fail(f"{text!a}: native {spans}, oracle {rows[row % len(texts)]}")

    def fail(self, message: str) -> None:
        """Count one difference, described by `message`."""
        self.n_differences += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(message)

    def _note(self, text: Text, twins: Twins) -> None:
        if len(self.shown) >= MAX_SHOWN:
            self.n_differences += 1
            return

        def differs(candidate: Text) -> bool:
            return _native_ids(twins, candidate) != twins.oracle.ids(candidate)

        if not differs(text):
            self.fail(f"{text!a} differs in its batch, but not alone")
            return
        least = shrink(text, differs)
        native = [twins.tokens[index] for index in _native_ids(twins, least)]
        expected = [twins.tokens[index] for index in twins.oracle.ids(least)]
        self.fail(f"{least!a}: native {native!a}, reference {expected!a}")


def as_bytes(text: Text) -> Text:
    """Return `text` as UTF-8, or as it is if it holds a lone surrogate."""
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        return text


def _native_ids(twins: Twins, text: Text) -> list[int]:
    return twins.native.encode(text, add_special_tokens=False)


def differing_rows(
    ragged: tuple[NDArray[np.int32], NDArray[np.int64]], rows: Sequence[Sequence[int]]
) -> list[int]:
    """Return which rows of a ragged encoding differ from `rows`."""
    ids, offsets = ragged
    sizes = [len(row) for row in rows]
    flat = np.fromiter((index for row in rows for index in row), np.int32, sum(sizes))
    if np.array_equal(np.diff(offsets), sizes) and np.array_equal(ids, flat):
        return []
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    pairs = zip(bounds, rows, strict=True)
    return [i for i, ((start, end), row) in enumerate(pairs) if ids[start:end].tolist() != row]


def shrink(text: Text, fails: Callable[[Text], bool]) -> Text:
    """Return a text that still fails and from which no part of a halving size can be cut."""
    size = len(text) // 2
    while size:
        start = 0
        while start < len(text):
            shorter = text[:start] + text[start + size :]  # type: ignore[operator]
            if fails(shorter):
                text = shorter
            else:
                start += size
        size //= 2
    return text


def batches(texts: Iterable[Text], size: int = BATCH_SIZE) -> Iterator[list[Text]]:
    """Yield lists of at most `size` texts."""
    iterator = iter(texts)
    while batch := list(islice(iterator, size)):
        yield batch
