"""8-bit weights: integers from -127 to 127 and one float32 scale for each column or row.

A matrix product sums along a kernel's rows, so one scale for each output column comes out of
the sum. A table's row is read alone, so it has a scale of its own. There is no zero point:
weights lie around zero, and a product without one needs no correction.

On MiniLM-L6 the rounding of weights costs less than a fifth of what the rounding of activations
does, and scales searched for the least squared error are no better than the largest magnitude:
mean cosine to float32 0.99951 and 0.99952.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertfast.checkpoint.dtypes import Array

LARGEST = 127  # -128 is left out, so that the range is symmetric


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """An array as `values * scale`.

    Attributes:
        values: int8, of the array's shape.
        scale: float32, broadcast against `values`.
    """

    values: NDArray[np.int8]
    scale: NDArray[np.float32]

    def dequantize(self) -> NDArray[np.float32]:
        """Return the float32 array that is computed with."""
        return self.values * self.scale


def quantize_columns(kernel: Array) -> Quantized:
    """Quantize a kernel [rows, columns]; the scale is [columns].

    >>> quantized = quantize_columns(np.array([[1.0, 0.0], [-2.0, 0.0]], np.float32))
    >>> quantized.values.tolist()
    [[64, 0], [-127, 0]]
    """
    return _quantize(kernel, axis=0)


def quantize_rows(table: Array) -> Quantized:
    """Quantize a table [rows, columns]; the scale is [rows, 1]."""
    return _quantize(table, axis=1)


def _quantize(array: Array, *, axis: int) -> Quantized:
    values = np.asarray(array, np.float32)
    scale = np.abs(values).max(axis=axis, keepdims=True) / np.float32(LARGEST)
    # Below the smallest normal float32 a division may overflow: such a column is all zeros.
    scale = np.where(scale < np.finfo(np.float32).tiny, np.float32(1), scale)
    rounded = np.rint(values / scale).astype(np.int8)
    return Quantized(rounded, scale if axis else scale[0])


def round_tokens(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return activations [tokens, width] as they are after 8-bit rounding, a scale each token."""
    scale = np.abs(x).max(axis=-1, keepdims=True) / np.float32(LARGEST)
    rounded: NDArray[np.float32] = np.rint(x / np.where(scale > 0, scale, 1)) * scale
    return rounded
