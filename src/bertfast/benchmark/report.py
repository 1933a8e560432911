"""Prints a report as tables."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bertfast.benchmark.measurement import Spread
from bertfast.benchmark.results import CaseResult, CorpusResult, Rates, Report

_PLAIN_WIDTH = 132  # columns where the output is no terminal


def print_report(report: Report) -> None:
    """Print what was measured on what, a table a corpus, the other cases, and who is missing."""
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    for line in _heading(report):
        console.print(Text(line), soft_wrap=True)
    for corpus in report.corpora:
        console.print()
        console.print(_corpus_table(corpus, report.settings["threads"]))
        for line in _notes(corpus):
            console.print(Text(line), soft_wrap=True)
    if report.cases:
        console.print()
        console.print(_case_table(report.cases, report.corpora[0].name))
    for missing in report.missing:
        console.print(Text(f"{missing.name} did not take part: {missing.reason}"), soft_wrap=True)


def _heading(report: Report) -> list[str]:
    machine, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    threads = "1 thread" if settings["threads"] == 1 else f"{settings['threads']} threads"
    casing = "lowercased" if settings["do_lower_case"] else "cased"
    return [
        versions,
        f"{machine['cpu']} ({machine['n_cpus']} CPUs, {machine['architecture']}), {threads}; "
        f"{settings['implementation']} core, kernel {settings['kernel']}",
        f"vocabulary {settings['vocabulary']}: {settings['vocabulary_size']:,} tokens, {casing}; "
        f"{settings['texts_per_call']:,} texts a call, ids without special tokens",
        f"MB/s of UTF-8: median [quartiles] of {settings['rounds']} interleaved rounds; first "
        f"pass: each in a fresh process that has seen no text",
    ]


def _corpus_table(corpus: CorpusResult, n_threads: int) -> Table:
    size = f"{corpus.n_bytes / 1e6:.1f} MB in {corpus.n_texts:,} texts"
    table = Table(title=f"{corpus.name}: {size}", title_justify="left", title_style="bold")
    table.add_column("tokenizer")
    table.add_column("texts that differ", justify="right")
    for pass_name in ("warm", "first pass"):
        table.add_column(f"{pass_name}, CPU", justify="right", no_wrap=True)
        table.add_column("wall", justify="right")
        table.add_column("bertfast is", justify="right")
    best = corpus.competitors[0]
    for result in corpus.competitors:
        table.add_row(
            result.name,
            f"{result.n_different:,}",
            *_rate_cells(result.warm, best.warm, n_threads),
            *_rate_cells(result.first_pass, best.first_pass, n_threads),
        )
    return table


def _rate_cells(rates: Rates | None, best: Rates | None, n_threads: int) -> list[str]:
    if rates is None:
        return ["-", "-", ""]
    ratio = ""
    if best is not None and best is not rates:
        ratio = f"x {best.fair(n_threads).median / rates.fair(n_threads).median:.1f}"
    return [_spread(rates.cpu), _figure(rates.wall.median), ratio]


def _notes(corpus: CorpusResult) -> list[str]:
    lines = []
    if corpus.n_checked < corpus.n_texts:
        lines.append(f"ids were compared on {corpus.n_checked:,} evenly spaced texts of these")
    lines += [f"{result.name}: {result.note}" for result in corpus.competitors if result.note]
    return lines


def _case_table(cases: list[CaseResult], corpus_name: str) -> Table:
    title = f"other cases, over {corpus_name}; latency and threads by wall, the rest by CPU time"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("case", no_wrap=True)
    table.add_column("tokenizer")
    table.add_column("median [quartiles]", justify="right", no_wrap=True)
    table.add_column("least", justify="right")
    table.add_column("unit")
    table.add_column("compared")
    for case in cases:
        table.add_row(case.case, case.competitor, *_case_cells(case))
    return table


def _case_cells(case: CaseResult) -> list[str]:
    if case.value is None or case.minimum is None:
        return ["-", "-", case.unit, case.note]
    compared = f"{case.ratio:.2f} x {case.baseline}" if case.ratio is not None else ""
    return [_spread(case.value), _figure(case.minimum), case.unit, compared]


def _spread(spread: Spread) -> str:
    return f"{_figure(spread.median)} [{_figure(spread.q1)}-{_figure(spread.q3)}]"


def _figure(value: float) -> str:
    """Return three significant digits, or all before the point.

    >>> _figure(1234.5), _figure(123.45), _figure(12.345), _figure(1.2345)
    ('1,234', '123', '12.3', '1.23')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
