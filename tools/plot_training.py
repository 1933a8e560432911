"""Draw the training curves of runs of `bertfast run-classifier` or `run-pretraining`.

Usage: python tools/plot_training.py OUTPUT.png RUN_DIR...

One panel a run: the loss of each step that was written for TensorBoard, its running mean, and
the learning rate. Titles are the folders' names, with what eval_results.txt says.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

WIDTH, HEIGHT = 4.2, 3.0  # inches a panel
SMOOTHING = 0.7  # of the running mean, as TensorBoard's
COLOURS = {"loss": "#9dc3e6", "mean": "#1f5fa8", "rate": "#c0504d"}


def main() -> None:
    """Read the runs and write the figure."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("run_dirs", type=Path, nargs="+")
    arguments = parser.parse_args()
    n_runs = len(arguments.run_dirs)
    figure = Figure(figsize=(WIDTH * n_runs, HEIGHT), layout="constrained")
    panels = figure.subplots(1, n_runs, squeeze=False)[0]
    for panel, run_dir in zip(panels, arguments.run_dirs, strict=True):
        draw(panel, run_dir)
    figure.savefig(arguments.output, dpi=110)


def draw(panel: Any, run_dir: Path) -> None:
    """Draw one run."""
    steps, losses = read_scalar(run_dir, "loss")
    panel.plot(steps, losses, color=COLOURS["loss"], linewidth=0.8, label="loss")
    panel.plot(steps, running_mean(losses), color=COLOURS["mean"], label="running mean")
    panel.set_xlabel("step")
    panel.set_ylim(bottom=0)
    rates = panel.twinx()
    rates.plot(*read_scalar(run_dir, "learning_rate"), color=COLOURS["rate"], linewidth=0.8)
    rates.set_ylim(bottom=0)
    rates.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    rates.set_ylabel("learning rate", color=COLOURS["rate"])
    panel.set_title(title(run_dir), fontsize=9)
    panel.legend(loc="upper right", frameon=False, fontsize=8)


def title(run_dir: Path) -> str:
    """Return the run's name and its figures on the dev set."""
    results = run_dir / "eval_results.txt"
    if not results.exists():
        return run_dir.name
    lines = [line.split(" = ") for line in results.read_text(encoding="utf-8").splitlines()]
    figures = {name.removeprefix("eval_"): float(value) for name, value in lines}
    shown = ("accuracy", "f1", "matthews_correlation")
    texts = [f"{name.replace('_', ' ')} {figures[name]:.3f}" for name in shown if name in figures]
    return f"{run_dir.name}: dev {', '.join(texts)}"


def read_scalar(run_dir: Path, name: str) -> tuple[list[int], list[float]]:
    """Return steps and values; a run that was resumed has several files."""
    from tensorflow import make_ndarray

    events = EventAccumulator(str(run_dir), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    by_step = {
        event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(name)
    }
    return sorted(by_step), [by_step[step] for step in sorted(by_step)]


def running_mean(values: Sequence[float]) -> list[float]:
    """Exponential mean, corrected for its start."""
    mean, weight, means = 0.0, 0.0, []
    for value in values:
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        means.append(mean / weight)
    return means


if __name__ == "__main__":
    main()
