"""How large batches and windows may be, and how many batches may run at a time, in a given memory.

`max_memory` bounds what a prediction takes besides the model, the tokenizer, the caller's texts
and the array that `predict` returns:

    batches side by side     buffers of a batch of `token_budget` tokens each
    two windows as ids       one is predicted while the next is tokenized
    predictions              of the windows that are under way or wait to be fetched

The native engine's batches are counted to the byte, ONNX Runtime's are an upper estimate of what
its operators keep at a time. Token budget and window follow from the limit, the model and
`max_length` alone, so that the same job has the same batches on any machine; how many batches
run at a time may be fewer than the threads.
"""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertfast.errors import InputError
from bertfast.runtime.encoded import SEQUENCE_OUTPUT
from bertfast.runtime.windows import DEFAULT_WINDOW

if TYPE_CHECKING:
    from bertfast.config import BertConfig
    from bertfast.manifest import Manifest

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?|)B?\s*", re.IGNORECASE)

# A token of a window: its id and segment, int64 sums while segments are found, its id once more
# in the next window and in the look for identical rows.
_TOKEN_BYTES = 48
# A row of a window: offsets, and its entry in the look for identical rows.
_ROW_BYTES = 400
# Windows whose predictions are kept at a time: predicted, waiting, written (a job has two).
_KEPT_OUTPUTS = 4
# Packed rows beside a product (csrc/engine/linear.cc, kBlockBytes), and small things.
_PRODUCT_BYTES = 512 * 1024
_TILE_ROWS = 14
_LANES = 16


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a prediction is cut into.

    Attributes:
        token_budget: tokens of a batch at most, unless one row has more.
        workers: batches that run at a time at most.
        window_rows: rows of a window at most.
    """

    token_budget: int
    workers: int
    window_rows: int


def parse_memory(given: int | str | None) -> int | None:
    """Return bytes of a number or of a text such as "500MB" or "1.5 GiB"; None stays None.

    Raises:
        InputError: it is no positive size.

    >>> parse_memory("500MB"), parse_memory("2KiB"), parse_memory(4096)
    (500000000, 2048, 4096)
    """
    n_bytes = given
    if isinstance(given, str):
        match = _SIZE.fullmatch(given)
        size = float(match[1]) * _UNITS[match[2].upper()] if match else 0.0
        n_bytes = int(size) if math.isfinite(size) else 0
    if n_bytes is None:
        return None
    if isinstance(n_bytes, bool) or not isinstance(n_bytes, int) or n_bytes < 1:
        raise InputError(f'max_memory is a number of bytes or a size like "500MB", got {given!r}')
    return n_bytes


def plan_memory(
    max_memory: int,
    manifest: "Manifest",
    *,
    engine: str,
    output: str,
    max_length: int,
    token_budget: int,
    workers: int,
) -> MemoryPlan:
    """Return the largest budget, window and number of workers, up to those given, that fit.

    Half of the memory goes to one batch at most, half of the rest to the window, what remains
    to further batches.

    Raises:
        InputError: not even one row of `max_length` tokens fits; names the least that does.
    """
    row = _row_bytes(manifest, output, max_length)
    least = row + _batch_bytes(manifest.config, engine, max_length, max_length)
    if max_memory < least:
        raise InputError(
            f"max_memory of {max_memory:,} bytes is too small for one text of {max_length} tokens "
            f"and this model: {least:,} bytes is the least"
        )
    tokens = token_budget
    while tokens > max_length and (
        _batch_bytes(manifest.config, engine, tokens, max_length) > (max_memory - row) // 2
    ):
        tokens = max(max_length, tokens * 15 // 16)
    batch = _batch_bytes(manifest.config, engine, max(tokens, max_length), max_length)
    rows = min(max((max_memory - batch) // 2 // row, 1), DEFAULT_WINDOW)
    side_by_side = min(max((max_memory - rows * row) // batch, 1), workers)
    return MemoryPlan(tokens, side_by_side, rows)


def _row_bytes(manifest: "Manifest", output: str, max_length: int) -> int:
    """Return what a row of `max_length` tokens costs in the windows that are kept."""
    scores = output in ("probabilities", "logits") and manifest.labels is not None
    width = len(manifest.labels or ()) if scores else manifest.config.hidden_size
    vectors = max_length if output == SEQUENCE_OUTPUT else 1
    # One array of the whole window, and one of each row.
    copies = _KEPT_OUTPUTS + (1 if output == SEQUENCE_OUTPUT else 0)
    return max_length * _TOKEN_BYTES + _ROW_BYTES + copies * 4 * vectors * width


def _batch_bytes(config: "BertConfig", engine: str, n_tokens: int, longest: int) -> int:
    hidden, wide = config.hidden_size, config.intermediate_size
    if engine == "native":  # csrc/engine/model.cc, Model::run
        attention = _attention_floats(longest, hidden // config.num_attention_heads)
        products = max(_PRODUCT_BYTES, 4 * (_TILE_ROWS + 2) * (wide + _LANES))
        return 4 * (n_tokens * (3 * hidden + max(3 * hidden, wide)) + attention) + products
    probabilities = 3 * config.num_attention_heads * longest
    return 4 * n_tokens * (12 * hidden + 5 * wide + probabilities) + _PRODUCT_BYTES


def _attention_floats(n_keys: int, size: int) -> int:
    """Return attention_scratch of csrc/engine/vector_kernels.h, with its widest registers."""
    keys, width = (-(-n // _LANES) * _LANES for n in (n_keys, size))
    return size * keys + n_keys * width + 6 * (keys + width)
