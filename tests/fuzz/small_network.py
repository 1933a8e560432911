"""A fused model of a kilobyte or two, written byte by byte: what fuzzing begins with."""

import struct

import numpy as np

from bertfast.config import BertConfig
from tests.checkpoint.tensor_bundle_writer import varint

CONFIG = BertConfig(
    vocab_size=3,
    hidden_size=2,
    num_hidden_layers=1,
    num_attention_heads=1,
    intermediate_size=3,
    max_position_embeddings=4,
    type_vocab_size=2,
)
OUTPUTS = ("pooled_output", "sequence_output", "mean_embedding", "logits", "probabilities")
# Two rows of two tokens and one.
ROWS = (np.array([0, 2, 1], np.int32), np.array([0, 1, 0], np.int32), np.array([0, 2, 3], np.int64))

_LAYER = "bert/encoder/layer_0"
_SHAPES = {
    "bert/embeddings/word_embeddings": (3, 2),
    "bert/embeddings/position_embeddings": (4, 2),
    "bert/embeddings/token_type_embeddings": (2, 2),
    "bert/embeddings/LayerNorm/gamma": (2,),
    "bert/embeddings/LayerNorm/beta": (2,),
    f"{_LAYER}/attention/self/qkv/bias": (6,),
    f"{_LAYER}/attention/output/dense/kernel": (2, 2),
    f"{_LAYER}/attention/output/dense/bias": (2,),
    f"{_LAYER}/attention/output/LayerNorm/gamma": (2,),
    f"{_LAYER}/attention/output/LayerNorm/beta": (2,),
    f"{_LAYER}/intermediate/dense/kernel": (2, 3),
    f"{_LAYER}/intermediate/dense/kernel_smoothing": (2,),
    f"{_LAYER}/intermediate/dense/bias": (3,),
    f"{_LAYER}/output/dense/kernel": (3, 2),
    f"{_LAYER}/output/dense/bias": (2,),
    f"{_LAYER}/output/LayerNorm/gamma": (2,),
    f"{_LAYER}/output/LayerNorm/beta": (2,),
    "bert/pooler/dense/kernel": (2, 2),
    "bert/pooler/dense/bias": (2,),
    "output_weights": (2, 2),
    "output_bias": (2,),
}
_FLOAT, _INT8 = 1, 3


def n_rows(output: str) -> int:
    """Return how many rows an output has for `ROWS`."""
    return len(ROWS[0]) if output == "sequence_output" else len(ROWS[2]) - 1


def model_bytes() -> bytes:
    """Return the model; its attention's weights are int8."""
    tensors = [_floats(name, shape) for name, shape in _SHAPES.items()]
    kernel = f"{_LAYER}/attention/self/qkv/kernel"
    tensors += [
        _tensor(f"{kernel}_quantized", (2, 6), _INT8, bytes(range(12))),
        _floats(f"{kernel}_scale", (6,)),
        _tensor(f"{kernel}_zero_point", (6,), _INT8, bytes(6)),
    ]
    return b"\x08\x08" + _message(7, b"".join(_message(5, tensor) for tensor in tensors))


def _message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def _floats(name: str, shape: tuple[int, ...]) -> bytes:
    n = int(np.prod(shape))
    return _tensor(name, shape, _FLOAT, struct.pack(f"<{n}f", *(0.1 * i for i in range(n))))


def _tensor(name: str, shape: tuple[int, ...], data_type: int, raw: bytes) -> bytes:
    dims = b"".join(b"\x08" + varint(size) for size in shape)
    return dims + b"\x10" + varint(data_type) + _message(8, name.encode()) + _message(9, raw)
