"""The reference tokenizer, made fast enough for whole corpora by remembering chunks."""

from collections.abc import Mapping

from bertfast import reference

_MAX_CHUNKS = 500_000


class MemoizedReference:
    """`reference.FullTokenizer`'s ids, each distinct character and chunk worked out once.

    Cleaning and CJK isolation map each character alone, and everything after the split at
    whitespace handles each chunk alone, so that nothing but time is saved.
    """

    def __init__(self, vocab: Mapping[str, int], *, do_lower_case: bool) -> None:
        """`vocab` maps token to id and holds [UNK]."""
        self._vocab = vocab
        self._wordpiece = reference.WordpieceTokenizer(vocab)
        self._words = ReferenceWords(do_lower_case=do_lower_case)
        self._ids: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int]:
        """Return the ids of `text`, without special tokens."""
        ids: list[int] = []
        for chunk in self._words.chunks(text):
            known = self._ids.get(chunk)
            if known is None:
                known = self._remember(chunk)
            ids += known
        return ids

    def _remember(self, chunk: str) -> list[int]:
        if len(self._ids) >= _MAX_CHUNKS:
            self._ids.clear()
        words = self._words.split(chunk)
        pieces = [piece for word in words for piece in self._wordpiece.tokenize(word)]
        ids = self._ids[chunk] = [self._vocab[piece] for piece in pieces]
        return ids


class ReferenceWords:
    """The steps of `reference.BasicTokenizer`, parted where chunks are cut."""

    def __init__(self, *, do_lower_case: bool) -> None:
        """`do_lower_case` also strips accents, as in the reference."""
        self._do_lower_case = do_lower_case
        self._cleaned = _CleanedCharacters()

    def chunks(self, text: str) -> list[str]:
        """Return what stands between whitespace or CJK characters of the cleaned text."""
        return reference.whitespace_tokenize(text.translate(self._cleaned))

    def split(self, chunk: str) -> list[str]:
        """Return the words of a chunk."""
        normal = reference.strip_accents(chunk.lower()) if self._do_lower_case else chunk
        return reference.whitespace_tokenize(" ".join(reference.split_on_punctuation(normal)))


class _CleanedCharacters(dict[int, str]):
    """What cleaning and CJK isolation make of a code point, for `str.translate`."""

    def __missing__(self, code_point: int) -> str:
        cleaned = reference.isolate_cjk(reference.clean_text(chr(code_point)))
        self[code_point] = cleaned
        return cleaned
