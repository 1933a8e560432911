"""How much arithmetic a model needs, and how much one thread of this processor can do."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.predict.processes import thread_environment
from bertfast.config import BertConfig

# Rows, inner and columns of products; the best counts.
_SHAPES = ((512, 512, 512), (1024, 1024, 1024), (256, 384, 1536), (512, 768, 3072))
_TRIES = 5
_TIMEOUT_SECONDS = 120


def useful_flops(config: BertConfig, lengths: NDArray[np.int64]) -> float:
    """Return the floating-point operations of the matrix products of the encoder's layers.

    A token takes 2 x (4 H^2 + 2 H I) operations a layer in the kernels, and 4 x H x n in the
    products of attention, where H and I are the hidden and the intermediate size and n the
    tokens of its text. Padding, softmax, norms and pooling count nothing.
    """
    hidden, layers = config.hidden_size, config.num_hidden_layers
    kernels = 2 * (4 * hidden**2 + 2 * hidden * config.intermediate_size)
    total = kernels * lengths.sum() + 4 * hidden * (lengths.astype(np.float64) ** 2).sum()
    return float(layers * total)


def measure_peak() -> float:
    """Return the best rate of numpy's float32 product on one thread, in GFLOP/s.

    It is measured in a process of its own, so that the thread limit is in force.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bertfast.benchmark.predict.work"],
        env=os.environ | thread_environment(1),
        capture_output=True,
        timeout=_TIMEOUT_SECONDS,
        check=True,
    )
    return float(json.loads(done.stdout))


def best_rate(shapes: Sequence[tuple[int, int, int]] = _SHAPES, tries: int = _TRIES) -> float:
    """Multiply matrices of some shapes in this process; the best rate in GFLOP/s of CPU time."""
    return max(_rate(*shape) for shape in shapes for _ in range(tries))


def _rate(rows: int, inner: int, columns: int) -> float:
    random = np.random.default_rng(0)
    left = random.standard_normal((rows, inner), np.float32)
    right = random.standard_normal((inner, columns), np.float32)
    product = np.empty((rows, columns), np.float32)
    repeats = max(1, int(1e9 / (rows * inner * columns)))
    start = time.process_time()
    for _ in range(repeats):
        np.matmul(left, right, out=product)
    seconds = time.process_time() - start
    return 2 * rows * inner * columns * repeats / max(seconds, 1e-9) / 1e9


if __name__ == "__main__":
    print(json.dumps(best_rate()))  # noqa: T201
