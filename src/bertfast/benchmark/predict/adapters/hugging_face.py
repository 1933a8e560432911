"""The tokenizer that users of the other runtimes have: Hugging Face's."""

from importlib import import_module
from pathlib import Path
from typing import Any


def load_tokenizer(path: Path, max_length: int) -> Any:
    """Return `tokenizers.Tokenizer` of a tokenizer.json; it truncates and does not pad."""
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Return the ids of each text, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
