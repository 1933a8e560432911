"""CPU time of the tokenizer in the graph beside TF-Text's FastBertTokenizer, which does less.

Usage: python benchmarks/graph_tokenizer.py [--vocab FILE] [--corpus FILE ...] [--json OUT]

Both run as traced functions on the same batches, one thread each, and take turns. The ids are
compared with the native tokenizer's before any time is shown: ours must be equal; how many of
theirs are not is printed. Without `--vocab`, a vocabulary is made from the corpora.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from rich.console import Console
from rich.table import Table

from bertfast import Tokenizer
from bertfast.benchmark.corpora import Corpus, generated_corpora, read_corpora
from bertfast.benchmark.machine import describe_machine
from bertfast.benchmark.measurement import Spread, interleave
from bertfast.benchmark.vocabulary import derive_vocabulary
from bertfast.tf import GraphTokenizer

ROUNDS = 15
BATCH = 1000
SENTENCE = "The quick brown fox jumps over the lazy dog, and then sleeps."
OURS, THEIRS = "bertfast GraphTokenizer", "TF-Text FastBertTokenizer"


@dataclass(frozen=True)
class Row:
    """One corpus: CPU seconds of a pass, the ratio round by round, and wrong rows of theirs."""

    corpus: str
    megabytes: float
    texts: int
    ours_mb_s: float
    theirs_mb_s: float
    ratio: Spread
    theirs_wrong: int


def main() -> int:
    """Measure and print; return the exit code."""
    arguments = parse_arguments()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    corpora = read_corpora(arguments.corpus) if arguments.corpus else generated_corpora()
    corpora.append(Corpus.of("one sentence", [SENTENCE]))
    tokens = read_tokens(arguments.vocab, corpora)
    tokenizers = make_tokenizers(tokens)
    rows = [measure(corpus, tokens, tokenizers, arguments.rounds) for corpus in corpora]
    show(rows, len(tokens))
    if arguments.json:
        content = {"machine": describe_machine(), "versions": versions(), "rows": rows}
        text = json.dumps(content, default=asdict, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vocab", type=Path, help="vocabulary of an uncased model")
    parser.add_argument("--corpus", nargs="+", default=[], metavar="FILE", help="a text a line")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, metavar="OUT")
    return parser.parse_args()


def read_tokens(path: Path | None, corpora: Sequence[Corpus]) -> list[str]:
    """Return the vocabulary's tokens by id."""
    if path is None:
        return derive_vocabulary(
            (text for corpus in corpora for text in corpus.texts), do_lower_case=True
        )
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def make_tokenizers(tokens: list[str]) -> dict[str, Any]:
    """Return both as traced functions from string [n] to ragged int32."""
    started = time.process_time()
    ours = GraphTokenizer(tokens)
    Console().print(f"tables built in {time.process_time() - started:.2f} s of CPU time")
    theirs = tf_text.FastBertTokenizer(
        tokens, token_out_type=tf.int32, lower_case_nfd_strip_accents=True
    )
    signature = [tf.TensorSpec([None], tf.string)]
    return {
        OURS: tf.function(ours.tokenize, input_signature=signature),
        THEIRS: tf.function(theirs.tokenize, input_signature=signature),
    }


def measure(corpus: Corpus, tokens: list[str], tokenizers: dict[str, Any], n_rounds: int) -> Row:
    """Compare the ids of a corpus, then time a pass over it."""
    texts = [text.encode("utf-8", "ignore") for text in corpus.texts]
    batches = [tf.constant(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    wrong = count_wrong(texts, batches, tokens, tokenizers)
    if wrong[OURS]:
        sys.exit(f"{corpus.name}: {wrong[OURS]} texts have other ids than the native tokenizer's")

    def run(name: str) -> Any:
        return lambda: [tokenizers[name](batch).values for batch in batches]

    samples = interleave({name: run(name) for name in tokenizers}, n_rounds)
    ours, theirs = (np.array([each.cpu_seconds for each in samples[name]]) for name in tokenizers)
    megabytes = sum(map(len, texts)) / 1e6
    return Row(
        corpus=corpus.name,
        megabytes=megabytes,
        texts=len(texts),
        ours_mb_s=megabytes / float(np.median(ours)),
        theirs_mb_s=megabytes / float(np.median(theirs)),
        ratio=Spread.of((ours / theirs).tolist()),
        theirs_wrong=wrong[THEIRS],
    )


def count_wrong(
    texts: Sequence[bytes], batches: Sequence[Any], tokens: list[str], tokenizers: dict[str, Any]
) -> dict[str, int]:
    """Return how many texts have other ids than the native tokenizer gives, by name."""
    ids, offsets = Tokenizer(tokens).encode_ragged(texts, add_special_tokens=False)
    expected = [row.tolist() for row in np.split(ids, offsets[1:-1])]
    wrong = {}
    for name, tokenize in tokenizers.items():
        given = [row for batch in batches for row in tokenize(batch).to_list()]
        wrong[name] = sum(a != b for a, b in zip(given, expected, strict=True))
    return wrong


def versions() -> dict[str, str]:
    """Return the versions of everything that takes part."""
    names = ("bertfast", "tensorflow", "tensorflow-text")
    return {name: version(name) for name in names} | {"python": sys.version.split()[0]}


def show(rows: Sequence[Row], n_tokens: int) -> None:
    """Print the table."""
    table = Table(title=f"CPU time, one thread, vocabulary of {n_tokens:,} tokens")
    for title in (
        "corpus",
        "MB",
        "ours",
        "FastBert",
        "ratio (quartiles)",
        "FastBert's wrong texts",
    ):
        table.add_column(title, justify="left" if title == "corpus" else "right")
    for row in rows:
        ratio = f"{row.ratio.median:.2f} ({row.ratio.q1:.2f}–{row.ratio.q3:.2f})"
        microseconds = row.megabytes * 1e6 / row.texts
        if row.texts == 1:
            speeds = [
                f"{microseconds / speed:.0f} µs" for speed in (row.ours_mb_s, row.theirs_mb_s)
            ]
        else:
            speeds = [f"{speed:.1f} MB/s" for speed in (row.ours_mb_s, row.theirs_mb_s)]
        wrong = f"{row.theirs_wrong:,} of {row.texts:,}"
        table.add_row(row.corpus, f"{row.megabytes:.2f}", *speeds, ratio, wrong)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
