"""Threads of a job: read, predict, write; each step waits for the slower one.

reader ──2 windows──► tokenizer ──1──► inference ──1──► main thread ──2──► writer

The numbers are how many windows may wait, so that memory stays bounded. The main thread only
waits, so that a signal reaches it at once, whatever the others do.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from bertfast.runtime.stop import Stop

T = TypeVar("T")

_AHEAD = 2
_POLL_SECONDS = 0.1
_LEAVE_SECONDS = 0.3


class ReadAhead(Generic[T]):
    """Runs a generator in a thread of its own, some items ahead of whoever takes them.

    The thread is a daemon: one that waits for standard input, or that is in a long operator of
    a model, cannot be woken, and must not keep the process alive. A `with` block ends it.
    """

    def __init__(
        self,
        items: Generator[T, None, None],
        *,
        ahead: int = _AHEAD,
        name: str = "read",
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread; `on_stop` is called when nothing more is wanted of it."""
        self._items = items
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._on_stop = on_stop
        self._thread = threading.Thread(target=self._run, name=f"bertfast-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Want nothing more; whoever waits for an item gets none."""
        self._stopped.set()
        with contextlib.suppress(queue.Full):  # then nobody waits
            self._queue.put_nowait((None, None))
        self._on_stop()

    def __iter__(self) -> Iterator[T]:
        """Yield the items in order; an error of the generator comes where it happened."""
        while not self._stopped.is_set():
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def __enter__(self) -> "ReadAhead[T]":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None)):
                    return
            self._put((None, None))
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            self._put((None, error))
        finally:
            self._items.close()

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

    Leaving the `with` block by an error drops what waits, by an interrupt also what is being
    written; `finish` waits for it.
    """

    def __init__(self, write: Callable[[T], None], dropped: Stop) -> None:
        """Prepare the thread; `dropped` is set when `write` is to end at once."""
        self._write = write
        self._dropped = dropped
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._dropped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
