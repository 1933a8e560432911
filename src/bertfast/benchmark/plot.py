"""Draws a report: horizontal bars, warm and first pass, one panel a corpus."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bertfast.benchmark.results import CorpusResult, Report
from bertfast.errors import MissingDependencyError

_WARM_COLOUR = "#1f5fa8"
_FIRST_PASS_COLOUR = "#9dc3e6"
_BAR_HEIGHT = 0.38
_DPI = 110


def check_can_plot() -> None:
    """Fail before anything is measured if the figure could not be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("--plot needs matplotlib; run pip install 'bertfast[bench]'")


def plot_report(report: Report, path: Path) -> None:
    """Write a PNG of the rates: by CPU time, or by wall time if there are several threads.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    check_can_plot()
    figure_class = import_module("matplotlib.figure").Figure
    n_threads = report.settings["threads"]
    n_bars = sum(len(corpus.competitors) for corpus in report.corpora)
    n_panels = len(report.corpora)
    size = (8.5, 0.6 * n_panels + 0.36 * n_bars + 0.7)
    figure = figure_class(figsize=size, layout="constrained")
    heights = [len(corpus.competitors) for corpus in report.corpora]
    panels = figure.subplots(n_panels, 1, squeeze=False, height_ratios=heights)
    for corpus, panel in zip(report.corpora, panels[:, 0], strict=True):
        _draw_panel(panel, corpus, n_threads)
    panels[0, 0].legend(loc="lower right", frameon=False)
    measured = "CPU time, 1 thread" if n_threads == 1 else f"wall time, {n_threads} threads"
    panels[-1, 0].set_xlabel(f"MB/s of UTF-8 by {measured}, {report.machine['cpu']}")
    figure.savefig(path, format="png", dpi=_DPI)


def _draw_panel(panel: Any, corpus: CorpusResult, n_threads: int) -> None:
    names = [result.name for result in corpus.competitors]
    series = (
        ("warm", _WARM_COLOUR, -1, [result.warm for result in corpus.competitors]),
        ("first pass", _FIRST_PASS_COLOUR, 1, [result.first_pass for result in corpus.competitors]),
    )
    for label, colour, side, rates in series:
        places = [index + side * _BAR_HEIGHT / 2 for index in range(len(names))]
        widths = [rate.fair(n_threads).median if rate else 0.0 for rate in rates]
        bars = panel.barh(places, widths, _BAR_HEIGHT, color=colour, label=label)
        labels = [f"{width:.0f}" if width >= 10 else f"{width:.1f}" for width in widths]
        panel.bar_label(bars, labels, padding=3, fontsize=8)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(corpus.name, loc="left", fontsize=10, fontweight="bold")
