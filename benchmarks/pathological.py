"""Time and memory of the tokenizer on hostile texts: is it linear, is memory bounded?

Usage: python benchmarks/pathological.py [--vocab vocab.txt] [--case NAME] [--json OUT]

Each case runs in a process of its own at sizes n and 2n. Before anything is timed, the ids of
a short form are compared with the reference's. A linear case has time(2n) / time(n) near 2.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import bertfast
from bertfast import Tokenizer, reference

Text = str | bytes

REPEATS = 5
GIGABYTE = 1_000_000_000
MARKS = "\u0301\u0327"  # combining classes 230 and 202: stripped, after they were reordered
KEPT_MARKS = "\U0001d16d\u302e"  # 226 and 224: reordered and kept

# Pieces that make the longest match walk far and come back: every "a" tries 150 letters.
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "world", "e", "##e", "σ", "##σ", "##ς"]
TOKENS += ["a", "##a", "##" + "a" * 150 + "b", "大", "!", "ᄒ", "##ᄒ", "##ᅡ", "##ᆫ", "x"]


@dataclass(frozen=True)
class Case:
    """A text of about `n` characters, and the options it is encoded with."""

    make: Callable[[int], Text]
    n: int
    max_length: int | None = None
    repeats: int = REPEATS


CASES = {
    "words of 200 characters": Case(lambda n: ("a" * 200 + " ") * (n // 201), 1_000_000),
    "words of 201 characters": Case(lambda n: ("a" * 201 + " ") * (n // 202), 1_000_000),
    "words of 200, accented": Case(lambda n: ("é" * 200 + " ") * (n // 201), 1_000_000),
    "one word": Case(lambda n: "a" * n, 1_000_000),
    "one word, accented": Case(lambda n: "é" * n, 1_000_000),
    "one word, hangul": Case(lambda n: "한" * n, 1_000_000),
    "marks on one base": Case(lambda n: "e" + "\u0301" * n, 500_000),
    "marks, alternating order": Case(lambda n: "e" + MARKS * (n // 2), 500_000),
    "kept marks, alternating order": Case(lambda n: "e" + KEPT_MARKS * (n // 2), 500_000),
    "capital sigmas": Case(lambda n: "Σ" * n, 1_000_000),
    "sigmas among ignorables": Case(lambda n: "Σ" + ".'" * (n // 2) + "Σ", 1_000_000),
    "sigma, ignorable, sigma, ...": Case(lambda n: "Σ\u0301" * (n // 2), 1_000_000),
    "dropped characters": Case(lambda n: "a" + "\u200b" * n + "a", 1_000_000),
    "spaces": Case(lambda n: " \u3000" * (n // 2), 1_000_000),
    "punctuation": Case(lambda n: "!" * n, 1_000_000),
    "ideographs": Case(lambda n: "大" * n, 1_000_000),
    "lone surrogates": Case(lambda n: "\ud800" * n, 1_000_000),
    "invalid UTF-8": Case(lambda n: b"\xf0\x9f\x98" * (n // 3), 1_000_000),
    "500 MB / 1 GB, max_length=128": Case(
        lambda n: "hello world " * (n // 12), GIGABYTE // 2, max_length=128
    ),
    "the same as bytes": Case(lambda n: b"hello world " * (n // 12), GIGABYTE // 2, max_length=128),
    "one word of 500 MB / 1 GB, max_length=128": Case(
        lambda n: "x" * n, GIGABYTE // 2, max_length=128, repeats=1
    ),
}


@dataclass(frozen=True)
class Measurement:
    """Median CPU times, and what encoding added to the peak memory of a process with the text."""

    case: str
    n: int
    seconds_n: float
    seconds_2n: float
    added_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every case, print the table, and return 1 if a case is not linear."""
    options = _parse(arguments)
    if options.measure:
        print(json.dumps(asdict(measure(options.measure, make_tokenizer(options.vocab)))))
        return 0
    names = [options.case] if options.case else list(CASES)
    check_ids(names, make_tokenizer(options.vocab))
    versions = f"bertfast {bertfast.__version__}, Python {platform.python_version()}"
    print(f"{versions}, Unicode {unicodedata.unidata_version}, {platform.machine()}; CPU time")
    print(f"{'case':<42} {'n':>11} {'time(n)':>11} {'time(2n)':>11} {'ratio':>6} {'memory':>8}")
    rows = [row for name in names if (row := _measure_apart(name, options.vocab))]
    if options.json:
        text = json.dumps([asdict(row) for row in rows], indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return int(any(_is_superlinear(row) for row in rows))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vocab", type=Path, help="vocabulary file (default: a small one)")
    parser.add_argument("--case", choices=CASES, help="only this case")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures to OUT")
    parser.add_argument("--measure", choices=CASES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def make_tokenizer(vocab: Path | None) -> Tokenizer:
    """Return an uncased tokenizer on the given vocabulary or the small one."""
    return Tokenizer(vocab or TOKENS)


def check_ids(names: Sequence[str], tokenizer: Tokenizer) -> None:
    """Exit unless short forms of the cases have the reference's ids."""
    vocab = tokenizer.vocab
    basic, wordpiece = reference.BasicTokenizer(), reference.WordpieceTokenizer(vocab)
    for name in names:
        text = CASES[name].make(2000)
        pieces = [piece for word in basic.tokenize(text) for piece in wordpiece.tokenize(word)]
        if tokenizer.encode(text, add_special_tokens=False) != [vocab[piece] for piece in pieces]:
            sys.exit(f"wrong ids: {name}")


def measure(name: str, tokenizer: Tokenizer) -> Measurement:
    """Time a case at n and 2n, and see how much memory encoding adds."""
    case = CASES[name]
    small = case.make(case.n)
    seconds_n = _median_seconds(tokenizer, case, small)
    del small
    large = case.make(2 * case.n)
    before = _peak_mb()
    seconds_2n = _median_seconds(tokenizer, case, large)
    return Measurement(name, case.n, seconds_n, seconds_2n, _peak_mb() - before)


def _median_seconds(tokenizer: Tokenizer, case: Case, text: Text) -> float:
    seconds = []
    for _ in range(case.repeats):
        start = time.process_time()
        tokenizer.encode_ragged([text], max_length=case.max_length, num_threads=1)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure_apart(name: str, vocab: Path | None) -> Measurement | None:
    if CASES[name].n > GIGABYTE // 4 and _available_mb() < 3000:
        print(f"{name:<42} skipped: less than 3 GB of memory are free")
        return None
    command = [sys.executable, __file__, "--measure", name]
    command += ["--vocab", str(vocab)] if vocab else []
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    row = Measurement(**json.loads(result.stdout))
    ratio = row.seconds_2n / row.seconds_n
    note = "  not linear" if _is_superlinear(row) else ""
    times = f"{1e3 * row.seconds_n:>8.3f} ms {1e3 * row.seconds_2n:>8.3f} ms {ratio:>6.2f}"
    print(f"{row.case:<42} {row.n:>11,} {times} {row.added_mb:>5.0f} MB{note}")
    return row


def _is_superlinear(row: Measurement) -> bool:
    # A quadratic case has ratio 4; below a millisecond the clock and the caches decide.
    return row.seconds_2n > 3 * row.seconds_n and row.seconds_2n > 1e-3


def _available_mb() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    kilobytes = {key: value.split()[0] for key, value in (line.split(":") for line in lines)}
    return int(kilobytes["MemAvailable"]) / 1024


if __name__ == "__main__":
    sys.exit(main())
