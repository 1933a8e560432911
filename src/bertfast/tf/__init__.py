"""BERT in TensorFlow 2: the model, its training and its data, and the tokenizer in the graph.

Importing this package does not import TensorFlow; its modules that need it do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertfast.tf.graph_tokenizer import GraphTokenizer as GraphTokenizer

_LAZY = {"GraphTokenizer": "bertfast.tf.graph_tokenizer"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bertfast.tf' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
