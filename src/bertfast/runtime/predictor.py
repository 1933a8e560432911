"""Predictor: texts in, float32 arrays out."""

import ctypes
import os
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bertfast.errors import InputError
from bertfast.runtime.batching import DEFAULT_TOKEN_BUDGET
from bertfast.runtime.engines import Engine, EngineChoice, Precision
from bertfast.runtime.loaded import SEQUENCE_OUTPUT, FloatArray, LoadedModel, Values
from bertfast.runtime.memory import MemoryPlan, parse_memory
from bertfast.runtime.normalization import normalize_windows
from bertfast.runtime.options import PredictorOptions
from bertfast.runtime.overflow import Overflow, SlidingModel, WindowModel, choose_stride
from bertfast.runtime.progress import Progress, Silence, show_progress
from bertfast.runtime.stop import Stop
from bertfast.runtime.windows import DEFAULT_WINDOW, Row, Text, Window, as_rows, split_windows

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from bertfast.bundle import Bundle

# Token vectors are large: a window of sequence_output stays below this many bytes.
_MAX_SEQUENCE_WINDOW_BYTES = 1 << 28
# Outputs with a column for each label.
_SCORES = ("probabilities", "logits")


@dataclass(frozen=True, slots=True)
class WindowPrediction:
    """The predictions of consecutive rows.

    Attributes:
        first_row: number of the first row, from 0.
        values: float32 [rows, width]; for sequence_output a list of [tokens, width].
        n_tokens: tokens of the rows, special ones included and padding not.
        n_truncated: rows that were longer than max_length.
        n_repeated: rows with the ids of an earlier one of the window, which were not computed
            again; with overflow="window" pieces of rows. ONNX Runtime computes all rows.
    """

    first_row: int
    values: Values
    n_tokens: int
    n_truncated: int = 0
    n_repeated: int = 0


class Predictor:
    """Runs an exported model over texts.

    Rows are taken in windows and run in batches of a fixed number of tokens, while the next
    window is tokenized. The native engine packs them in their order, without padding, and a
    row's numbers depend on nothing but the row; for ONNX Runtime they are sorted by length,
    and which rows share a batch depends on the texts and the options alone.

    A Predictor may be used by several threads. It opens its model on first use; it pickles as
    its path and options, and a forked child shares the weights of the native engine, or opens
    a session of its own.

    Example:
        >>> Predictor().predict_labels(["Der Zug hat zwei Stunden Verspätung.", "Καλημέρα!"])
        ['de', 'el']
        >>> model = Predictor("my_model")                            # doctest: +SKIP
        >>> model.predict(["good film", "not my taste"]).shape       # doctest: +SKIP
        (2, 384)
    """

    def __init__(
        self,
        bundle: "str | os.PathLike[str] | Bundle | None" = None,
        device: str = "cpu",
        threads: int | None = None,
        *,
        max_length: int | None = None,
        token_budget: int = DEFAULT_TOKEN_BUDGET,
        output: str | None = None,
        engine: Engine = "auto",
        precision: Precision | None = None,
        workers: int | None = None,
        max_memory: int | str | None = None,
    ) -> None:
        """Check the model and the options; the model opens on first use.

        Args:
            bundle: an exported model directory, or a loaded Bundle; None for the embedded
                model, which tells 72 languages apart (`bertfast.models`).
            device: "cpu", "cuda" or "cuda:N"; nothing falls back silently.
            threads: CPU threads in all; None takes every CPU that this process may use.
            max_length: tokens of a row at most, special ones included, by the original's
                rule; None takes the model's own.
            token_budget: tokens of a batch at most, padding included.
            output: the graph output to predict; None takes the model's default.
            engine: "native" for our own engine, "onnxruntime", or "auto": native on the CPU
                if the graph is fused and the CPU has AVX2.
            precision: "int8" makes int8 weights of a float32 model as it is loaded (native
                only); None takes the weights as they are.
            workers: batches that run at a time, each on `threads // workers` threads. None is
                for many texts: as many as threads. Of few long ones the native engine then
                puts all threads on each batch; for ONNX Runtime pass 1.
            max_memory: bytes, or a size like "500MB", that a prediction may take besides the
                model, the tokenizer, the texts and the result: batches, windows of ids and
                predictions under way. Token budget, window and workers become smaller to fit
                (`bertfast.runtime.memory`). Not bounded: with overflow="window" the pieces of
                long texts; other calls at the same time.

        Raises:
            BundleError: the directory is missing, incomplete or damaged.
            DeviceError: the device is unknown or cannot be used.
            InputError: an option is wrong.
        """
        from bertfast.bundle import Bundle

        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        options = PredictorOptions(
            path=str(Path(loaded.path).absolute()),
            device=device,
            threads=threads,
            max_length=max_length,
            token_budget=token_budget,
            output=output,
            engine=engine,
            precision=precision,
            workers=workers,
            max_memory=parse_memory(max_memory),
        )
        options.check()
        options.check_against(loaded)
        self._set_up(options, loaded)
        self._plan()  # an engine that cannot run it, or too little memory, is refused here

    def _set_up(self, options: PredictorOptions, bundle: "Bundle | None") -> None:
        self._options = options
        self._bundle = bundle
        self._model: LoadedModel | None = None
        self._lock = threading.Lock()
        _ALIVE.add(self)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The labels of a classifier, in the order of the columns; None for other models."""
        return self.bundle.manifest.labels

    @property
    def max_length(self) -> int:
        """Tokens of a row at most, special ones included."""
        return self._options.max_length or self.bundle.manifest.max_length

    @property
    def output(self) -> str:
        """The name of the graph output that is predicted."""
        return self._options.output or self.bundle.manifest.default_output

    @property
    def width(self) -> int:
        """The last dimension of a prediction: labels, or the hidden size."""
        return self._open().width

    @property
    def device(self) -> str:
        """The device that was asked for."""
        return self._options.device

    @property
    def token_budget(self) -> int:
        """Tokens of a batch at most, padding included; less than asked for if memory is short."""
        return self._plan().token_budget

    @property
    def workers(self) -> int:
        """Batches that run at a time at most."""
        return self._plan().workers

    @property
    def engine(self) -> str:
        """The engine that runs the model: "native" or "onnxruntime"."""
        return self._choose().engine

    @property
    def precision(self) -> str:
        """The precision of the weights as they are run."""
        return self._choose().precision

    @property
    def kernel(self) -> str | None:
        """The instruction set of the native engine; None for ONNX Runtime."""
        return self._choose().kernel

    @property
    def largest_window(self) -> int:
        """Rows of a window at most: `max_memory`, or the vectors of sequence_output, limit it."""
        rows = self._plan().window_rows
        if self.output != SEQUENCE_OUTPUT:
            return rows
        return min(rows, max(1, _MAX_SEQUENCE_WINDOW_BYTES // (4 * self.max_length * self.width)))

    @property
    def bundle(self) -> "Bundle":
        """The model directory."""
        if self._bundle is None:
            from bertfast.bundle import Bundle

            self._bundle = Bundle.load(self._options.path)
        return self._bundle

    def predict(
        self,
        texts: Iterable[Text],
        text_pair: Iterable[Text] | None = None,
        *,
        overflow: Overflow = "truncate",
        stride: int | None = None,
        show_progress: bool = False,
    ) -> FloatArray:
        """Predict a list of texts.

        Args:
            texts: str, or bytes in UTF-8 whose invalid bytes are ignored.
            text_pair: as many second texts, for models trained on pairs.
            overflow: what becomes of a text beyond max_length: "truncate" cuts it by the
                original's rule, and how many were cut is logged at level INFO; "window" predicts
                it in windows and pools them, as `bertfast.runtime.overflow` says.
            stride: pieces that neighbouring windows share; None is a quarter of max_length.
            show_progress: show a bar on standard error.

        Returns:
            float32 [n, width] in the order of `texts`: probabilities for a classifier, else
            the model's default output. No texts give [0, width].

        Raises:
            InputError: a row is not a text (named by its number), or the model's output has
                one vector a token; `predict_iter` yields those.
        """
        rows = as_rows(texts, text_pair)
        if self.output == SEQUENCE_OUTPUT:
            raise InputError(
                f"{SEQUENCE_OUTPUT} has as many vectors as a text has tokens and fits no single "
                f"array; use predict_iter(), which yields one array a text"
            )
        result = np.empty((len(rows), self.width), np.float32)
        with _progress(show_progress) as progress:
            progress.set_total(len(rows))
            windows = self.predict_windows(
                rows,
                progress=progress,
                overflow=overflow,
                stride=stride,
            )
            n_truncated = n_repeated = 0
            for window in windows:
                n_truncated += window.n_truncated
                n_repeated += window.n_repeated
                result[window.first_row : window.first_row + len(window.values)] = window.values
        if n_truncated:
            _log("%d of %d texts were truncated", n_truncated, len(rows))
        if n_repeated:
            _log("%d of %d texts were computed once with an equal one", n_repeated, len(rows))
        return result

    def predict_labels(
        self,
        texts: Iterable[Text],
        text_pair: Iterable[Text] | None = None,
        *,
        overflow: Overflow = "truncate",
        stride: int | None = None,
        show_progress: bool = False,
    ) -> list[str]:
        """Classify a list of texts; the arguments are `predict`'s.

        Returns:
            The most probable label of each text, in order.

        Raises:
            InputError: a row is not a text, or the model is no classifier.
        """
        if self.labels is None or self.output not in _SCORES:
            raise InputError(
                f"{self.bundle.path} predicts {self.output}, which has no labels; use predict()"
            )
        scores = self.predict(
            texts, text_pair, overflow=overflow, stride=stride, show_progress=show_progress
        )
        return [self.labels[column] for column in scores.argmax(axis=1)]

    def predict_iter(
        self,
        rows: Iterable[Row],
        *,
        window: int = DEFAULT_WINDOW,
        overflow: Overflow = "truncate",
        stride: int | None = None,
    ) -> Iterator[FloatArray]:
        """Predict a stream of rows, in order and in bounded memory.

        It reads one window ahead of what it yields, so that tokenizing overlaps inference. If
        `rows` raises, the windows that it gave before are yielded first.

        Args:
            rows: texts, or (text, second text) tuples.
            window: rows that are sorted and batched together; fewer if `max_memory` asks.
            overflow: as for `predict`.
            stride: as for `predict`.

        Yields:
            float32 [width] a row; for sequence_output [tokens of the row, width].

        Raises:
            InputError: a row is not a text; the message has its number.
        """
        for prediction in self.predict_windows(
            rows, window=window, overflow=overflow, stride=stride
        ):
            yield from prediction.values

    def predict_windows(
        self,
        rows: Iterable[Row],
        *,
        window: int = DEFAULT_WINDOW,
        progress: Progress | None = None,
        overflow: Overflow = "truncate",
        stride: int | None = None,
    ) -> Iterator[WindowPrediction]:
        """Predict a stream of rows a window at a time; `predict_iter` with larger pieces."""
        _check_window(window)
        windows = split_windows(rows, n_rows=min(window, self.largest_window))
        yield from self.predict_prepared(
            windows,
            progress=progress,
            overflow=overflow,
            stride=stride,
        )

    def predict_prepared(
        self,
        windows: Iterable[Window],
        *,
        progress: Progress | None = None,
        overflow: Overflow = "truncate",
        stride: int | None = None,
        stop: Stop | None = None,
    ) -> Generator[WindowPrediction, None, None]:
        """Predict windows that the caller has cut, none longer than `largest_window`.

        Args:
            windows: consumed one ahead of what is yielded.
            progress: told of each batch.
            overflow: as for `predict`.
            stride: as for `predict`.
            stop: ends the prediction when another thread sets it, with an error.
        """
        progress = Silence() if progress is None else progress
        model = self._sliding(self._open(), overflow, stride)
        windows = normalize_windows(windows, self.bundle.manifest.normalization)
        current = next(windows, None)
        encoded = None if current is None else model.encode(current)
        tokenizing: ThreadPoolExecutor | None = None
        with ExitStack() as stack:
            while encoded is not None:
                upcoming, failure = None, None
                try:
                    upcoming = next(windows, None)
                except Exception as error:  # noqa: BLE001 - raised when what came before is done
                    failure = error
                future = None
                if upcoming is not None:
                    tokenizing = tokenizing or stack.enter_context(_tokenizing_thread())
                    future = tokenizing.submit(model.encode, upcoming, num_threads=1)
                values = model.run(encoded, progress, stop)
                yield WindowPrediction(
                    encoded.first_row,
                    values,
                    len(encoded.ids),
                    encoded.n_truncated,
                    encoded.n_repeated,
                )
                if failure is not None:
                    raise failure
                encoded = None if future is None else future.result()

    def _sliding(self, model: LoadedModel, overflow: Overflow, stride: int | None) -> WindowModel:
        chosen = choose_stride(overflow, stride, max_length=self.max_length, output=self.output)
        return model if chosen is None else SlidingModel(model, chosen)

    def close(self) -> None:
        """Release the session and its memory; a later prediction opens it again."""
        with self._lock:
            self._model = None

    def __enter__(self) -> "Predictor":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __getstate__(self) -> PredictorOptions:
        return self._options

    def __setstate__(self, options: PredictorOptions) -> None:
        self._set_up(options, None)

    def __repr__(self) -> str:
        return f"Predictor({self._options.path!r}, device={self._options.device!r})"

    def _open(self) -> LoadedModel:
        with self._lock:
            if self._model is None:
                self.bundle.check_current()  # a server may fork, or open it again, days later
                self._model = LoadedModel.open(self.bundle, self._choose(), self._options)
            return self._model

    def _choose(self) -> EngineChoice:
        return self._options.choose_engine(self.bundle.manifest)

    def _plan(self) -> MemoryPlan:
        return self._options.plan(self.bundle.manifest, self.engine)

    def _forget_session(self) -> None:
        """Start anew in a forked child, whose copy of a session has lost its threads."""
        self._lock = threading.Lock()
        if self._model is None or self._model.runner.survives_fork:
            return
        # Destroying it would wait for those threads for ever, even at exit: one reference
        # too many keeps it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._model))
        self._model = None


_ALIVE: "weakref.WeakSet[Predictor]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for predictor in list(_ALIVE):
        predictor._forget_session()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _tokenizing_thread() -> "ThreadPoolExecutor":
    """Return the thread that is a window ahead; a single window needs neither it nor its import."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, thread_name_prefix="bertfast-tokenize")


def _log(message: str, *counts: int) -> None:
    import logging  # whoever listens has loaded it

    logging.getLogger("bertfast").info(message, *counts)


def _progress(show: bool) -> AbstractContextManager[Progress]:
    return show_progress() if show else nullcontext(Silence())


def _check_window(window: int) -> None:
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise InputError(f"window is a positive number of rows, got {window!r}")
