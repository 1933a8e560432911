"""`bertfast create-pretraining-data`: masked, paired sentences from plain text."""

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from pathlib import Path

import click

from bertfast.cli.flags import FlagsCommand, bool_flag, require_tensorflow
from bertfast.errors import InputError
from bertfast.files import check_outputs
from bertfast.runtime.progress import duration, show_progress


@click.command(cls=FlagsCommand)
@click.option(
    "--input_file",
    required=True,
    metavar="FILE,...",
    help="Text files or patterns: one sentence a line, a blank line between documents.",
)
@click.option(
    "--output_file",
    required=True,
    metavar="FILE,...",
    help="TFRecord files to write; instances go to them in turn.",
)
@click.option(
    "--vocab_file",
    required=True,
    metavar="FILE",
    help="The vocabulary that the model is trained on.",
)
@bool_flag("do_lower_case", True, "Lower the text: true for uncased models, false for cased ones.")
@bool_flag("do_whole_word_mask", False, "Mask all pieces of a word or none.")
@click.option("--max_seq_length", type=int, default=128, show_default=True)
@click.option(
    "--max_predictions_per_seq",
    type=int,
    default=20,
    show_default=True,
    help="Masked tokens of an instance at most.",
)
@click.option("--random_seed", type=int, default=12345, show_default=True)
@click.option(
    "--dupe_factor",
    type=int,
    default=10,
    show_default=True,
    help="How often each document is used, with other masks each time.",
)
@click.option(
    "--masked_lm_prob",
    type=float,
    default=0.15,
    show_default=True,
    help="Share of tokens to predict.",
)
@click.option(
    "--short_seq_prob",
    type=float,
    default=0.1,
    show_default=True,
    help="How often a document gives shorter instances than fit.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def create_pretraining_data(
    *,
    input_file: str,
    output_file: str,
    vocab_file: str,
    do_lower_case: bool,
    do_whole_word_mask: bool,
    max_seq_length: int,
    max_predictions_per_seq: int,
    random_seed: int,
    dupe_factor: int,
    masked_lm_prob: float,
    short_seq_prob: float,
    quiet: bool,
) -> None:
    """Make pretraining data for masked LM and next sentence prediction.

    The flags are those of the original create_pretraining_data.py, and so are the instances
    for a seed. Everything is held in memory: split a large corpus and run once for each part.
    """
    started = time.monotonic()
    require_tensorflow("create-pretraining-data")
    input_files = find_files(input_file)
    output_files = output_file.split(",")
    _check_apart(input_files, output_files)
    check_outputs(output_files)
    from bertfast.glue.pretraining import create_training_instances
    from bertfast.tokenizer import Tokenizer

    tokenizer = Tokenizer(vocab_file, do_lower_case=do_lower_case)
    with _progress(quiet) as on_progress:
        instances = create_training_instances(
            input_files,
            tokenizer,
            max_seq_length,
            dupe_factor,
            short_seq_prob,
            masked_lm_prob,
            max_predictions_per_seq,
            random.Random(random_seed),
            do_whole_word_mask=do_whole_word_mask,
            on_progress=on_progress,
        )
    from bertfast.tf.pretraining_records import write_instance_to_example_files

    lengths = max_seq_length, max_predictions_per_seq
    write_instance_to_example_files(
        instances, tokenizer, *lengths, output_files, progress=not quiet
    )
    if not quiet:
        seconds = duration(time.monotonic() - started)
        sys.stderr.write(
            f"{len(instances):,} instances from {len(input_files)} text files in {seconds}; "
            f"written to {', '.join(output_files)}\n"
        )


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many documents have been used."""
    if quiet:
        yield None
        return
    with show_progress() as progress:

        def on_progress(used: int, total: int) -> None:
            if used == 1:
                progress.set_total(total)
            progress.advance(1, 0)

        yield on_progress


def find_files(patterns: str) -> list[str]:
    """Return the files that comma-separated names and patterns stand for, each pattern sorted.

    Raises:
        InputError: a name or a pattern stands for no file.
    """
    files: list[str] = []
    for pattern in patterns.split(","):
        found = [pattern] if Path(pattern).is_file() else sorted(glob(pattern))  # noqa: PTH207  # absolute ones too
        if not found:
            raise InputError(f"no such file: {pattern!r}")
        files += found
    return files


def _check_apart(input_files: Sequence[str], output_files: Sequence[str]) -> None:
    inputs = {Path(path).resolve() for path in input_files}
    for path in output_files:
        if Path(path).resolve() in inputs:
            raise InputError(f"{path} is both read and written")
