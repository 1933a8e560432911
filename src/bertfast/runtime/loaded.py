"""A model in memory: tokenizer and network, and one window of rows through both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertfast.errors import BundleError
from bertfast.runtime.encoded import SEQUENCE_OUTPUT as SEQUENCE_OUTPUT
from bertfast.runtime.encoded import EncodedWindow as EncodedWindow
from bertfast.runtime.encoded import FloatArray as FloatArray
from bertfast.runtime.encoded import Values as Values
from bertfast.runtime.encoded import WindowRunner
from bertfast.runtime.engines import EngineChoice
from bertfast.runtime.identical import DistinctRows, find_distinct
from bertfast.runtime.options import PredictorOptions
from bertfast.runtime.progress import Progress
from bertfast.runtime.stop import Stop
from bertfast.runtime.windows import Window
from bertfast.tokenizer import Tokenizer, open_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bertfast.bundle import Bundle

_SCORES = ("probabilities", "logits")
_MAX_TOKEN_BUDGET = 1 << 62  # what a size_t of the engine holds


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """What a Predictor opens on first use. Safe to share between threads.

    Attributes:
        tokenizer: texts to ids.
        runner: ids to predictions.
        max_length: tokens of a row at most.
    """

    tokenizer: Tokenizer
    runner: WindowRunner
    max_length: int

    @classmethod
    def open(
        cls,
        bundle: "Bundle",
        choice: EngineChoice,
        options: PredictorOptions,
    ) -> "LoadedModel":
        """Load the tokenizer and the network.

        Raises:
            BundleError: the model cannot be loaded or lacks the output.
            DeviceError: the device cannot be used.
            InputError: `max_memory` is too small.
        """
        tokenizer = open_tokenizer(bundle.vocab_path, **bundle.manifest.tokenizer_switches())
        sep_id = tokenizer.convert_tokens_to_ids(["[SEP]"])[0]
        runner: WindowRunner
        if choice.engine == "native":
            runner = _native(bundle, choice, options, sep_id)
        else:
            runner = _onnx(bundle, options, sep_id)
        labels = bundle.manifest.labels
        if labels is not None and runner.output in _SCORES and len(labels) != runner.width:
            raise BundleError(
                f"{bundle.path} names {len(labels)} labels, but its model has {runner.width}; "
                f"copy the whole model directory again"
            )
        return cls(tokenizer, runner, options.max_length or bundle.manifest.max_length)

    @property
    def output(self) -> str:
        """The output that is predicted."""
        return self.runner.output

    @property
    def width(self) -> int:
        """The output's last dimension."""
        return self.runner.width

    def encode(self, window: Window, *, num_threads: int | None = None) -> EncodedWindow:
        """Tokenize a window."""
        ids, offsets, truncated = self.tokenizer.encode_ragged(
            window.texts,
            window.pairs,
            max_length=self.max_length,
            num_threads=num_threads,
            return_truncated=True,
        )
        n_truncated = int(truncated.sum())
        return EncodedWindow(
            window.first_row, ids, offsets, n_truncated, self.distinct(ids, offsets)
        )

    def distinct(
        self, ids: "NDArray[np.int32]", offsets: "NDArray[np.int64]"
    ) -> DistinctRows | None:
        """Return the rows to compute where some are the same and may be computed once."""
        return find_distinct(ids, offsets) if self.runner.rows_are_independent else None

    def run(self, encoded: EncodedWindow, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window, batch by batch, and return the values in row order.

        Raises:
            StoppedError: `stop` was set.
            BundleError: the model failed, or `stop` was set while it ran.
        """
        return self.runner.run(encoded, progress, stop)


def _native(
    bundle: "Bundle", choice: EngineChoice, options: PredictorOptions, sep_id: int
) -> WindowRunner:
    from bertfast.engine import Network
    from bertfast.runtime.native_runner import NativeRunner

    manifest = bundle.manifest
    output = options.output or manifest.default_output
    plan = options.plan(manifest, choice.engine)
    network = Network(bundle.model_path, manifest.config, quantize=choice.quantizes(manifest))
    network.check_output(output)
    return NativeRunner(
        str(bundle.path),
        network,
        output,
        sep_id,
        min(plan.token_budget, _MAX_TOKEN_BUDGET),
        options.n_threads,
        options.side_by_side(plan),
    )


def _onnx(bundle: "Bundle", options: PredictorOptions, sep_id: int) -> WindowRunner:
    from bertfast.runtime.onnx_runner import OnnxRunner, output_width
    from bertfast.runtime.session import open_session

    manifest = bundle.manifest
    output = options.output or manifest.default_output
    plan = options.plan(manifest, "onnxruntime")
    session = open_session(
        bundle.model_path,
        device=options.device,
        threads=max(1, options.n_threads // plan.workers),
        max_width=manifest.config.max_position_embeddings,
    )
    width = output_width(session, output, str(bundle.model_path))
    return OnnxRunner(
        str(bundle.path), session, output, width, sep_id, plan.token_budget, plan.workers
    )
