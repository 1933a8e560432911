"""A model in memory: tokenizer and network, and one window of rows through both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertfast.runtime.encoded import SEQUENCE_OUTPUT as SEQUENCE_OUTPUT
from bertfast.runtime.encoded import EncodedWindow as EncodedWindow
from bertfast.runtime.encoded import FloatArray as FloatArray
from bertfast.runtime.encoded import Values as Values
from bertfast.runtime.encoded import WindowRunner
from bertfast.runtime.engines import EngineChoice
from bertfast.runtime.progress import Progress
from bertfast.runtime.session import available_threads
from bertfast.runtime.stop import Stop
from bertfast.runtime.windows import Window
from bertfast.tokenizer import Tokenizer, open_tokenizer

if TYPE_CHECKING:
    from bertfast.bundle import Bundle


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
        *,
        device: str,
        threads: int | None,
        output: str,
        max_length: int,
        token_budget: int,
    ) -> "LoadedModel":
        """Load the tokenizer and the network.

        Raises:
            BundleError: the model cannot be loaded or lacks the output.
            DeviceError: the device cannot be used.
        """
        tokenizer = open_tokenizer(bundle.vocab_path, **bundle.manifest.tokenizer_switches())
        sep_id = tokenizer.convert_tokens_to_ids(["[SEP]"])[0]
        runner: WindowRunner
        if choice.engine == "native":
            runner = _native(bundle, choice, output, sep_id, token_budget, threads)
        else:
            runner = _onnx(bundle, device, output, sep_id, token_budget, threads)
        return cls(tokenizer, runner, max_length)

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
        return EncodedWindow(window.first_row, ids, offsets, int(truncated.sum()))

    def run(self, encoded: EncodedWindow, progress: Progress, stop: Stop | None = None) -> Values:
        """Predict a window, batch by batch, and return the values in row order.

        Raises:
            StoppedError: `stop` was set.
            BundleError: the model failed, or `stop` was set while it ran.
        """
        return self.runner.run(encoded, progress, stop)


def _native(
    bundle: "Bundle",
    choice: EngineChoice,
    output: str,
    sep_id: int,
    token_budget: int,
    threads: int | None,
) -> WindowRunner:
    from bertfast.engine import Network
    from bertfast.runtime.native_runner import NativeRunner

    manifest = bundle.manifest
    network = Network(bundle.model_path, manifest.config, quantize=choice.quantizes(manifest))
    network.check_output(output)
    return NativeRunner(
        str(bundle.path), network, output, sep_id, token_budget, threads or available_threads()
    )


def _onnx(
    bundle: "Bundle",
    device: str,
    output: str,
    sep_id: int,
    token_budget: int,
    threads: int | None,
) -> WindowRunner:
    from bertfast.runtime.onnx_runner import OnnxRunner, output_width
    from bertfast.runtime.session import open_session

    session = open_session(
        bundle.model_path,
        device=device,
        threads=threads,
        max_width=bundle.manifest.config.max_position_embeddings,
    )
    width = output_width(session, output, str(bundle.model_path))
    return OnnxRunner(str(bundle.path), session, output, width, sep_id, token_budget)
