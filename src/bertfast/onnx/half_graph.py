"""The fused graph in float16, for GPUs.

    embeddings, layers:  float16, attention by ONNX Runtime's fused CUDA kernels
    heads:               float32, as are the graph's inputs' and outputs' types

The attention gets the length of each row in place of a mask, which is the form that the fused
kernels take: padding must stand at the end of a row, as it does in all that bertfast writes.
"""

import numpy as np
from onnx import TensorProto

from bertfast.checkpoint.dtypes import Array
from bertfast.onnx.graph import FusedGraph

_LENGTHS = "bert/lengths"


class HalfGraph(FusedGraph):
    """Nodes and initializers of the float16 graph."""

    _is_half = False

    def _encoder(self, is_output: bool, *, first_only: bool) -> str:
        axis = self._constant(f"{_LENGTHS}/axis", np.array([1], np.int64))
        self._node("ReduceSum", ["input_mask", axis], _LENGTHS, keepdims=0)
        self._is_half = True
        hidden = super()._encoder(False, first_only=first_only)
        self._is_half = False
        output = "sequence_output" if is_output else f"{hidden}/float32"
        return self._node("Cast", [hidden], output, to=TensorProto.FLOAT)

    def _attention(self, scope: str, hidden: str) -> str:
        return self._attend(scope, hidden, _LENGTHS)

    def _constant(self, name: str, array: Array) -> str:
        if self._is_half and array.dtype == np.float32:
            array = array.astype(np.float16)
        return super()._constant(name, array)
