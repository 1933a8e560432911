"""Prints what was found as tables."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bertfast.benchmark.measurement import Spread
from bertfast.benchmark.predict.results import Case, Entry, ModelResult, PredictReport

_PLAIN_WIDTH = 190  # columns where the output is no terminal


def print_report(report: PredictReport) -> None:
    """Print what was measured on what, a table a model, and who is missing."""
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    for line in _heading(report):
        console.print(Text(line), soft_wrap=True)
    for model in report.models:
        console.print()
        _print_model(console, model, report.settings["threads"])
    for missing in report.missing:
        console.print(Text(f"{missing.name} did not take part: {missing.reason}"), soft_wrap=True)


def _heading(report: PredictReport) -> list[str]:
    machine, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    threads = "1 thread" if settings["threads"] == 1 else f"{settings['threads']} threads"
    return [
        versions,
        f"{machine['cpu']} ({machine['n_cpus']} CPUs, {machine['architecture']}), {threads} each; "
        f"texts: {settings['texts']}",
        f"strings to embeddings, tokenizing included; median [quartiles] of {settings['rounds']} "
        f"interleaved rounds, each at the best of the batch sizes tried; a process each",
    ]


def _print_model(console: Console, model: ModelResult, n_threads: int) -> None:
    console.print(_table(model, n_threads))
    for line in _notes(model):
        console.print(Text(line), soft_wrap=True)
    if model.cases:
        console.print(_case_table(model.cases))
    for missing in model.missing:
        console.print(Text(f"{missing.name} did not take part: {missing.reason}"), soft_wrap=True)


def _table(model: ModelResult, n_threads: int) -> Table:
    least, _, median, _, most = model.lengths
    title = (
        f"{model.name}: {model.n_texts:,} texts, {model.n_tokens:,} tokens "
        f"({least} to {most} a text, median {median}), {model.flops_per_token / 1e6:.1f} MFLOP a "
        f"token; peak {model.peak_gflops:.1f} GFLOP/s a thread"
    )
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("runtime")
    table.add_column("batch", justify="right")
    table.add_column("cosine mean / worst", justify="right")
    table.add_column("texts per CPU second", justify="right", no_wrap=True)
    for name in ("wall", "bertfast is", "tokens/s", "of peak", "padding", "1 text ms", "p99"):
        table.add_column(name, justify="right")
    table.add_column("memory MB", justify="right")
    table.add_column("cold start s", justify="right")
    for entry in model.entries:
        table.add_row(*_cells(entry, _rival(entry, model.entries), n_threads))
    return table


def _rival(entry: Entry, entries: Sequence[Entry]) -> Entry:
    """Return the best row of bertfast in the entry's precision, or the first of all."""
    ours = [e for e in entries if _is_ours(e) and e.precision == entry.precision and e.speed]
    best = max(ours, key=lambda e: e.tokens_per_second or 0.0, default=entries[0])
    return entry if _is_ours(entry) else best


def _is_ours(entry: Entry) -> bool:
    return entry.name.startswith("bertfast")


def _cells(entry: Entry, rival: Entry, n_threads: int) -> list[str]:
    speed, latency = entry.speed, entry.latency
    cold = entry.cold_start_seconds
    return [
        entry.name,
        f"{entry.batch:,} {entry.unit}" if entry.batch else "own choice",
        _cosines(entry),
        _spread(speed.cpu) if speed else "-",
        _figure(speed.wall.median) if speed else "-",
        _ratio(entry, rival, n_threads),
        f"{entry.tokens_per_second:,.0f}" if entry.tokens_per_second else "-",
        _percent(entry.peak_share),
        _percent(entry.padding_waste),
        _figure(latency.median) if latency else "-",
        _figure(latency.p99) if latency else "-",
        f"{entry.peak_rss_mb:,.0f}" if entry.peak_rss_mb is not None else "-",
        _figure(cold.median) if cold else "-",
    ]


def _cosines(entry: Entry) -> str:
    if entry.cosine_mean is None or entry.cosine_worst is None:
        return "-"
    return f"{entry.cosine_mean:.5f} / {entry.cosine_worst:.5f}"


def _ratio(entry: Entry, rival: Entry, n_threads: int) -> str:
    if entry is rival or entry.speed is None or rival.speed is None:
        return ""
    return f"x {rival.speed.fair(n_threads).median / entry.speed.fair(n_threads).median:.2f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _notes(model: ModelResult) -> list[str]:
    lines = [f"{entry.name}: {entry.note}" for entry in model.entries if entry.note]
    lines += [
        f"{entry.name}: {entry.n_different} texts have other embeddings than bertfast's"
        for entry in model.entries
        if entry.precision == "fp32" and entry.n_different and entry.speed
    ]
    return lines


def _case_table(cases: Sequence[Case]) -> Table:
    title = "bertfast by itself; threads by wall, streams by CPU time"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("case", no_wrap=True)
    table.add_column("runtime")
    table.add_column("texts/s", justify="right", no_wrap=True)
    table.add_column("compared")
    for case in cases:
        value = _spread(case.value) if case.value else "-"
        compared = f"{case.ratio:.2f} x {case.baseline}" if case.ratio is not None else case.note
        table.add_row(case.name, case.competitor, value, compared)
    return table


def _spread(spread: Spread) -> str:
    return f"{_figure(spread.median)} [{_figure(spread.q1)}-{_figure(spread.q3)}]"


def _figure(value: float) -> str:
    """Return three significant digits, or all before the point.

    >>> _figure(1234.5), _figure(12.345), _figure(0.012345)
    ('1,234', '12.3', '0.012')
    """
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"
