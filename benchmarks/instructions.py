"""Instructions a byte of UTF-8, counted by callgrind: steady where times are noisy.

Usage: python benchmarks/instructions.py [--vocab FILE] [--cased] [--corpus FILE ...]
                                         [--passes N] [--jobs N] [--json OUT]

Needs valgrind. Each corpus runs in three processes that load the same and encode it 0, 1 and
1 + N times on one thread; the differences are the first pass and a warm one, and what Python
does to start is not in them. valgrind has no AVX-512: the kernel is "avx2" unless
BERTFAST_KERNEL says otherwise.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from bertfast import Tokenizer, __version__
from bertfast.benchmark.corpora import (
    Corpus,
    generated_corpora,
    in_calls,
    read_corpora,
    read_texts,
    write_corpus,
)
from bertfast.benchmark.machine import KERNEL_VARIABLE, usable_cpus
from bertfast.benchmark.vocabulary import derive_vocabulary, write_vocabulary
from bertfast.errors import BertfastError, MissingDependencyError

DEFAULT_KERNEL = "avx2"
_COLLECTED = re.compile(rb"Collected : (\d+)")


@dataclass(frozen=True)
class Count:
    """Instructions of the whole process for each byte of a corpus."""

    corpus: str
    n_bytes: int
    warm: float
    first_pass: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Count for every corpus and print the table; 2 on bad input or without valgrind."""
    try:
        return run(parse(arguments))
    except BertfastError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """Count, or be the process in which is counted."""
    if options.encode:
        passes, vocab, corpus = options.encode
        encode(int(passes), Path(vocab), Path(corpus), do_lower_case=not options.cased)
        return 0
    if shutil.which("valgrind") is None:
        raise MissingDependencyError("valgrind is not installed; install your system's package")
    corpora = read_corpora(options.corpus) if options.corpus else generated_corpora()
    kernel = os.environ.get(KERNEL_VARIABLE, DEFAULT_KERNEL)
    print(f"bertfast {__version__}, kernel {kernel}, Python {platform.python_version()}")
    print(f"instructions a byte{'warm':>18}{'first pass':>12}")
    with tempfile.TemporaryDirectory() as folder:
        counts = count_all(corpora, Path(folder), options)
    if options.json:
        text = json.dumps([asdict(count) for count in counts], indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vocab", type=Path, metavar="FILE", help="default: from the corpora")
    parser.add_argument("--cased", action="store_true", help="do not lower the texts")
    parser.add_argument("--corpus", action="append", metavar="FILE", help="default: generated")
    parser.add_argument("--passes", type=int, default=3, metavar="N", help="warm passes")
    parser.add_argument("--jobs", type=int, default=usable_cpus(), help="processes at a time")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the counts to OUT")
    parser.add_argument("--encode", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def count_all(corpora: list[Corpus], folder: Path, options: argparse.Namespace) -> list[Count]:
    """Count for every corpus, `options.jobs` processes at a time; print each as it is known."""
    vocab = options.vocab or folder / "vocab.txt"
    if options.vocab:
        Tokenizer(vocab)  # fails here if it cannot be read
    else:
        texts = (text for corpus in corpora for text in corpus.texts)
        write_vocabulary(derive_vocabulary(texts, do_lower_case=not options.cased), vocab)
    counts = []
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = []
        for corpus in corpora:
            path = folder / f"{corpus.name}.corpus"
            write_corpus(corpus, path)
            commands = [command(n, vocab, path, options) for n in (0, 1, 1 + options.passes)]
            runs.append((corpus, [pool.submit(instructions, command) for command in commands]))
        for corpus, futures in runs:
            none, once, more = (future.result() for future in futures)
            warm = (more - once) / options.passes / corpus.n_bytes
            count = Count(corpus.name, corpus.n_bytes, warm, (once - none) / corpus.n_bytes)
            print(f"{count.corpus:<19}{count.warm:>18.2f}{count.first_pass:>12.2f}", flush=True)
            counts.append(count)
    return counts


def command(n_passes: int, vocab: Path, corpus: Path, options: argparse.Namespace) -> list[str]:
    """Return the command that encodes a corpus `n_passes` times under callgrind."""
    own = [sys.executable, __file__, "--encode", str(n_passes), str(vocab), str(corpus)]
    own += ["--cased"] if options.cased else []
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *own]


def instructions(command: Sequence[str]) -> int:
    """Run a command and return the instructions that callgrind collected."""
    fixed = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment = {KERNEL_VARIABLE: DEFAULT_KERNEL} | os.environ | fixed
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    found = _COLLECTED.search(done.stderr)
    if done.returncode != 0 or found is None:
        raise SystemExit(f"valgrind failed:\n{done.stderr.decode(errors='replace')}")
    return int(found.group(1))


def encode(n_passes: int, vocab: Path, corpus: Path, *, do_lower_case: bool) -> None:
    """Encode a corpus: what is counted."""
    calls = in_calls(read_texts(corpus))
    tokenizer = Tokenizer(vocab, do_lower_case=do_lower_case)
    for _ in range(n_passes):
        for texts in calls:
            tokenizer.encode_ragged(texts, add_special_tokens=False, num_threads=1)


if __name__ == "__main__":
    sys.exit(main())
