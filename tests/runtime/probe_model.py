"""A model whose outputs are simple sums over its inputs, so that tests know the answers.

pooled_output [batch, 4]: sum of ids, number of tokens, number of tokens in segment 1, first id.
sequence_output [batch, length, 2]: id and segment of every token.
logits [batch, 3]: number of tokens, tokens in segment 1, zero. probabilities: their softmax.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from bertfast.bundle import MANIFEST_FILE, Bundle, Manifest, describe_files
from bertfast.config import BertConfig
from bertfast.version import __version__

INPUTS = ("input_ids", "input_mask", "segment_ids")
OUTPUTS: Mapping[str, Sequence[str | int]] = {
    "pooled_output": ["batch", 4],
    "sequence_output": ["batch", "length", 2],
    "logits": ["batch", 3],
    "probabilities": ["batch", 3],
}


# One id for each of these words: "a b a" becomes [CLS] a b a [SEP], ids 2 4 5 4 3.
VOCAB = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh")
LABELS = ("short", "pair", "none")


def write_probe_bundle(
    folder: Path,
    *,
    default_output: str = "pooled_output",
    outputs: tuple[str, ...] = tuple(OUTPUTS),
    labels: tuple[str, ...] | None = LABELS,
    max_length: int = 16,
) -> Path:
    """Write a bundle around the model and return its folder."""
    folder.mkdir(parents=True)
    write_probe_model(folder / "model.onnx", outputs)
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    sha256, sizes = describe_files(folder)
    manifest = Manifest(
        bertfast_version=__version__,
        unicode_version=unicodedata.unidata_version,
        do_lower_case=True,
        max_length=max_length,
        config=BertConfig(len(VOCAB), 4, 1, 1, 8, max_position_embeddings=64, type_vocab_size=2),
        outputs=outputs,
        default_output=default_output,
        labels=labels,
        precision="fp32",
        sha256=sha256,
        sizes=sizes,
        parity={},
        source={},
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json_string(), "utf-8")
    return Bundle.load(folder).path


def write_probe_model(path: Path, outputs: tuple[str, ...] = tuple(OUTPUTS)) -> Path:
    """Write the model to `path` and return it."""
    nodes = [
        *(helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT) for name in INPUTS),
        helper.make_node("Mul", ["input_ids_f", "input_mask_f"], ["ids"]),
        helper.make_node("Mul", ["segment_ids_f", "input_mask_f"], ["segments"]),
        *(_row_sum(name, f"{name}_sum") for name in ("ids", "input_mask_f", "segments")),
        helper.make_node("Slice", ["ids", "zero", "one", "one"], ["first"]),
        helper.make_node(
            "Concat",
            ["ids_sum", "input_mask_f_sum", "segments_sum", "first"],
            ["pooled_output"],
            axis=1,
        ),
        *(helper.make_node("Unsqueeze", [name, "two"], [f"{name}_3d"]) for name in _PER_TOKEN),
        helper.make_node("Concat", ["ids_3d", "segments_3d"], ["sequence_output"], axis=2),
        helper.make_node("Sub", ["first", "first"], ["nothing"]),
        helper.make_node(
            "Concat", ["input_mask_f_sum", "segments_sum", "nothing"], ["logits"], axis=1
        ),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "probe",
        [_value(name, TensorProto.INT32, ["batch", "length"]) for name in INPUTS],
        [_value(name, TensorProto.FLOAT, OUTPUTS[name]) for name in outputs],
        [
            helper.make_tensor(name, TensorProto.INT64, [len(value)], value)
            for name, value in {"zero": [0], "one": [1], "two": [2]}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


_PER_TOKEN = ("ids", "segments")


def _row_sum(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("ReduceSum", [source, "one"], [target], keepdims=1)


def _value(name: str, kind: int, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
