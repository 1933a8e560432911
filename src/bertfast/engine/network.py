"""A fused model in the native engine: opened from its file, run over ragged rows."""

from collections.abc import Callable
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from bertfast.config import BertConfig
from bertfast.engine.initializers import Initializers
from bertfast.engine.weights import Weights
from bertfast.errors import BundleError, InputError


def native_kernel() -> str:
    """Return the instruction set that the engine uses here: portable, avx2 or avx512."""
    from bertfast import _engine

    return _engine.KERNEL


class Network:
    """A BERT whose weights are packed for this CPU.

    It may be used by several threads at once, and in a forked child. A row's numbers do not
    depend on the other rows, the batches or the threads.
    """

    def __init__(
        self, model_path: str | PathLike[str], config: BertConfig, *, quantize: bool = False
    ) -> None:
        """Read the weights of a fused graph and pack them.

        Args:
            model_path: the model.onnx file; it must not change as long as this object lives,
                since the embeddings are read where they lie.
            config: the configuration that the graph was built with.
            quantize: make float32 encoder layers int8, symmetric for each output column.

        Raises:
            BundleError: the file is damaged, or is not a fused graph of this configuration.
        """
        from bertfast import _engine

        initializers = Initializers(model_path)
        weights = Weights(initializers, quantize=quantize)
        try:
            self._network = _engine.Network(config, weights.embeddings())
            for number in range(config.num_hidden_layers):
                self._network.add_layer(weights.layer(number))
                initializers.release()  # or the file and its packed copy are both in memory
            if (pooler := weights.pooler()) is not None:
                self._network.set_pooler(pooler)
            if (classifier := weights.classifier()) is not None:
                self._network.set_classifier(classifier)
        except ValueError as error:
            raise _unfit(model_path, error) from None
        self._path = model_path

    @property
    def n_bytes(self) -> int:
        """Memory of the packed weights; the embeddings stay in the file."""
        return self._network.n_bytes

    def width(self, output: str) -> int:
        """Return the last dimension of an output, 0 if the model lacks it."""
        try:
            return self._network.width(output)
        except KeyError:  # a name that no model of ours has
            return 0

    def check_output(self, output: str) -> None:
        """Raise BundleError if the model lacks an output."""
        if not self.width(output):
            raise BundleError(f"{self._path} does not have the weights of {output!r}")

    def run(
        self,
        ids: NDArray[np.int32],
        segments: NDArray[np.int32],
        offsets: NDArray[np.int64],
        *,
        output: str,
        token_budget: int,
        threads: int,
        workers: int | None = None,
        advance: Callable[[int, int], object] = lambda n_rows, n_tokens: None,
    ) -> NDArray[np.float32]:
        """Predict rows; row i is `ids[offsets[i]:offsets[i + 1]]`, one token at least.

        Args:
            ids: int32 [tokens].
            segments: int32 [tokens].
            offsets: int64 [rows + 1].
            output: what to predict.
            token_budget: tokens of a batch at most.
            threads: CPU threads in all.
            workers: batches that are run side by side at most, each on `threads // workers`
                threads; None leaves it to the engine, which puts all threads on one batch where
                the rows are too few to keep them busy otherwise.
            advance: told of rows and tokens that are done, now and then; what it raises stops
                the run, and so does Ctrl-C.

        Returns:
            float32 [rows, width], for sequence_output [tokens, width].

        Raises:
            BundleError: the model lacks the output.
            InputError: an id, a segment or a length that the model does not have.
        """
        self.check_output(output)
        if output == "sequence_output" and len(offsets) > 1 and offsets[0] == offsets[-1]:
            # The engine has nothing to compute then, and so does not look at the lengths.
            raise InputError("row 0 has 0 tokens; every row has one at least")
        try:
            return self._network.run(
                ids, segments, offsets, output, token_budget, threads, workers or 0, advance
            )
        except ValueError as error:
            raise InputError(str(error)) from None


def _unfit(model_path: str | PathLike[str], error: ValueError) -> BundleError:
    if isinstance(error, BundleError):
        return error if str(model_path) in str(error) else BundleError(f"{model_path}: {error}")
    return BundleError(f"{model_path} does not fit its configuration: {error}")
