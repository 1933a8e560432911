"""Types of the compiled binding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.options import TokenizerOptions

KERNEL: str
UNICODE_VERSION: str

_Ints = NDArray[np.int32]
_Longs = NDArray[np.int64]

class TextViews:
    def __len__(self) -> int: ...
    def as_list(self) -> list[bytes]: ...

class ArrowTexts(TextViews):
    def __init__(self, source: object) -> None: ...

class FileTexts(TextViews):
    def __init__(self, buffers: list[Any], by_line: bool) -> None: ...

class Core:
    def __init__(
        self,
        vocab: dict[str, int],
        unk_id: int,
        options: TokenizerOptions,
        special_tokens: dict[str, int],
        soon: bool = ...,
    ) -> None: ...
    def encode_one(
        self, text: str | bytes, limit: int, specials: tuple[int, int] | None
    ) -> list[int]: ...
    def encode_batch(
        self,
        texts: tuple[str | bytes, ...] | TextViews,
        limit: int,
        num_threads: int,
        with_offsets: bool,
        specials: tuple[int, int] | None = None,
    ) -> tuple[_Ints, _Longs, _Ints | None]: ...

def pack_ragged(
    ids: _Ints,
    offsets: _Longs,
    ids_a: _Ints,
    ids_b: _Ints,
    a_begin: _Longs,
    a_length: _Longs,
    b_begin: _Longs,
    b_length: _Longs,
    specials: tuple[int, int] | None,
) -> None: ...
def pack_padded(
    input_ids: NDArray[Any],
    input_mask: NDArray[Any],
    segment_ids: NDArray[Any],
    ids_a: _Ints,
    ids_b: _Ints,
    a_begin: _Longs,
    a_length: _Longs,
    b_begin: _Longs,
    b_length: _Longs,
    specials: tuple[int, int] | None,
    pad_id: int,
) -> None: ...
def pack_offsets(
    offsets: _Ints,
    spans_a: _Ints,
    spans_b: _Ints,
    a_begin: _Longs,
    a_length: _Longs,
    b_begin: _Longs,
    b_length: _Longs,
    special: bool,
) -> None: ...
