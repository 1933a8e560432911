"""Ends a prediction from another thread: at its next batch, or inside of one."""

import threading
from typing import Any

from bertfast.runtime.session import import_onnxruntime


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
            self._run_options = import_onnxruntime().RunOptions()
        self._run_options.terminate = self.is_set
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
