"""One tokenizer for many threads and processes, never changing."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bertfast import Tokenizer
from tests.tokenizer.vocabulary import small_vocab

TEXTS = [f"Hello {n} unaffable café {'大学' * (n % 7)} {'é' * n} xyz☃!" for n in range(90)]


@pytest.mark.parametrize("num_threads", [1, 2, 3, 8, 64, None])
def test_threads_change_nothing(tokenizer: Tokenizer, num_threads: int | None) -> None:
    ids, offsets = tokenizer.encode_ragged(TEXTS, num_threads=1)
    ids_n, offsets_n = tokenizer.encode_ragged(TEXTS, num_threads=num_threads)
    assert np.array_equal(ids, ids_n)
    assert np.array_equal(offsets, offsets_n)
    one = tokenizer(TEXTS, TEXTS[::-1], max_length=50, return_offsets=True, num_threads=1)
    many = tokenizer(
        TEXTS, TEXTS[::-1], max_length=50, return_offsets=True, num_threads=num_threads
    )
    assert np.array_equal(one.input_ids, many.input_ids)
    assert np.array_equal(one["offsets"], many["offsets"])


def test_more_threads_than_texts(tokenizer: Tokenizer) -> None:
    for texts in ([], ["hello"], ["hello", "world"]):
        ids, _ = tokenizer.encode_ragged(texts, num_threads=8)
        assert np.array_equal(ids, tokenizer.encode_ragged(texts, num_threads=1)[0])


def test_sixteen_threads_share_one_tokenizer(tokenizer: Tokenizer) -> None:
    expected = [tokenizer.encode(text) for text in TEXTS]
    barrier = threading.Barrier(16)

    def work(worker: int) -> bool:
        barrier.wait()
        shifted = TEXTS[worker:] + TEXTS[:worker]
        wanted = expected[worker:] + expected[:worker]
        one_by_one = [tokenizer.encode(text) for text in shifted] == wanted
        ids, offsets = tokenizer.encode_ragged(shifted, num_threads=1 + worker % 3)
        return one_by_one and np.split(ids, offsets[1:-1])[5].tolist() == wanted[5]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(16)))


def test_list_changed_by_another_thread_does_no_harm(tokenizer: Tokenizer) -> None:
    texts = ["hello world"] * 2000
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            texts.clear()
            texts.extend(["hello world"] * 2000)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(50):
            ids, offsets = tokenizer.encode_ragged(texts, num_threads=2)
            assert len(ids) == 4 * (len(offsets) - 1)
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_tokenizer_pickles(cased_tokenizer: Tokenizer, protocol: int) -> None:
    copy = pickle.loads(pickle.dumps(cased_tokenizer, protocol))
    assert copy.vocab == cased_tokenizer.vocab
    assert copy.encode("Hello Café HELLO") == cased_tokenizer.encode("Hello Café HELLO")
    assert copy.tokenize("Café") == ["Café"]


def test_pickle_needs_no_vocabulary_file(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(small_vocab()), encoding="utf-8")
    data = pickle.dumps(Tokenizer(path))
    path.unlink()
    assert pickle.loads(data).tokenize("Hello") == ["hello"]


def _encode_rows(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    ids, offsets = tokenizer.encode_ragged(texts, num_threads=2)
    return [part.tolist() for part in np.split(ids, offsets[1:-1])]


def test_spawned_process_gets_a_working_copy(tokenizer: Tokenizer) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows = pool.apply(_encode_rows, (tokenizer, TEXTS[:20]))
    assert rows == _encode_rows(tokenizer, TEXTS[:20])


FORK_SCRIPT = """
import os, sys, numpy as np
from bertfast import Tokenizer
tokenizer = Tokenizer(sys.argv[1])
texts = [f"hello {n} unaffable world" for n in range(2000)]
expected = tokenizer.encode_ragged(texts, num_threads=4)[0]  # threads have run before the fork
child = os.fork()
ids = tokenizer.encode_ragged(texts, num_threads=4)[0]
same = np.array_equal(ids, expected)
if child == 0:
    os._exit(0 if same else 7)
_, status = os.waitpid(child, 0)
sys.exit(0 if same and os.waitstatus_to_exitcode(status) == 0 else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_and_its_parent_both_work(implementation: str, tmp_path: Path) -> None:
    # In a fresh process: forking the test process with its threads would warn.
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(small_vocab()), encoding="utf-8")
    environment = {**os.environ, "BERTFAST_IMPLEMENTATION": implementation}
    command = [sys.executable, "-c", FORK_SCRIPT, str(path)]
    result = subprocess.run(
        command, env=environment, timeout=60, capture_output=True, check=False, text=True
    )
    assert result.returncode == 0, result.stderr


BUSY_FORK_SCRIPT = """
import os, sys, threading, time
from bertfast import Tokenizer
tokenizer = Tokenizer(sys.argv[1])
texts = [f"hello {n} unaffable world" for n in range(300)]
expected = tokenizer.encode("hello unaffable world")
stop = threading.Event()
def work():
    while not stop.is_set():
        tokenizer.encode_ragged(texts, num_threads=2)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
good = True
for _ in range(30):
    child = os.fork()
    if child == 0:
        same = tokenizer.encode("hello unaffable world") == expected
        tokenizer.encode_ragged(texts, num_threads=2)
        os._exit(0 if same else 7)
    good &= os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
sys.exit(0 if good else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_child_forked_while_others_encode_works(tmp_path: Path) -> None:
    # What the other threads held at the moment of the fork must not be missing in the child.
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(small_vocab()), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-c", BUSY_FORK_SCRIPT, str(path)]
    result = subprocess.run(command, timeout=120, capture_output=True, check=False, text=True)
    assert result.returncode == 0, result.stderr


def test_tokenizer_is_immutable(tokenizer: Tokenizer) -> None:
    for name in ("vocab", "do_lower_case", "implementation", "vocab_size", "anything"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(tokenizer, name, None)
        with pytest.raises((AttributeError, TypeError)):
            delattr(tokenizer, name)


def test_encoding_is_immutable(tokenizer: Tokenizer) -> None:
    encoding = tokenizer(["hello"])
    for name in ("input_ids", "lengths", "anything"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(encoding, name, None)


def test_results_do_not_share_memory(tokenizer: Tokenizer) -> None:
    first = tokenizer(["hello world"])
    first.input_ids[:] = 77
    assert tokenizer(["hello world"]).input_ids.max() < 77 or 77 not in (
        tokenizer(["hello world"]).input_ids
    )
    ids, _ = tokenizer.encode_ragged(["hello world"])
    ids[:] = -1
    assert tokenizer.encode_ragged(["hello world"])[0].min() >= 0
