"""What more threads bring: many texts, one long text, few texts and one short text.

Usage: python benchmarks/threads.py BUNDLE [--threads 2] [--engine auto] [--workers N] [--rounds 7]

Medians by the wall's clock, one thread and several in turns; needs as many idle CPUs. Says
whether the predictions have the same bits.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bertfast import BertfastError, Bundle, Predictor
from bertfast.runtime.session import available_threads

_SEED = 7
_LONGEST = 512  # positions of a BERT; a model with fewer takes shorter texts
_SENTENCE = "the quick brown fox jumps over the lazy dog and runs away "


def make_texts(vocab: list[str], max_length: int) -> dict[str, list[str]]:
    """Return the kinds of calls by name; the long texts fill the model's positions."""
    rng = np.random.default_rng(_SEED)
    words = [word for word in vocab if word.isalpha() and word.isascii()]
    lengths = rng.lognormal(3.3, 0.6, 300).astype(int) + 3
    long = _SENTENCE * 60
    texts = {
        "300 texts": [" ".join(rng.choice(words, length)) for length in lengths],
        f"one text of {max_length} tokens": [long],
        f"three texts of {max_length} tokens": [long, f"one {long}", f"two {long}"],
    }
    for n_tokens, text in ((100, _SENTENCE * 9), (13, _SENTENCE)):
        if n_tokens < max_length:
            texts[f"one text of about {n_tokens} tokens"] = [text]
    return texts


def main() -> int:
    """Measure and print a table; return 1 if the native engine's bits differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engine", choices=("auto", "native", "onnxruntime"), default="auto")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if available_threads() < given.threads:
        print(f"{given.threads} threads need as many CPUs; there are {available_threads()}")
        return 2
    try:
        bundle = Bundle.load(given.bundle)
        length = min(_LONGEST, bundle.manifest.config.max_position_embeddings)
        models = [
            Predictor(bundle, threads=1, max_length=length, engine=given.engine),
            Predictor(
                bundle,
                threads=given.threads,
                max_length=length,
                engine=given.engine,
                workers=given.workers,
            ),
        ]
    except BertfastError as error:
        print(error)
        return 2
    table = Table(title=f"{given.bundle.name}, {models[0].engine} {models[0].precision}")
    for title in ("call", "1 thread, ms", f"{given.threads} threads, ms", "ratio", "same bits"):
        table.add_column(title, justify="left" if title == "call" else "right")
    all_same = True
    vocab = bundle.vocab_path.read_text("utf-8").split()
    for name, texts in make_texts(vocab, length).items():
        first, second = (model.predict(texts) for model in models)  # opens them, too
        same = np.array_equal(first, second)
        all_same &= same
        seconds: list[list[float]] = [[], []]
        for _ in range(given.rounds if len(texts) > 1 else 5 * given.rounds):
            for model, times in zip(models, seconds, strict=True):
                started = time.perf_counter()
                model.predict(texts)
                times.append(time.perf_counter() - started)
        one, several = (1000 * float(np.median(times)) for times in seconds)
        table.add_row(name, f"{one:.2f}", f"{several:.2f}", f"{one / several:.2f}", str(same))
    Console().print(table)
    return 0 if all_same or models[0].engine != "native" else 1


if __name__ == "__main__":
    sys.exit(main())
