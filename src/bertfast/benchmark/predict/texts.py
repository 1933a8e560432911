"""What is embedded: generated texts with the lengths of real ones, or lines of a file."""

import re
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark import generated
from bertfast.benchmark.corpora import read_corpus
from bertfast.errors import InputError
from bertfast.tokenizer import Tokenizer

MIN_TOKENS = 7
MAX_TOKENS = 192
LATENCY_TOKENS = 20

# Words of a text: log-normal, which fits lines of an encyclopedia and of reviews alike.
_MEDIAN_WORDS = 32
_SPREAD = 0.8
_WORDS = (4, 140)
_BYTES_PER_TEXT = 400
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def generate_texts(n_texts: int, tokenizer: Tokenizer) -> list[str]:
    """Return distinct texts of 7 to 192 tokens, the same on every machine."""
    random = Random(6)
    paragraphs = generated.english(_BYTES_PER_TEXT * (n_texts + 50))
    sentences = [part for text in paragraphs for part in _SENTENCE_END.split(text)]
    texts: dict[str, None] = {}
    start = 0
    while len(texts) < n_texts:
        text, start = _take(sentences, start, _draw_words(random))
        if MIN_TOKENS <= count_tokens(tokenizer, [text])[0] <= MAX_TOKENS:
            texts[text] = None
    return list(texts)


def _draw_words(random: Random) -> int:
    least, most = _WORDS
    return min(most, max(least, round(random.lognormvariate(np.log(_MEDIAN_WORDS), _SPREAD))))


def _take(sentences: list[str], start: int, n_words: int) -> tuple[str, int]:
    """Return `n_words` words from the beginning of a sentence on, and where to go on."""
    words: list[str] = []
    while len(words) < n_words:
        words += sentences[start % len(sentences)].split()
        start += 1
    return " ".join(words[:n_words]), start


def read_input(path: Path, n_texts: int) -> list[str]:
    """Return lines of a file that are not blank, evenly spaced if there are more than wanted.

    Raises:
        InputError: the file cannot be read or holds no text.
    """
    lines = [line for line in read_corpus(str(path)).texts if line.strip()]
    if not lines:
        raise InputError(f"{path} holds only blank lines; give a text a line")
    places = np.linspace(0, len(lines) - 1, min(n_texts, len(lines)))
    return [lines[place] for place in places.round().astype(int)]


def count_tokens(
    tokenizer: Tokenizer, texts: list[str], max_length: int | None = None
) -> NDArray[np.int64]:
    """Return the tokens of each text, special ones included, int64 [n]."""
    _, offsets = tokenizer.encode_ragged(texts, max_length=max_length, num_threads=1)
    return np.diff(offsets).astype(np.int64)


def text_of_length(texts: list[str], tokenizer: Tokenizer, n_tokens: int = LATENCY_TOKENS) -> str:
    """Return the beginning of some text that has `n_tokens` tokens, or the nearest below."""
    words = " ".join(texts).split()
    best = words[0]
    for end in range(1, n_tokens + 1):
        text = " ".join(words[:end])
        if count_tokens(tokenizer, [text])[0] > n_tokens:
            break
        best = text
    return best
