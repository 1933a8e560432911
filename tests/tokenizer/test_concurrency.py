"""Sixteen threads with differing options; forks, spawned processes; subinterpreters."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Tokenizer

REPOSITORY = Path(__file__).resolve().parent.parent.parent
N_THREADS = 16
TEXTS = [f"Hello {n} unaffable café {'大学' * (n % 7)} {'é' * n} xyz☃!" for n in range(60)]

# What each call asks for; every thread begins with another.
OPTIONS: list[dict[str, Any]] = [
    {},
    {"max_length": 5},
    {"max_length": 16, "padding": "max_length"},
    {"return_offsets": True},
    {"text_pair": TEXTS[::-1], "max_length": 12},
    {"text_pair": TEXTS[::-1], "max_length": 30, "return_offsets": True, "num_threads": 3},
    {"dtype": np.int64, "num_threads": 2},
    {"add_special_tokens": False},
]


def arrays(tokenizer: Tokenizer, options: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    encoding = tokenizer(TEXTS, **options)
    extra = [encoding["offsets"]] if options.get("return_offsets") else []
    return [encoding.input_ids, encoding.input_mask, encoding.segment_ids, *extra]


def same(given: list[np.ndarray[Any, Any]], expected: list[np.ndarray[Any, Any]]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(given, expected, strict=True))


def test_threads_with_differing_options_get_the_serial_results(tokenizer: Tokenizer) -> None:
    expected = [arrays(tokenizer, options) for options in OPTIONS]
    barrier = threading.Barrier(N_THREADS)

    def work(thread: int) -> bool:
        barrier.wait()
        good = True
        for turn in range(3 * len(OPTIONS)):
            number = (thread + turn) % len(OPTIONS)
            given = arrays(tokenizer, OPTIONS[number])
            good &= same(given, expected[number])
        return good

    with ThreadPoolExecutor(N_THREADS) as pool:
        assert all(pool.map(work, range(N_THREADS)))


def _encoded(tokenizer: Tokenizer) -> bytes:
    return tokenizer.encode_ragged(TEXTS, num_threads=2)[0].tobytes()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_process_of_each_kind_gets_a_working_copy(tokenizer: Tokenizer, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_encoded, (tokenizer,)) == _encoded(tokenizer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_started_beside_busy_threads_end(method: str) -> None:
    """The short form of `make soak-fork`."""
    script = REPOSITORY / "benchmarks" / "soak_fork.py"
    rounds = "20" if method == "fork" else "2"
    done = subprocess.run(
        [sys.executable, str(script), "--method", method, "--rounds", rounds],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


SUBINTERPRETER_SCRIPT = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import bertfast  # in the main interpreter
code = '''
import sys
sys.path[:] = {path!r}
try:
    from bertfast import Tokenizer
    ids = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]).encode("a b")
    assert ids == [2, 4, 1, 3], ids
except ImportError as error:
    assert str(error)
'''.format(path=sys.path)
interpreter = interpreters.create()
failure = None
try:
    failure = getattr(interpreters, "exec", interpreters.run_string)(interpreter, code)
finally:
    interpreters.destroy(interpreter)
assert failure is None, failure
assert bertfast.Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]).encode("a") == [2, 4, 3]
"""


def test_subinterpreter_works_or_says_that_it_cannot(implementation: str) -> None:
    """numpy and Cython modules load in the main interpreter only: ImportError, and no crash."""
    script = textwrap.dedent(SUBINTERPRETER_SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=os.environ | {"BERTFAST_IMPLEMENTATION": implementation},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
