"""bertfast: from a TensorFlow BERT checkpoint to predictions, exactly and fast.

Importing it loads numpy and the native core; everything else loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bertfast.encoding import Encoding as Encoding
from bertfast.encoding import TensorEncoding as TensorEncoding
from bertfast.errors import BertfastError as BertfastError
from bertfast.tokenizer import Tokenizer as Tokenizer

if TYPE_CHECKING:
    from bertfast.bundle import Bundle as Bundle
    from bertfast.checkpoint import read_checkpoint as read_checkpoint
    from bertfast.config import BertConfig as BertConfig
    from bertfast.onnx import export_bundle as export_bundle
    from bertfast.onnx import export_saved_model as export_saved_model
    from bertfast.runtime import Predictor as Predictor
    from bertfast.tokenization import BasicTokenizer as BasicTokenizer
    from bertfast.tokenization import FullTokenizer as FullTokenizer
    from bertfast.tokenization import WordpieceTokenizer as WordpieceTokenizer
    from bertfast.tokenization import convert_to_unicode as convert_to_unicode
    from bertfast.tokenization import load_vocab as load_vocab
    from bertfast.tokenization import printable_text as printable_text
    from bertfast.tokenization import (
        validate_case_matches_checkpoint as validate_case_matches_checkpoint,
    )
    from bertfast.version import __version__ as __version__

_LAZY = {
    "__version__": "bertfast.version",  # importlib.metadata takes as long as all of ours
    "Bundle": "bertfast.bundle",
    "BertConfig": "bertfast.config",
    "read_checkpoint": "bertfast.checkpoint",
    "export_bundle": "bertfast.onnx",
    "export_saved_model": "bertfast.onnx",
    "Predictor": "bertfast.runtime",
    "FullTokenizer": "bertfast.tokenization",
    "BasicTokenizer": "bertfast.tokenization",
    "WordpieceTokenizer": "bertfast.tokenization",
    "convert_to_unicode": "bertfast.tokenization",
    "load_vocab": "bertfast.tokenization",
    "printable_text": "bertfast.tokenization",
    "validate_case_matches_checkpoint": "bertfast.tokenization",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bertfast' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
