"""Stored number formats and what they become in numpy."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]  # of any dtype, numbers or objects

STRING = 7
BFLOAT16 = 14
HALF = 19

# TensorFlow's DataType numbers (tensorflow/core/framework/types.proto); bfloat16 as its bits.
TENSORFLOW_DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<i4"),
    4: np.dtype("u1"),
    5: np.dtype("<i2"),
    6: np.dtype("i1"),
    8: np.dtype("<c8"),
    9: np.dtype("<i8"),
    10: np.dtype("?"),
    BFLOAT16: np.dtype("<u2"),
    17: np.dtype("<u2"),
    18: np.dtype("<c16"),
    HALF: np.dtype("<f2"),
    22: np.dtype("<u4"),
    23: np.dtype("<u8"),
}

SAFETENSORS_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


def widen_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return float32 values of bfloat16 bit patterns: they are a float32's upper half.

    >>> widen_bfloat16(np.array([0x3F80, 0xC000], np.uint16))
    array([ 1., -2.], dtype=float32)
    """
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def from_stored(stored: Array, is_bfloat16: bool) -> Array:
    """Return `stored` aligned and in native byte order; 16-bit floats become float32 exactly."""
    if is_bfloat16:
        return widen_bfloat16(stored.view("<u2"))
    if stored.dtype == np.float16:
        return stored.astype(np.float32)
    native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    return native if native.flags.aligned else native.copy()
