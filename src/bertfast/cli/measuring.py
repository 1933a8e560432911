"""What the commands that measure have in common: steps on the terminal, JSON beside the table."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXIT_WRONG_RESULTS = 1


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
