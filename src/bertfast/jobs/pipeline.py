"""Threads of a job: read ahead, predict, write behind; each step waits for the slower one.

reader thread ──2 windows──► tokenizer thread ──1──► inference ──2──► writer thread

The numbers are how many windows may wait, so that memory stays bounded.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

_AHEAD = 2
_POLL_SECONDS = 0.1


class ReadAhead(Generic[T]):
    """Runs an iterator in a thread of its own, two items ahead of whoever takes them.

    The thread is a daemon: one that waits for standard input cannot be woken, and must not
    keep the process alive. A `with` block ends it.
    """

    def __init__(self, items: Iterator[T]) -> None:
        """Start the thread."""
        self._items = items
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bertfast-read", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Yield the items in order; an error of the iterator comes where it happened."""
        while True:
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def __enter__(self) -> "ReadAhead[T]":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        self._thread.join(_POLL_SECONDS * 2)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None)):
                    return
            self._put((None, None))
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            self._put((None, error))

    def _put(self, entry: tuple[T | None, BaseException | None]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


class WriteBehind(Generic[T]):
    """Calls a function in a thread of its own, in order, at most two calls behind.

    Leaving the `with` block by an error drops what waits; `finish` waits for it.
    """

    def __init__(self, write: Callable[[T], None]) -> None:
        """Prepare the thread."""
        self._write = write
        self._waiting: deque[Future[None]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="bertfast-write")

    def submit(self, item: T) -> None:
        """Have an item written; raises what an earlier item's writing raised."""
        while len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._write, item))

    def finish(self) -> None:
        """Wait until all is written; raises what a writing raised."""
        while self._waiting:
            self._waiting.popleft().result()

    def __enter__(self) -> "WriteBehind[T]":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
