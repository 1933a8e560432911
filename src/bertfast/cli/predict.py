"""`bertfast predict`: run a model over files of texts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import click

from bertfast.bundle import Bundle
from bertfast.cli.task_options import parse_column, read_column
from bertfast.errors import InputError
from bertfast.files import check_outputs
from bertfast.jobs import Column, JobOptions, JobSummary, plan_job
from bertfast.jobs.fields import FIELDS, check_fields, output_for
from bertfast.jobs.formats import COMPRESSIONS, INPUT_FORMATS, OUTPUT_FORMATS
from bertfast.jobs.job import Job
from bertfast.jobs.predict import DEFAULT_PART_ROWS
from bertfast.jobs.sources import find_sources
from bertfast.runtime import Predictor
from bertfast.runtime.batching import DEFAULT_TOKEN_BUDGET
from bertfast.runtime.engines import ENGINES, PRECISIONS, Engine, Precision
from bertfast.runtime.overflow import OVERFLOWS
from bertfast.runtime.progress import Silence, duration, show_progress


def _columns(context: click.Context, parameter: click.Parameter, value: str) -> tuple[Column, ...]:
    """Split "id,2" into its columns."""
    return tuple(parse_column(column.strip()) for column in value.split(",") if column.strip())


def _fields(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """Split "label,probability" into its fields."""
    return check_fields([name.strip() for name in value.split(",") if name.strip()])


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "--model", "-m", metavar="DIR", help="Exported model directory [one that names the language]."
)
@click.option(
    "--output",
    "-o",
    required=True,
    metavar="OUTPUT",
    help='File to write, "FOLDER/" for a file a part, "-" for stdout.',
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
    help="Format of OUTPUT [default: by its extension; jsonl for stdout and folders].",
)
@click.option(
    "--compression",
    type=click.Choice(COMPRESSIONS),
    help="Compression of OUTPUT [default: by its extension, .gz or .zst].",
)
@click.option(
    "--text-column",
    callback=read_column,
    metavar="C",
    help='Column of the texts, a name or a number from 0 [default: 0; "text" in JSON lines].',
)
@click.option(
    "--pair-column", callback=read_column, metavar="C", help="Column of the second texts [none]."
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first line of a TSV or CSV file names the columns [if C is a name].",
)
@click.option(
    "--keep", callback=_columns, default="", metavar="C,...", help="Columns to copy to OUTPUT."
)
@click.option(
    "--fields",
    callback=_fields,
    default="",
    metavar="F,...",
    help=f"What to write: {', '.join(FIELDS)} [label and scores, or the embedding].",
)
@click.option("--prefix", default="", metavar="P", help="Stands before predicted columns' names.")
@click.option(
    "--on-error",
    type=click.Choice(("fail", "reject")),
    default="fail",
    show_default=True,
    help="Stop at a bad row, or list it in the rejects file and go on.",
)
@click.option("--rejects", metavar="FILE", help="The rejects file [OUTPUT.rejects.jsonl].")
@click.option(
    "--max-text-bytes", type=click.IntRange(min=1), help="A longer text is a bad row [no limit]."
)
@click.option(
    "--part-rows",
    type=click.IntRange(min=1),
    default=DEFAULT_PART_ROWS,
    show_default=True,
    help="Rows of a part: what is lost by a crash, at most.",
)
@click.option("--overwrite", is_flag=True, help="Start anew and replace OUTPUT.")
@click.option("--force", is_flag=True, help="Resume although inputs, model or versions changed.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads [default: all CPUs].")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Batches that run at a time, each on threads // N threads [as many as threads].",
)
@click.option(
    "--max-memory",
    metavar="SIZE",
    help='What batches, ids and predictions under way may take, as "500MB" [no limit].',
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What runs the model; auto takes bertfast's own where it can.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="int8 makes int8 weights of an fp32 model [the model's own].",
)
@click.option(
    "--max-length", type=click.IntRange(min=2), help="Tokens a row at most [the model's own]."
)
@click.option(
    "--overflow",
    type=click.Choice(OVERFLOWS),
    default="truncate",
    show_default=True,
    help="Cut longer texts, or predict them in windows and pool these (see docs/export.md).",
)
@click.option(
    "--stride",
    type=click.IntRange(min=0),
    metavar="N",
    help="Pieces that two windows share [a quarter of the length].",
)
@click.option(
    "--token-budget",
    type=click.IntRange(min=1),
    default=DEFAULT_TOKEN_BUDGET,
    show_default=True,
    help="Tokens a batch at most.",
)
@click.option("--json-summary", metavar="FILE", help='Write the counts as JSON ("-": stdout).')
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def predict(
    *,
    inputs: tuple[str, ...],
    model: str | None,
    output: str,
    threads: int | None,
    workers: int | None,
    max_memory: str | None,
    device: str,
    engine: Engine,
    precision: Precision | None,
    max_length: int | None,
    token_budget: int,
    json_summary: str | None,
    quiet: bool,
    on_error: Literal["fail", "reject"],
    **options: Any,
) -> None:
    """Run a model over files of texts, one prediction a row, in the same order.

    INPUT is plain lines (.txt), TSV without quoting (.tsv), CSV (.csv), JSON lines (.jsonl) or
    Parquet (.parquet), compressed or not (.gz, .zst): files, patterns, folders, or "-" for
    standard input. A job that was interrupted goes on when the same command is run again.
    """
    if json_summary == "-" and output == "-":
        raise InputError("predictions and summary cannot both go to standard output")
    job_options = JobOptions(on_error=on_error, **options)
    sources = find_sources(inputs, job_options.input_format)  # before the model is read
    _check_summary(json_summary, [output, *(source.path for source in sources)])
    bundle = Bundle.load(model)
    predictor = Predictor(
        bundle,
        device=device,
        threads=threads,
        max_length=max_length,
        token_budget=token_budget,
        output=output_for(job_options.fields, bundle.manifest),
        engine=engine,
        precision=precision,
        workers=workers,
        max_memory=max_memory,
    )
    with nullcontext(Silence()) if quiet else show_progress() as progress:
        job = plan_job(inputs, output, predictor, options=job_options, progress=progress)
        with _advice(job, quiet=quiet, overwrite=job_options.overwrite):
            summary = job.run()
    if json_summary == "-":
        sys.stdout.write(summary.to_json() + "\n")
    elif json_summary is not None:
        Path(json_summary).write_text(summary.to_json() + "\n", encoding="utf-8")
    if not quiet:
        sys.stderr.write(_summary_lines(summary))


def _check_summary(name: str | None, others: list[str]) -> None:
    """Raise InputError for a summary that cannot be written, or would replace another file."""
    if name == "-" and sys.stdout is None:
        raise InputError("standard output is closed; name a file for the summary")
    if name is None or name == "-":
        return
    check_outputs([name])
    if os.path.realpath(name) in {os.path.realpath(other) for other in others}:
        raise InputError(f"{name} is an input or the output; name another --json-summary")


@contextmanager
def _advice(job: Job, *, quiet: bool, overwrite: bool) -> Iterator[None]:
    """Say how to go on after a job that was interrupted, if anything of it is kept."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if job.rows_kept and not quiet:
            without = ", without --overwrite" if overwrite else ""
            sys.stderr.write(
                f"interrupted; {job.rows_kept:,} rows are done and kept: "
                f"run the same command again to go on{without}\n"
            )
        raise


def _summary_lines(summary: JobSummary) -> str:
    target = "standard output" if summary.output == "-" else summary.output
    resumed = f" ({summary.rows_resumed:,} by earlier runs)" if summary.rows_resumed else ""
    lines = (
        f"{summary.rows_out:,} rows, {summary.tokens:,} tokens in {duration(summary.seconds)}: "
        f"{summary.rows_per_second:,.1f} rows/s; written to {target}\n"
        f"rows in {summary.rows_in:,}{resumed} = out {summary.rows_out:,} + "
        f"rejected {summary.rows_rejected:,}; truncated {summary.rows_truncated:,}\n"
    )
    if summary.rejects is not None:
        lines += f"rejected rows are listed in {summary.rejects}\n"
    return lines
