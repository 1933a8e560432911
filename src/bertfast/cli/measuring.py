"""What the commands that measure have in common: options, steps on the terminal, JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

EXIT_WRONG_RESULTS = 1

peers_option = click.option(
    "--peers",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="all (whichever are installed), none, or names parted by commas.",
)
threads_option = click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
json_option = click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Also write the figures to OUT.",
)
plot_option = click.option(
    "--plot",
    "plot_path",
    type=click.Path(path_type=Path),
    metavar="OUT.png",
    help="Also draw them (needs matplotlib).",
)


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write a report as indented JSON."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


@contextmanager
def show_steps() -> Iterator[Callable[[str], None]]:
    """Show the current step on a terminal; leave nothing behind, so that errors are one line."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: None
        return
    with console.status("starting") as status:
        yield lambda step: status.update(f"{step} ...")
