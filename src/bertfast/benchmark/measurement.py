"""Times: interleaved rounds, garbage collection frozen, medians and quartiles."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

Task = Callable[[], object]

# A turn repeats a quick task until it has lasted about this long, so that what the
# competitor before it left in the processor's caches weighs little.
_TURN_SECONDS = 0.03
_MAX_PASSES = 10_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of one pass: of the whole process's CPU time, and of the clock on the wall."""

    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of one quantity."""

    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarize one or more values.

        >>> Spread.of([4.0, 1.0, 3.0, 2.0, 5.0])
        Spread(median=3.0, q1=2.0, q3=4.0)
        """
        q1, median, q3 = (float(value) for value in np.percentile(values, [25, 50, 75]))
        return cls(median=median, q1=q1, q3=q3)


@contextmanager
def frozen_garbage_collection() -> Iterator[None]:
    """Keep the garbage collector out of what is timed."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def time_once(task: Task, passes: int = 1) -> Sample:
    """Run a task `passes` times and return the time of one."""
    repeat = range(passes)
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in repeat:
        task()
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return Sample(cpu / passes / 1e9, wall / passes / 1e9)


def interleave(tasks: Mapping[str, Task], n_rounds: int) -> dict[str, list[Sample]]:
    """Time every task once a round, in an order that moves on by one each round.

    Each task runs once before, unmeasured, to warm up and to see how often a turn must
    repeat it.
    """
    names = list(tasks)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    with frozen_garbage_collection():
        passes = {name: _passes_a_turn(task) for name, task in tasks.items()}
        for number in range(n_rounds):
            shift = number % len(names) if names else 0
            for name in names[shift:] + names[:shift]:
                samples[name].append(time_once(tasks[name], passes[name]))
    return samples


def _passes_a_turn(task: Task) -> int:
    seconds = time_once(task).wall_seconds
    return max(1, min(_MAX_PASSES, math.ceil(_TURN_SECONDS / max(seconds, 1e-9))))
