"""The portable graph: standard ONNX operators only, converted from the TensorFlow model.

For runtimes without ONNX Runtime's fused operators. tf2onnx writes it from a function with an
explicit signature, so that batch and length stay free.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig
from bertfast.errors import ExportError, MissingDependencyError
from bertfast.onnx.gate import Batch
from bertfast.onnx.graph import INPUTS
from bertfast.onnx.oracle import Floats
from bertfast.version import __version__

OPSET = 17

# It turns means over the last axis into GlobalAveragePool, and then nothing fuses LayerNorm.
_UNWANTED_OPTIMIZER = "global_pool_optimizer"
_STANDARD = ("", "ai.onnx")


class TensorFlowTwin:
    """The TensorFlow model that is converted, which is also what the result is compared with."""

    def __init__(
        self, config: BertConfig, variables: Mapping[str, Array], outputs: Sequence[str]
    ) -> None:
        """Build the model from a checkpoint's variables.

        Raises:
            MissingDependencyError: TensorFlow or tf2onnx is not installed.
        """
        try:
            import tf2onnx as _tf2onnx  # noqa: F401

            from bertfast.tf.network import Network, trace
        except ImportError as error:
            raise MissingDependencyError(
                'the portable export needs an extra: pip install "bertfast[train,export]"'
            ) from error
        self._outputs = tuple(outputs)
        self.function, self.signature = trace(Network(config, variables, outputs))

    def run(self, batches: Sequence[Batch]) -> list[dict[str, Floats]]:
        """Return the outputs of each batch."""
        results = []
        for batch in batches:
            given = self.function(*(batch.feeds()[name] for name in INPUTS))
            results.append({name: np.asarray(given[name]) for name in self._outputs})
        return results

    def convert(self) -> onnx.ModelProto:
        """Return the model in ONNX: int32 [batch, length] in, float32 out.

        Raises:
            ExportError: tf2onnx fails, or leaves an operator that is not standard.
        """
        model = _convert(self.function, self.signature)
        _name_outputs(model, self._outputs)
        _check_operators(model)
        model.producer_name, model.producer_version = "bertfast", __version__
        onnx.checker.check_model(model)
        return model


def _convert(function: Any, signature: Sequence[Any]) -> onnx.ModelProto:
    import tf2onnx
    from tf2onnx import optimizer

    # A private list, but the only switch there is; put back as it was.
    optimizers = optimizer._optimizers
    removed = optimizers.pop(_UNWANTED_OPTIMIZER, None)
    try:
        model: onnx.ModelProto
        model, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    except Exception as error:  # tf2onnx raises whatever its parts raise
        summary = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(f"tf2onnx cannot convert the model: {summary}") from error
    finally:
        if removed is not None:
            optimizers[_UNWANTED_OPTIMIZER] = removed
    return model


def _name_outputs(model: onnx.ModelProto, outputs: Sequence[str]) -> None:
    """Check the names of inputs and outputs, and put both into the order of the fused graph."""
    graph = model.graph
    given = {value.name: value for value in [*graph.input, *graph.output]}
    missing = [name for name in [*INPUTS, *outputs] if name not in given]
    if missing:
        raise ExportError(f"tf2onnx lost {', '.join(missing)}; it gave {', '.join(given)}")
    for field, names in ((graph.input, INPUTS), (graph.output, outputs)):
        values = [given[name] for name in names]
        del field[:]
        field.extend(values)
    for value in graph.input:
        _name_dimensions(value, ("batch", "length"))
    for value in graph.output:
        free = ("batch", "length") if value.name == "sequence_output" else ("batch",)
        _name_dimensions(value, free)


def _name_dimensions(value: onnx.ValueInfoProto, names: Sequence[str]) -> None:
    """Name the first dimensions of an input or output, which are free."""
    for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
        dimension.Clear()
        dimension.dim_param = name


def _check_operators(model: onnx.ModelProto) -> None:
    """Check that every operator is of the standard set and that no other set is declared."""
    foreign = {node.op_type for node in model.graph.node if node.domain not in _STANDARD}
    if foreign:
        raise ExportError(f"tf2onnx left operators that are not standard: {', '.join(foreign)}")
    kept = [opset for opset in model.opset_import if opset.domain in _STANDARD]
    del model.opset_import[:]
    model.opset_import.extend(kept)
