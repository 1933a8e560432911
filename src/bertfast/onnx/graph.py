"""Builds the fused ONNX Runtime graph of a BERT straight from its variables.

    input_ids, segment_ids --EmbedLayerNormalization--> x [batch, length, hidden]
    each layer:  x --Attention--MatMul--SkipLayerNormalization(+x)--> a
                 a --MatMul--BiasGelu|FastGelu--MatMul--SkipLayerNormalization(+a)--> x
    heads:       x --first token--Gemm--Tanh--> pooled_output --Gemm--> logits --Softmax-->
                 x --masked mean--L2 norm--> mean_embedding

The operators are `com.microsoft`'s. ONNX Runtime's own BERT optimizer is not used: it swaps
query and key. When no output needs the other tokens, the last layer goes on with the first
token alone after its attention.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bertfast.checkpoint.dtypes import Array
from bertfast.config import BertConfig
from bertfast.errors import ExportError
from bertfast.version import __version__

OUTPUTS = ("pooled_output", "sequence_output", "mean_embedding", "logits", "probabilities")
POOLER_OUTPUTS = frozenset(("pooled_output", "logits", "probabilities"))
CLASSIFIER_OUTPUTS = frozenset(("logits", "probabilities"))
INPUTS = ("input_ids", "input_mask", "segment_ids")

_EVERY_TOKEN = frozenset(("sequence_output", "mean_embedding"))
_OPSET, _IR_VERSION = 17, 8
_MICROSOFT = "com.microsoft"
_MAX_MODEL_BYTES = (1 << 31) - (1 << 22)  # protobuf's limit, less room for nodes and names
# The original adds (1 - mask) * -10000 to the scores; so does Attention.
MASKED_SCORE = -10000.0
# What torch and sentence-transformers put under their divisions.
_MIN_COUNT, _MIN_NORM = 1e-9, 1e-12


def build_model(
    config: BertConfig, variables: Mapping[str, Array], outputs: Sequence[str]
) -> onnx.ModelProto:
    """Return the float32 model with the chosen `outputs`, in that order.

    Inputs are int32 [batch, length]: input_ids, input_mask and segment_ids; both sizes are
    free, length up to `max_position_embeddings`. Outputs are float32: pooled_output
    [batch, hidden], sequence_output [batch, length, hidden], mean_embedding [batch, hidden]
    (mask-weighted mean, L2-normalised), logits and probabilities [batch, labels].

    Args:
        config: sizes; `variables` must have passed `check_variables` against it.
        variables: the original's names; logits need output_weights [labels, hidden] and
            output_bias [labels].
        outputs: names out of `OUTPUTS`.

    Raises:
        ExportError: the model exceeds what one ONNX file can hold (2 GB).
    """
    n_bytes = sum(variables[name].size * 4 for name in _used(variables))
    if n_bytes > _MAX_MODEL_BYTES:
        raise ExportError(f"the weights take {n_bytes} bytes; one ONNX file holds 2 GB at most")
    return assemble(FusedGraph(config, variables), outputs)


def assemble(graph: "FusedGraph", outputs: Sequence[str]) -> onnx.ModelProto:
    """Build `graph`, still empty, and return the model around it; see `build_model`."""
    graph.build(set(outputs))
    config, variables = graph.config, graph.variables
    n_labels = len(variables["output_bias"]) if CLASSIFIER_OUTPUTS & set(outputs) else 0
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "bert",
            [_value(name, TensorProto.INT32, ["batch", "length"]) for name in INPUTS],
            [
                _value(name, TensorProto.FLOAT, _output_shape(name, config.hidden_size, n_labels))
                for name in outputs
            ],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)],
        producer_name="bertfast",
        producer_version=__version__,
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(model, {"bert_config": config.to_json_string()})
    return model


def _used(variables: Mapping[str, Array]) -> list[str]:
    return [name for name in variables if name.startswith(("bert/", "output_"))]


def _value(name: str, dtype: int, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def _output_shape(name: str, hidden: int, n_labels: int) -> list[str | int]:
    if name == "sequence_output":
        return ["batch", "length", hidden]
    return ["batch", n_labels if name in CLASSIFIER_OUTPUTS else hidden]


class FusedGraph:
    """Nodes and initializers in the making. Methods return the name of the tensor they add.

    Other precisions replace `_embeddings`, `_encoder`, `_attention` or `_product`.
    """

    def __init__(self, config: BertConfig, variables: Mapping[str, Array]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.config = config
        self.variables = variables

    def build(self, outputs: set[str]) -> None:
        """Add the whole network; each of `outputs` becomes a tensor of that name."""
        first_only = not outputs & _EVERY_TOKEN
        hidden = self._encoder("sequence_output" in outputs, first_only=first_only)
        if "mean_embedding" in outputs:
            self._mean_embedding(hidden)
        if outputs & POOLER_OUTPUTS:
            self._pooler(hidden if first_only else self._first_token(hidden, "bert/pooler/input"))
        if outputs & CLASSIFIER_OUTPUTS:
            weights = (self._variable("output_weights"), self._variable("output_bias"))
            self._node("Gemm", ["pooled_output", *weights], "logits", transB=1)
        if "probabilities" in outputs:
            self._node("Softmax", ["logits"], "probabilities", axis=-1)

    def _encoder(self, is_output: bool, *, first_only: bool) -> str:
        """Embeddings and layers; the result is named sequence_output if it is an output."""
        hidden = self._embeddings()
        last = self.config.num_hidden_layers - 1
        for layer in range(last + 1):
            scope = f"bert/encoder/layer_{layer}"
            hidden = self._layer(
                scope,
                hidden,
                first_only=first_only and layer == last,
                output="sequence_output" if is_output and layer == last else f"{scope}/output",
            )
        return hidden

    def _embeddings(self) -> str:
        scope = "bert/embeddings"
        tables = [f"{scope}/{kind}_embeddings" for kind in ("word", "position", "token_type")]
        norm = [f"{scope}/LayerNorm/gamma", f"{scope}/LayerNorm/beta"]
        parameters = [self._variable(name) for name in tables + norm]
        output = f"{scope}/output"
        self._fused(
            "EmbedLayerNormalization",
            ["input_ids", "segment_ids", *parameters],
            [output, f"{scope}/mask_index"],  # the second output is required, and unused
            epsilon=self.config.layer_norm_eps,
        )
        return output

    def _layer(self, scope: str, hidden: str, *, first_only: bool, output: str) -> str:
        """One encoder layer: hidden [batch, length, hidden] to the same shape.

        With `first_only`, the result is the first token's, [batch, hidden].
        """
        attention = self._attention(f"{scope}/attention/self", hidden)
        if first_only:
            attention = self._first_token(attention, f"{attention}/first")
            hidden = self._first_token(hidden, f"{scope}/input/first")
        attended = self._add_and_norm(f"{scope}/attention/output", attention, hidden)
        inner = self._activation(f"{scope}/intermediate/dense", attended)
        return self._add_and_norm(f"{scope}/output", inner, attended, output)

    def _attention(self, scope: str, hidden: str) -> str:
        return self._attend(scope, hidden, "input_mask")

    def _attend(self, scope: str, hidden: str, mask: str) -> str:
        """Self-attention with query, key and value projected by one matrix, [hidden, 3*hidden]."""
        self._constant(f"{scope}/qkv/kernel", self._joined(scope, "kernel"))
        self._constant(f"{scope}/qkv/bias", self._joined(scope, "bias"))
        return self._fused(
            "Attention",
            [hidden, f"{scope}/qkv/kernel", f"{scope}/qkv/bias", mask],
            [scope],
            num_heads=self.config.num_attention_heads,
            mask_filter_value=MASKED_SCORE,
        )

    def _joined(self, scope: str, kind: str) -> NDArray[np.float32]:
        names = [f"{scope}/{projection}/{kind}" for projection in ("query", "key", "value")]
        joined = np.concatenate([self.variables[name] for name in names], axis=-1)
        return joined.astype(np.float32, copy=False)

    def _add_and_norm(self, scope: str, inner: str, residual: str, output: str = "") -> str:
        """LayerNorm(inner @ kernel + bias + residual)."""
        product = self._product(f"{scope}/dense", inner)
        names = ("LayerNorm/gamma", "LayerNorm/beta", "dense/bias")
        return self._fused(
            "SkipLayerNormalization",
            [product, residual, *(self._variable(f"{scope}/{name}") for name in names)],
            [output or f"{scope}/LayerNorm"],
            epsilon=self.config.layer_norm_eps,
        )

    def _activation(self, scope: str, hidden: str) -> str:
        """hidden_act(hidden @ kernel + bias)."""
        product = self._product(scope, hidden)
        bias = self._variable(f"{scope}/bias")
        act = self.config.hidden_act
        if act in ("gelu_erf", "gelu_tanh"):
            operator = "BiasGelu" if act == "gelu_erf" else "FastGelu"
            return self._fused(operator, [product, bias], [f"{scope}/{act}"])
        biased = self._node("Add", [product, bias], f"{scope}/biased")
        if act == "linear":
            return biased
        return self._node({"relu": "Relu", "tanh": "Tanh"}[act], [biased], f"{scope}/{act}")

    def _product(self, scope: str, hidden: str) -> str:
        """Multiply by a kernel, without its bias."""
        return self._node("MatMul", [hidden, self._variable(f"{scope}/kernel")], scope)

    def _pooler(self, first: str) -> None:
        weights = [self._variable(f"bert/pooler/dense/{kind}") for kind in ("kernel", "bias")]
        self._node("Gemm", [first, *weights], "bert/pooler/dense")
        self._node("Tanh", ["bert/pooler/dense"], "pooled_output")

    def _mean_embedding(self, hidden: str) -> None:
        """sum(mask * hidden) / max(sum(mask), 1e-9), over its L2 norm or 1e-12."""
        one = self._constant("mean/axis", np.array([1], np.int64))
        self._node("Cast", ["input_mask"], "mean/mask", to=TensorProto.FLOAT)
        self._node("Unsqueeze", ["mean/mask", one], "mean/mask_row")
        self._node("MatMul", ["mean/mask_row", hidden], "mean/sum_row")
        self._node("Squeeze", ["mean/sum_row", one], "mean/sum")
        self._node("ReduceSum", ["mean/mask", one], "mean/tokens", keepdims=1)
        count = self._at_least("mean/tokens", _MIN_COUNT)
        self._node("Div", ["mean/sum", count], "mean/mean")
        self._node("ReduceL2", ["mean/mean"], "mean/norm", axes=[1], keepdims=1)
        self._node("Div", ["mean/mean", self._at_least("mean/norm", _MIN_NORM)], "mean_embedding")

    def _at_least(self, name: str, smallest: float) -> str:
        bound = self._constant(f"{name}/smallest", np.array(smallest, np.float32))
        return self._node("Max", [name, bound], f"{name}/at_least")

    def _first_token(self, hidden: str, output: str) -> str:
        """[batch, length, hidden] to [batch, hidden]."""
        index = "bert/first"
        if all(tensor.name != index for tensor in self.initializers):
            self._constant(index, np.array(0, np.int64))
        return self._node("Gather", [hidden, index], output, axis=1)

    def _variable(self, name: str) -> str:
        return self._constant(name, np.asarray(self.variables[name], np.float32))

    def _constant(self, name: str, array: Array) -> str:
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def _fused(
        self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any
    ) -> str:
        self.nodes.append(
            helper.make_node(
                operator, inputs, outputs, name=outputs[0], domain=_MICROSOFT, **attributes
            )
        )
        return outputs[0]

    def _several(self, operator: str, inputs: list[str], outputs: list[str]) -> None:
        """Add a standard operator with several results."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0]))

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        node = helper.make_node(operator, inputs, [output], name=output, **attributes)
        self.nodes.append(node)
        return output
