"""Which core a tokenizer runs on: the native one, or the reference where that does not fit."""

import os
import unicodedata
import warnings
from typing import Any

from bertfast import _native
from bertfast.errors import VocabError
from bertfast.options import TokenizerOptions
from bertfast.vocab import SPECIAL_TOKENS, UNK_TOKEN


def make_core(vocab: dict[str, int], options: TokenizerOptions, *, soon: bool = False) -> Any:
    """Return the native core, or its twin in Python if the native tables are of another Unicode.

    With `soon`, the native core leaves what pays for many texts only until they come: it is made
    sooner. The environment variable BERTFAST_IMPLEMENTATION, `native` or `reference`, asks for one.

    Raises:
        VocabError: the variable has another value.
    """
    wanted = os.environ.get("BERTFAST_IMPLEMENTATION", "native")
    if wanted not in ("native", "reference"):
        raise VocabError(f"BERTFAST_IMPLEMENTATION is native or reference, got {wanted!r}")
    known = [token for token in SPECIAL_TOKENS if token in vocab]
    special = {token: vocab[token] for token in known} if options.special_tokens_in_text else {}
    fits = unicodedata.unidata_version == _native.UNICODE_VERSION
    if wanted == "native" and fits:
        return _native.Core(vocab, vocab[UNK_TOKEN], options, special, soon)
    if not fits:
        warnings.warn(
            f"bertfast was built for Unicode {_native.UNICODE_VERSION} but this interpreter has "
            f"{unicodedata.unidata_version}: using the slow pure-Python tokenizer; reinstall "
            f"bertfast with this interpreter",
            RuntimeWarning,
            stacklevel=4,
        )
    from bertfast._fallback import ReferenceCore

    return ReferenceCore(vocab, vocab[UNK_TOKEN], options, special)
