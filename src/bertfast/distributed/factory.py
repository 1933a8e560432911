"""A model as clusters want it: small to send, opened once a worker process, cheap to call."""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.errors import BundleError, InputError
from bertfast.jobs.fields import Prediction, check_fields, output_for
from bertfast.runtime.batching import DEFAULT_TOKEN_BUDGET
from bertfast.runtime.engines import Engine, Precision
from bertfast.runtime.memory import parse_memory
from bertfast.runtime.overflow import Overflow, choose_stride
from bertfast.runtime.predictor import Predictor
from bertfast.runtime.windows import Text

if TYPE_CHECKING:
    from bertfast.runtime.loaded import FloatArray

# A field's column: strings for labels, float32 [rows] or [rows, width] for the rest.
Column: TypeAlias = "NDArray[Any]"


@dataclass(frozen=True, slots=True)
class PredictorFactory:
    """What every worker needs to predict. Pickles as these few values; sessions stay behind.

    Attributes:
        bundle_path: the model directory, as each worker sees it: on a shared file system, in
            the image, or where the adapter has shipped it.
        name: sha256 of the model's manifest: workers refuse another model in that place.
        fields: what to predict; see `bertfast.jobs.JobOptions`.
        output: the graph output.
        prefix: stands before the fields' names.
        max_length: tokens a row at most; None takes the model's own.
        token_budget: tokens of a batch at most.
        threads: of the engine, a worker. One: the cluster counts its workers by cores.
        engine: "auto", "native" or "onnxruntime"; "auto" goes by each worker's CPU.
        precision: None for the model's own, or "int8" of the native engine.
        overflow: what becomes of texts beyond max_length; see `Predictor.predict`.
        stride: pieces that neighbouring windows share, for overflow "window".
        max_memory: bytes that a worker's prediction may take; see `Predictor`.

    Example:
        >>> from bertfast import Bundle
        >>> embedded = Bundle.load().path   # or the directory of a model of one's own
        >>> factory = PredictorFactory.create(embedded, fields=["label", "probability"])
        >>> sorted(factory.predict(["Guten Morgen!"]))
        ['label', 'probability']
    """

    bundle_path: str
    name: str
    fields: tuple[str, ...]
    output: str
    prefix: str = ""
    max_length: int | None = None
    token_budget: int = DEFAULT_TOKEN_BUDGET
    threads: int = 1
    engine: Engine = "auto"
    precision: Precision | None = None
    overflow: Overflow = "truncate"
    stride: int | None = None
    max_memory: int | None = None

    @classmethod
    def create(
        cls,
        model: str | os.PathLike[str],
        *,
        fields: Iterable[str] = (),
        prefix: str = "",
        max_length: int | None = None,
        token_budget: int = DEFAULT_TOKEN_BUDGET,
        threads: int = 1,
        engine: Engine = "auto",
        precision: Precision | None = None,
        overflow: Overflow = "truncate",
        stride: int | None = None,
        max_memory: int | str | None = None,
    ) -> "PredictorFactory":
        """Check the model and the options here, where an error is seen at once.

        Raises:
            BundleError: no such model, or it is damaged.
            InputError: an option is wrong, or the model does not give such fields.
        """
        bundle = Bundle.load(model)
        wanted = check_fields(tuple(fields))
        output = output_for(wanted, bundle.manifest)
        if output == "sequence_output":
            raise InputError("sequence_output has rows of different length; use bertfast.jobs")
        predictor = Predictor(
            bundle,
            threads=threads,
            max_length=max_length,
            token_budget=token_budget,
            output=output,
            engine=engine,
            precision=precision,
            max_memory=max_memory,
        )
        choose_stride(overflow, stride, max_length=predictor.max_length, output=output)
        with predictor:
            prediction = Prediction(
                output, predictor.width, predictor.labels, str(model), wanted, prefix
            )
        return cls(
            bundle_path=str(Path(model).absolute()),
            name=_name(Path(model)),
            fields=prediction.fields,
            output=output,
            prefix=prefix,
            max_length=max_length,
            token_budget=token_budget,
            threads=threads,
            engine=engine,
            precision=precision,
            overflow=overflow,
            stride=stride,
            max_memory=parse_memory(max_memory),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that `predict` returns."""
        return tuple(self.prefix + field for field in self.fields)

    def labels(self) -> tuple[str, ...]:
        """Return the names of a classifier's columns."""
        return self._prediction().label_names

    def predict(
        self, texts: Iterable[Text], pairs: Iterable[Text] | None = None
    ) -> dict[str, Column]:
        """Predict some rows; the model is opened by the first call in a process.

        Returns:
            Each field by its name, as long as `texts`: strings, float32 [rows], or float32
            [rows, width].

        Raises:
            InputError: a row is not a text.
            BundleError: the model is not there, or is another one.
        """
        prediction = self._prediction()
        values = self._predictor().predict(texts, pairs, overflow=self.overflow, stride=self.stride)
        scores = prediction.scores(values)
        return {
            name: _column(field, scores, prediction.label_names)
            for field, name in zip(self.fields, self.names, strict=True)
        }

    def _predictor(self) -> Predictor:
        """Return this process's predictor for these options."""
        with _LOCK:
            if self not in _OPEN:
                if _name(Path(self.bundle_path)) != self.name:
                    raise BundleError(f"{self.bundle_path} is another model than on the driver")
                _OPEN[self] = Predictor(
                    self.bundle_path,
                    threads=self.threads,
                    max_length=self.max_length,
                    token_budget=self.token_budget,
                    output=self.output,
                    engine=self.engine,
                    precision=self.precision,
                    max_memory=self.max_memory,
                )
            return _OPEN[self]

    def _prediction(self) -> Prediction:
        predictor = self._predictor()
        return Prediction(
            self.output,
            predictor.width,
            predictor.labels,
            self.bundle_path,
            self.fields,
            self.prefix,
        )


_OPEN: dict[PredictorFactory, Predictor] = {}
_LOCK = threading.Lock()


def _column(field: str, scores: "FloatArray", labels: tuple[str, ...]) -> Column:
    if field == "label":
        best: Column = np.array(labels, object)[scores.argmax(axis=1)]
        return best
    return scores.max(axis=1) if field == "probability" else scores


def _name(bundle: Path) -> str:
    import hashlib

    try:
        return hashlib.sha256((bundle / MANIFEST_FILE).read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError(
            f"no model at {bundle} on this worker ({error.strerror}); ship it, or name a path "
            f"that every worker can read"
        ) from None
