"""The options of a command that choose a task, and its columns where it is any TSV."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_MAX_DIGITS = 18  # of the number of a column; Python reads no number of 4,301 digits


def read_column(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | int | None:
    """Read a column: digits are a number from 0, anything else is a name."""
    return None if value is None else parse_column(value)


def parse_column(value: str) -> str | int:
    """Return a number for digits, else the name itself."""
    is_number = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
    return int(value) if is_number else value


def read_labels(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[str] | None:
    """Split "a, b,c" into its labels."""
    return None if value is None else [label.strip() for label in value.split(",")]


def task_options(command: Command) -> Command:
    """Add `task_name` and the arguments of `bertfast.glue.make_processor` that go with it."""
    options = (
        click.option(
            "--task_name",
            required=True,
            metavar="TASK",
            help="cola, mnli, mrpc, sst-2, xnli, or tsv for any columns and labels.",
        ),
        click.option(
            "--text_column",
            callback=read_column,
            metavar="C",
            help="tsv: column of the texts, a name or a number from 0 [0].",
        ),
        click.option(
            "--text_b_column",
            callback=read_column,
            metavar="C",
            help="tsv: column of the second texts [none].",
        ),
        click.option(
            "--label_column", callback=read_column, metavar="C", help="tsv: column of labels [1]."
        ),
        click.option(
            "--labels",
            callback=read_labels,
            metavar="A,B,...",
            help="tsv: the labels in order [those of train.tsv, sorted].",
        ),
        click.option(
            "--header/--noheader",
            default=None,
            help="tsv: whether first lines name the columns [if a column is a name].",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
