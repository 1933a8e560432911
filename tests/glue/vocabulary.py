"""A small vocabulary for tests of features and pretraining data."""

from bertfast import Tokenizer

WORDS = ["the", "cat", "dog", "sat", "ran", "mat", "un", "##aff", "##able", "##s", ".", ","]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]


def small_tokenizer() -> Tokenizer:
    return Tokenizer(TOKENS)
