"""Draws the rates: horizontal bars, a panel a model, bertfast in colour."""

from importlib import import_module
from pathlib import Path
from typing import Any

from bertfast.benchmark.plot import check_can_plot
from bertfast.benchmark.predict.results import ModelResult, PredictReport

_OUR_COLOUR = "#1f5fa8"
_COLOUR = "#9dc3e6"
_DPI = 110


def plot_report(report: PredictReport, path: Path) -> None:
    """Write a PNG of the rates: by CPU time, or by wall time if there are several threads.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    check_can_plot()
    figure_class = import_module("matplotlib.figure").Figure
    n_threads = report.settings["threads"]
    heights = [max(1, len(_timed(model))) for model in report.models]
    size = (8.5, 0.7 * len(heights) + 0.3 * sum(heights) + 0.7)
    figure = figure_class(figsize=size, layout="constrained")
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    for model, panel in zip(report.models, panels[:, 0], strict=True):
        _draw_panel(panel, model, n_threads)
    measured = "CPU second, 1 thread" if n_threads == 1 else f"second, {n_threads} threads"
    panels[-1, 0].set_xlabel(f"texts per {measured}, {report.machine['cpu']}")
    figure.savefig(path, format="png", dpi=_DPI)


def _timed(model: ModelResult) -> list[tuple[str, float]]:
    """Return names and rates, the fastest first."""
    n_texts_per_token = model.n_texts / max(1, model.n_tokens)
    rates = [
        (entry.name, entry.tokens_per_second * n_texts_per_token)
        for entry in model.entries
        if entry.tokens_per_second
    ]
    return sorted(rates, key=lambda pair: -pair[1])


def _draw_panel(panel: Any, model: ModelResult, n_threads: int) -> None:
    rates = _timed(model)
    names = [name for name, _ in rates]
    colours = [_OUR_COLOUR if name.startswith("bertfast") else _COLOUR for name in names]
    bars = panel.barh(range(len(names)), [rate for _, rate in rates], 0.7, color=colours)
    labels = [f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}" for _, rate in rates]
    panel.bar_label(bars, labels, padding=3, fontsize=8)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(model.name, loc="left", fontsize=10, fontweight="bold")
