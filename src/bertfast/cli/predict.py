"""`bertfast predict`: run a model over a file of texts."""

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from bertfast.jobs import Column, JobSummary, predict_file
from bertfast.jobs.formats import INPUT_FORMATS, OUTPUT_FORMATS
from bertfast.runtime import Predictor
from bertfast.runtime.batching import DEFAULT_TOKEN_BUDGET
from bertfast.runtime.progress import Silence, duration, show_progress


def _column(context: click.Context, parameter: click.Parameter, value: str | None) -> Column | None:
    """Read a column: digits are a number from 0, anything else is a name."""
    if value is not None and value.isascii() and value.isdigit():
        return int(value)
    return value


@click.command()
@click.argument("input_path", metavar="INPUT")
@click.option("--model", "-m", required=True, metavar="DIR", help="Exported model directory.")
@click.option(
    "--output", "-o", required=True, metavar="OUTPUT", help='File to write, "-" for stdout.'
)
@click.option(
    "--format",
    "input_format",
    type=click.Choice(INPUT_FORMATS),
    help="Format of INPUT [default: by its extension; lines for stdin].",
)
@click.option(
    "--output-format",
    type=click.Choice(OUTPUT_FORMATS),
    help="Format of OUTPUT [default: by its extension; jsonl for stdout].",
)
@click.option(
    "--text-column",
    callback=_column,
    metavar="C",
    help='Column of the texts, a name or a number from 0 [default: 0; "text" in JSON lines].',
)
@click.option(
    "--pair-column", callback=_column, metavar="C", help="Column of the second texts [none]."
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first line of a TSV or CSV file names the columns [if C is a name].",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads [default: all CPUs].")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option(
    "--max-length", type=click.IntRange(min=2), help="Tokens a row at most [the model's own]."
)
@click.option(
    "--token-budget",
    type=click.IntRange(min=1),
    default=DEFAULT_TOKEN_BUDGET,
    show_default=True,
    help="Tokens a batch at most.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def predict(
    *,
    input_path: str,
    model: str,
    output: str,
    input_format: str | None,
    output_format: str | None,
    text_column: Column | None,
    pair_column: Column | None,
    header: bool | None,
    threads: int | None,
    device: str,
    max_length: int | None,
    token_budget: int,
    quiet: bool,
) -> None:
    """Run a model over a file of texts, one prediction a row, in the same order.

    INPUT is plain lines (.txt), TSV without quoting (.tsv), CSV (.csv) or JSON lines
    (.jsonl); "-" is standard input. A classifier's labels and probabilities are written as
    lines, tsv, csv or jsonl, embeddings as jsonl, either as one .npy array.
    """
    _check_input_exists(input_path)
    predictor = Predictor(
        model, device=device, threads=threads, max_length=max_length, token_budget=token_budget
    )
    with nullcontext(Silence()) if quiet else show_progress() as progress:
        summary = predict_file(
            input_path,
            output,
            predictor,
            input_format=input_format,
            output_format=output_format,
            text_column=text_column,
            pair_column=pair_column,
            header=header,
            progress=progress,
        )
    if not quiet:
        sys.stderr.write(_summary_line(summary, output) + "\n")


def _check_input_exists(input_path: str) -> None:
    """Fail on a missing file before the model is read."""
    if input_path != "-":
        Path(input_path).stat()


def _summary_line(summary: JobSummary, output: str) -> str:
    target = "standard output" if output == "-" else output
    return (
        f"{summary.rows:,} rows, {summary.tokens:,} tokens in {duration(summary.seconds)}: "
        f"{summary.rows_per_second:,.1f} rows/s; written to {target}"
    )
