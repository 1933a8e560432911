"""Writes train.tsv, dev.tsv and vocab.txt for the language identifier.

    PYTHONPATH=tools python -m langid.prepare DATA_DIR OUTPUT_DIR

DATA_DIR holds train.tsv and dev.tsv: a text, a tab, a language code, no header. The same
arguments give the same bytes (one core: about a minute).
"""

import argparse
from pathlib import Path

from langid.augmentation import augment
from langid.rows import read_tsv, write_tsv
from langid.spelling import add_transliterations
from langid.vocabulary import write_vocab


def main() -> None:
    """Read, make the vocabulary, augment, write."""
    arguments = _parse_arguments()
    output_dir: Path = arguments.output_dir
    output_dir.mkdir(parents=True, exist_ok=True)
    rows = add_transliterations(read_tsv(arguments.data_dir / "train.tsv"))
    n_tokens = write_vocab(
        output_dir / "vocab.txt",
        rows,
        size=arguments.vocab_size,
        max_piece_length=arguments.max_piece_length,
        seed=arguments.seed,
    )
    print(f"vocabulary: {n_tokens:,} tokens")
    texts = augment(rows, arguments.copies, arguments.seed)
    write_tsv(output_dir / "train.tsv", texts)
    write_tsv(output_dir / "dev.tsv", read_tsv(arguments.data_dir / "dev.tsv"))
    print(f"training texts: {len(texts):,}, from {len(rows):,} lines")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--copies", type=int, default=12, help="texts made of a line")
    parser.add_argument("--vocab_size", type=int, default=32768)
    parser.add_argument("--max_piece_length", type=int, default=8, help="of pieces, exclusive")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
