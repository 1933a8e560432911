"""Fixtures of the tokenizer tests. Everything here runs on every implementation."""

from typing import Protocol

import pytest

from bertfast import Tokenizer
from tests.conftest import TokenizerFactory
from tests.tokenizer.vocabulary import alphabet_vocab, join_pieces, small_vocab


class WordChecker(Protocol):
    """Checks what words a text becomes."""

    def __call__(
        self, text: str | bytes, expected: list[str], *, do_lower_case: bool = True
    ) -> None:
        """Fail unless `text` becomes the words `expected`."""


@pytest.fixture(scope="session")
def check_words(make_tokenizer: TokenizerFactory) -> WordChecker:
    """Check words, with a vocabulary that holds each character of the text and of the words."""

    def check(text: str | bytes, expected: list[str], *, do_lower_case: bool = True) -> None:
        source = text.decode("utf-8", "ignore") if isinstance(text, bytes) else text
        vocab = alphabet_vocab(source, *expected)
        tokenizer = make_tokenizer(vocab, do_lower_case=do_lower_case)
        assert join_pieces(tokenizer.tokenize(text)) == expected

    return check


@pytest.fixture(scope="session")
def tokenizer(make_tokenizer: TokenizerFactory) -> Tokenizer:
    """Return an uncased tokenizer on the small vocabulary."""
    return make_tokenizer(small_vocab())


@pytest.fixture(scope="session")
def cased_tokenizer(make_tokenizer: TokenizerFactory) -> Tokenizer:
    """Return a cased tokenizer on the small vocabulary."""
    return make_tokenizer(small_vocab(), do_lower_case=False)
