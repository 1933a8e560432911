"""A WordPiece vocabulary for those who give none: derived from the corpora, deterministically."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bertfast.benchmark.oracle import ReferenceWords
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN, UNK_TOKEN

SPECIAL_TOKENS = ("[PAD]", UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, "[MASK]")

_N_WORDS = 20_000
_N_ENDINGS = 5_000
_MAX_ENDING = 5  # code points


def derive_vocabulary(texts: Iterable[str], *, do_lower_case: bool) -> list[str]:
    """Return a vocabulary that fits `texts` about as well as a trained one would.

    It holds the special tokens, every character alone and as a continuation, the most
    frequent words and the most frequent endings of words: 30,000 tokens or so.
    """
    words = _count_words(texts, do_lower_case=do_lower_case)
    characters = sorted({char for word in words for char in word})
    tokens = [
        *SPECIAL_TOKENS,
        *characters,
        *(f"##{char}" for char in characters),
        *_most_frequent(words, _N_WORDS),
        *(f"##{ending}" for ending in _most_frequent(_count_endings(words), _N_ENDINGS)),
    ]
    return list(dict.fromkeys(tokens))


def write_vocabulary(tokens: Iterable[str], path: Path) -> None:
    """Write a token a line."""
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8", newline="\n")


def _count_words(texts: Iterable[str], *, do_lower_case: bool) -> Counter[str]:
    reference_words = ReferenceWords(do_lower_case=do_lower_case)
    chunks = Counter(chunk for text in texts for chunk in reference_words.chunks(text))
    words: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for word in reference_words.split(chunk):
            # A file cannot hold a lone surrogate; such words are unknown.
            if not any("\ud800" <= char <= "\udfff" for char in word):
                words[word] += count
    return words


def _count_endings(words: Counter[str]) -> Counter[str]:
    endings: Counter[str] = Counter()
    for word, count in words.items():
        for size in range(2, min(_MAX_ENDING, len(word) - 1) + 1):
            endings[word[-size:]] += count
    return endings


def _most_frequent(counts: Counter[str], n: int) -> list[str]:
    """Return the `n` most frequent, equal counts in code point order."""
    return [text for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]]
