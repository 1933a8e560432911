"""The character table in the form that TF-Text's FastBertNormalize op reads.

A flatbuffer of a trie from each code point to a slice of a pool of UTF-8 strings:

    table FastBertNormalizerModel {
      lower_case_nfd_strip_accents: bool;
      trie_array: [uint];
      data_for_codepoint_zero: int;   // NUL, which cannot be in the trie
      normalized_string_pool: [ubyte];
    }

The op applies whatever mapping it is given, so it can follow our law and not its own.
Source: tensorflow/text fast_bert_normalizer_model.fbs, fast_bert_normalizer.h.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import VocabError
from bertfast.tf.double_array import build_double_array

_IS_CHANGED = 1 << 30
_LENGTH_BITS = 6
_MAX_POOL = 1 << 24


def build_normalizer_model(values: NDArray[np.int32], strings: Sequence[str]) -> bytes:
    """Return the model that maps code point c to strings[values[c]].

    Args:
        values: int32 [N_CODE_POINTS]; 0 leaves the code point as it is. Surrogates, which
            UTF-8 has not, must be 0.
        strings: what code points become, distinct; strings[0] is not used.

    Raises:
        VocabError: the strings do not fit the format (16 MB in all, 63 bytes each).
    """
    data, pool = _pool_strings(strings)
    trie = build_double_array(values, data)
    return _write(trie, data[values[0]] if values[0] else 0, pool)


def _pool_strings(strings: Sequence[str]) -> tuple[list[int], bytes]:
    """Return each string's place in the pool, as the op's bits have it, and the pool."""
    pool = bytearray()
    data = [0]
    for string in strings[1:]:
        encoded = string.encode()
        if len(encoded) >= 1 << _LENGTH_BITS or len(pool) + len(encoded) > _MAX_POOL:
            raise VocabError("the vocabulary's characters do not fit the graph's character table")
        data.append(_IS_CHANGED | len(pool) << _LENGTH_BITS | len(encoded))
        pool += encoded
    return data, bytes(pool) or b" "


def _write(trie: NDArray[np.uint32], zero: int, pool: bytes) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(trie.nbytes + len(pool) + 256)
    trie_offset = builder.CreateNumpyVector(trie)
    pool_offset = builder.CreateByteVector(pool)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(1, trie_offset, 0)
    builder.PrependInt32Slot(2, zero, 0)
    builder.PrependUOffsetTRelativeSlot(3, pool_offset, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())
