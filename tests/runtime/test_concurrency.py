"""One Predictor for sixteen threads: every call has the serial result."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from bertfast.runtime import Predictor
from tests.runtime.probe_model import write_probe_bundle

N_THREADS = 16
TEXTS = [" ".join("abcdefgh"[(n + place) % 8] for place in range(n % 13)) for n in range(50)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(write_probe_bundle(tmp_path_factory.mktemp("shared") / "bundle"), threads=1)


def answers(model: Predictor, form: int) -> list[np.ndarray[Any, Any]]:
    """The predictions of one way of asking; there are five."""
    if form == 0:
        return [model.predict(TEXTS)]
    if form == 1:
        return [model.predict(TEXTS, TEXTS[::-1])]
    if form == 2:
        return [model.predict(TEXTS[:7])]
    if form == 3:
        return list(model.predict_iter(TEXTS, window=5))
    return [model.predict([])]


def test_threads_with_differing_calls_get_the_serial_results(model: Predictor) -> None:
    expected = [answers(model, form) for form in range(5)]
    barrier = threading.Barrier(N_THREADS)

    def work(thread: int) -> bool:
        barrier.wait()
        good = True
        for turn in range(10):
            form = (thread + turn) % 5
            given = answers(model, form)
            good &= all(np.array_equal(*pair) for pair in zip(given, expected[form], strict=True))
        return good

    with ThreadPoolExecutor(N_THREADS) as pool:
        assert all(pool.map(work, range(N_THREADS)))


def test_threads_that_come_first_together_open_one_session(model: Predictor) -> None:
    fresh = Predictor(model.bundle.path, threads=1)
    barrier = threading.Barrier(N_THREADS)

    def work(thread: int) -> np.ndarray[Any, Any]:
        barrier.wait()
        return fresh.predict(TEXTS[:3])

    with ThreadPoolExecutor(N_THREADS) as pool:
        results = list(pool.map(work, range(N_THREADS)))
    assert all(np.array_equal(result, results[0]) for result in results)
