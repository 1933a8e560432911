"""Ends a prediction from another thread, inside of a batch; holds signals where they do harm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StoppedError(Exception):
    """Raised in a thread that was told to end; who told it waits for nothing from it."""


class Stop:
    """Set once, by any thread; noticed by those that work.

    A batch of a large model takes seconds. ONNX Runtime looks at its run options between two
    operators of the model, so that it can be ended inside of one.
    """

    def __init__(self) -> None:
        """Nobody is told to end."""
        self._event = threading.Event()
        self._run_options: Any = None

    @property
    def is_set(self) -> bool:
        """Whether it was set."""
        return self._event.is_set()

    @property
    def run_options(self) -> Any:
        """ONNX Runtime's options of a run that ends with an error when this is set."""
        if self._run_options is None:
            from onnxruntime import RunOptions  # type: ignore[import-untyped]

            self._run_options = RunOptions()
        if self.is_set:  # never back to False: another thread may be setting it
            self._run_options.terminate = True
        return self._run_options

    def set(self) -> None:
        """Tell all to end."""
        self._event.set()
        if self._run_options is not None:
            self._run_options.terminate = True

    def check(self) -> None:
        """Raise StoppedError if it was set."""
        if self.is_set:
            raise StoppedError


@contextmanager
def signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block ends.

    An extension module whose import is interrupted makes an ImportError of it, which no user
    would understand.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs the handlers in the main thread alone
        return
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        held.append(number)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in ours:
        signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
