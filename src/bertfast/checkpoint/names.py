"""Variable names: which are the optimizer's, and what Hugging Face's are in the original.

Hugging Face   bert.encoder.layer.3.attention.self.query.weight   [out, in]
the original   bert/encoder/layer_3/attention/self/query/kernel   [in, out]
"""

import re

# Suffixes of optimizer slots: BERT's AdamWeightDecayOptimizer, LAMB, tf.train.AdamOptimizer.
_SLOTS = ("/adam_m", "/adam_v", "/lamb_m", "/lamb_v", "/Adam", "/Adam_1")
_COUNTERS = frozenset(("global_step", "beta1_power", "beta2_power", "_CHECKPOINTABLE_OBJECT_GRAPH"))
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # ends the names that tf.train.Checkpoint gives


def is_bookkeeping(name: str) -> bool:
    """Tell whether a TensorFlow variable belongs to the optimizer or the Saver, not the model.

    >>> is_bookkeeping("bert/pooler/dense/bias/adam_m"), is_bookkeeping("bert/pooler/dense/bias")
    (True, False)
    """
    if name in _COUNTERS or name.endswith(_SLOTS):
        return True
    if not name.endswith(_VALUE):
        return False
    return "/.OPTIMIZER_SLOT/" in name or name.startswith(("optimizer/", "save_counter/"))


def is_object_based(name: str) -> bool:
    """Tell whether `tf.train.Checkpoint` gave this name: a path of attributes."""
    return name.endswith(_VALUE)


_LAYER_NORM = {"weight": "gamma", "bias": "beta", "gamma": "gamma", "beta": "beta"}
_DENSE = {"weight": "kernel", "bias": "bias"}

_EMBEDDING = re.compile(r"embeddings\.(\w+_embeddings)\.weight")
_NORM = re.compile(r"((?:\w+\.)*LayerNorm)\.(weight|bias|gamma|beta)")
_LINEAR = re.compile(
    r"((?:encoder\.layer\.\d+\.)(?:attention\.self\.(?:query|key|value)|attention\.output\.dense"
    r"|intermediate\.dense|output\.dense)|pooler\.dense|cls\.predictions\.transform\.dense)"
    r"\.(weight|bias)"
)
_HEADS = {
    "classifier.weight": "output_weights",
    "classifier.bias": "output_bias",
    "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
    "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
    "cls.predictions.bias": "cls/predictions/output_bias",
    "qa_outputs.weight": "cls/squad/output_weights",
    "qa_outputs.bias": "cls/squad/output_bias",
}
# Buffers, and copies of tensors that are tied to the word embeddings.
_REDUNDANT = frozenset(
    (
        "embeddings.position_ids",
        "embeddings.token_type_ids",
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
    )
)


def is_redundant(name: str) -> bool:
    """Tell whether a Hugging Face tensor repeats another or is a constant."""
    return name.removeprefix("bert.") in _REDUNDANT


def original_name(name: str) -> tuple[str, bool] | None:
    """Return the original's name of a Hugging Face tensor and whether it is transposed.

    None for a name that no BERT has.

    >>> original_name("encoder.layer.0.output.LayerNorm.weight")
    ('bert/encoder/layer_0/output/LayerNorm/gamma', False)
    >>> original_name("bert.pooler.dense.weight")
    ('bert/pooler/dense/kernel', True)
    >>> original_name("classifier.weight")  # [labels, hidden] in both
    ('output_weights', False)
    """
    name = name.removeprefix("bert.")
    if name in _HEADS:
        return _HEADS[name], False
    if match := _EMBEDDING.fullmatch(name):
        return _path(f"embeddings.{match[1]}"), False
    if match := _NORM.fullmatch(name):
        return _path(f"{match[1]}.{_LAYER_NORM[match[2]]}"), False
    if match := _LINEAR.fullmatch(name):
        return _path(f"{match[1]}.{_DENSE[match[2]]}"), match[2] == "weight"
    return None


def _path(dotted: str) -> str:
    root = "" if dotted.startswith("cls.") else "bert/"
    return root + re.sub(r"layer\.(\d+)", r"layer_\1", dotted).replace(".", "/")
