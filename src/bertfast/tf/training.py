"""The training loop: steps, checkpoints, summaries, and going on where a run ended."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf

from bertfast.errors import TrainingError
from bertfast.runtime.progress import duration
from bertfast.tf.batches import distribute
from bertfast.tf.checkpoints import CheckpointStore
from bertfast.tf.failures import computing, writing
from bertfast.tf.initialization import snapshot
from bertfast.tf.optimization import AdamWeightDecay
from bertfast.tf.train_step import TrainStep

Variable: TypeAlias = Any
Dataset: TypeAlias = Any

_STEPS_BETWEEN_REPORTS = 100  # as TensorFlow's Estimator
_FIRST_REPORT = 10


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a loop stops, saves and reports, in steps. `batch_size` is for the rate it reports."""

    n_steps: int
    save_every: int
    steps_per_loop: int
    batch_size: int

    def next_stop(self, step: int) -> int:
        """Return the next step at which something is due.

        >>> Schedule(n_steps=250, save_every=120, steps_per_loop=1000, batch_size=1).next_stop(100)
        120
        """
        due = (
            step + self.steps_per_loop,
            _after(step, self.save_every),
            _after(step, _STEPS_BETWEEN_REPORTS),
            self.n_steps,
        )
        return min([*due, _FIRST_REPORT] if step < _FIRST_REPORT else due)

    def is_report(self, step: int) -> bool:
        """Tell whether a line is due after a step."""
        return step in (_FIRST_REPORT, self.n_steps) or step % _STEPS_BETWEEN_REPORTS == 0

    def is_save(self, step: int) -> bool:
        """Tell whether a checkpoint is due after a step."""
        return step == self.n_steps or step % self.save_every == 0


class TrainingLoop:
    """Trains from the optimizer's step to the schedule's last."""

    def __init__(
        self,
        step: TrainStep,
        optimizer: AdamWeightDecay,
        store: CheckpointStore,
        schedule: Schedule,
        *,
        summary_dir: Path,
        say: Callable[[str], None],
    ) -> None:
        """Prepare a loop.

        Args:
            step: runs the steps.
            optimizer: holds the weights, the slots and the step.
            store: gets the checkpoints.
            schedule: says when.
            summary_dir: gets TensorBoard's files.
            say: called with a line of text for each report.
        """
        self._step = step
        self._optimizer = optimizer
        self._store = store
        self._schedule = schedule
        self._summary_dir = summary_dir
        self._writer = tf.summary.create_file_writer(str(summary_dir))
        self._say = say

    def run(self, open_dataset: Callable[[int], Dataset]) -> None:
        """Train; `open_dataset` is called with the number of batches that were trained on.

        Raises:
            TrainingError: the loss is no number any more.
            CheckpointError: a checkpoint cannot be written; those before it are intact.
        """
        step = int(self._optimizer.global_step.numpy())
        schedule = self._schedule
        if step >= schedule.n_steps:
            self._say(f"nothing to train: step {step} of {schedule.n_steps} is done")
            return
        strategy = tf.distribute.get_strategy()
        iterator = iter(distribute(open_dataset(step), strategy))
        reports = _Reports(self._say, schedule, step)
        while step < schedule.n_steps:
            stop = schedule.next_stop(step)
            with computing():
                loss = self._step.run(iterator, stop - step)
            reports.add(stop - step, loss)
            step = stop
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} at step {step}; lower --learning_rate or raise the warmup"
                )
            if schedule.is_report(step):
                rate = float(self._optimizer.learning_rate(step - 1))
                self._summarize(step, reports.mean_loss, rate)
                reports.report(step, rate)
            if schedule.is_save(step):
                prefix = self._store.save(step, snapshot(trained_variables(self._optimizer)))
                self._say(f"saved {prefix}")
        with writing(self._summary_dir):
            self._writer.flush()

    def _summarize(self, step: int, loss: float, rate: float) -> None:
        with writing(self._summary_dir), self._writer.as_default():
            tf.summary.scalar("loss", loss, step)
            tf.summary.scalar("learning_rate", rate, step)


class _Reports:
    """Lines such as "step 200 of 2104, loss 0.4310, 48.2 examples/s, 12 min 05 s left"."""

    def __init__(self, say: Callable[[str], None], schedule: Schedule, step: int) -> None:
        self._say = say
        self._schedule = schedule
        self._last_step = self._counted_from = step
        self._counting_since: float | None = None  # the first steps compile; they do not count
        self._loss_sum = 0.0
        self._n_steps = 0

    @property
    def mean_loss(self) -> float:
        """Of the steps since the last report."""
        return self._loss_sum / max(self._n_steps, 1)

    def add(self, n_steps: int, loss: float) -> None:
        """Count steps and their mean loss."""
        self._loss_sum += n_steps * loss
        self._n_steps += n_steps

    def report(self, step: int, learning_rate: float) -> None:
        """Print a line and count anew."""
        line = f"step {step} of {self._schedule.n_steps}, loss {self.mean_loss:.4f}"
        line += f", learning rate {learning_rate:.2e}"
        now = time.monotonic()
        if self._counting_since is None:
            self._counting_since, self._counted_from = now, step
        else:
            rate = (step - self._counted_from) / max(now - self._counting_since, 1e-9)
            left = (self._schedule.n_steps - step) / rate
            line += f", {rate * self._schedule.batch_size:,.1f} examples/s"
            line += f", {duration(left)} left" if left else ""
        self._say(line)
        self._loss_sum, self._n_steps = 0.0, 0


def trained_variables(optimizer: AdamWeightDecay) -> Sequence[Variable]:
    """Return what a checkpoint holds: weights, slots and the step."""
    return [*optimizer.weights, *optimizer.m, *optimizer.v, optimizer.global_step]


def _after(step: int, interval: int) -> int:
    """Return the next multiple of `interval` after `step`.

    >>> _after(100, 100), _after(99, 100)
    (200, 100)
    """
    return (step // interval + 1) * interval
