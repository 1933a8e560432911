"""The tokens of a vocabulary and their ids, both ways."""

from collections.abc import Iterable

from bertfast.errors import UnknownTokenError
from bertfast.vocab import SPECIAL_TOKENS


class TokenTable:
    """What a `Tokenizer` knows of its vocabulary; no text is read here."""

    __slots__ = ("_tokens", "_vocab")
    _vocab: dict[str, int]
    _tokens: dict[int, str] | None  # by id; made on first use

    @property
    def vocab(self) -> dict[str, int]:
        """A copy of the vocabulary, {token: id}."""
        return dict(self._vocab)

    @property
    def vocab_size(self) -> int:
        """The number of ids: the highest one plus 1, as a model's embedding needs it."""
        return max(self._vocab.values()) + 1

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """Join the tokens of `ids` with spaces, and "##" pieces to the piece before them.

        Raises:
            UnknownTokenError: an id is not in the vocabulary.
        """
        tokens = self.convert_ids_to_tokens(ids)
        if skip_special_tokens:
            tokens = [token for token in tokens if token not in SPECIAL_TOKENS]
        words: list[str] = []
        for token in tokens:
            if words and token.startswith("##"):
                words[-1] += token[2:]
            else:
                words.append(token)
        return " ".join(words)

    def convert_tokens_to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Map tokens to ids.

        Raises:
            UnknownTokenError: a token is not in the vocabulary.
        """
        try:
            return [self._vocab[token] for token in tokens]
        except KeyError as error:
            raise UnknownTokenError(f"{error.args[0]!r} is not in the vocabulary") from None

    def convert_ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Map ids to tokens.

        Raises:
            UnknownTokenError: an id is not in the vocabulary.
        """
        tokens = self._tokens
        if tokens is None:
            tokens = dict(zip(self._vocab.values(), self._vocab, strict=True))
            object.__setattr__(self, "_tokens", tokens)
        try:
            return [tokens[int(index)] for index in ids]
        except KeyError as error:
            raise UnknownTokenError(f"id {error.args[0]} is not in the vocabulary") from None
