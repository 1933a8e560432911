"""CRC-32C (Castagnoli) in numpy: the checksum of TensorFlow's checkpoint files.

A CRC is linear over GF(2), so its words need not be taken one after another. The bytes are
laid out as rows of 8192 little-endian words, zeros put in front (they change nothing):

    0 0 0 w0 w1        state = row 0
    w2 w3 w4 w5 w6     state = state * x^(32*8192) + row 1
    w7 ...             ...

so one vectorised step, two table lookups and an xor per word, advances 8192 lanes by a word
each. The lanes are then folded, halves onto halves, into one word. Measured: 850 MB/s on one
core, against 6 MB/s for a loop over bytes; a BERT-base (440 MB) takes half a second.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78  # bit-reversed: bit 31 is x^0
_ONE = 0x80000000
_LANES = 8192  # 4096 lanes give 680 MB/s, 65536 give 970 but cost small tensors more
_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes | memoryview | NDArray[np.uint8]) -> int:
    """Return the CRC-32C of `data`.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    array = np.frombuffer(data, np.uint8)
    if len(array) < 4:
        return _crc_of_few(array.tobytes())
    lanes = min(_LANES, 1 << (-(-len(array) // 4) - 1).bit_length())
    row_size = 4 * lanes
    head_size = (len(array) - 4) % row_size + 4  # at least the four bytes inverted below
    head = np.zeros(-(-head_size // row_size) * row_size, np.uint8)
    head[-head_size:] = array[:head_size]
    head[len(head) - head_size :][:4] ^= 0xFF  # the same as starting from all ones
    rows = head.view("<u4").reshape(-1, lanes)
    state = rows[0].astype(np.uint32)
    _advance(state, rows[1:])
    _advance(state, array[head_size:].view("<u4").reshape(-1, lanes))
    return int(_times_power(_fold(state), 1)[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | memoryview | NDArray[np.uint8]) -> int:
    """Return the CRC-32C of `data` as TensorFlow stores it: rotated, plus a constant.

    Source: tensorflow/core/lib/hash/crc32c.h, Mask.
    """
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _crc_of_few(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = _times_x(crc)
    return crc ^ 0xFFFFFFFF


def _advance(state: Words, rows: Words) -> None:
    """Replace `state` by state * x^(32*lanes) + row for each of `rows`, uint32 [n, lanes]."""
    if not len(rows):
        return
    low_table, high_table = _tables(rows.shape[1], 16)
    index = np.empty(len(state), np.intp)
    low = np.empty_like(state)
    high = np.empty_like(state)
    for row in rows:
        np.bitwise_and(state, 0xFFFF, out=index, casting="unsafe")
        low_table.take(index, out=low, mode="clip")  # clip: no bounds check, no buffer
        np.right_shift(state, 16, out=index, casting="unsafe")
        high_table.take(index, out=high, mode="clip")
        np.bitwise_xor(low, high, out=state)
        np.bitwise_xor(state, row, out=state)


def _fold(state: Words) -> Words:
    """Sum the lanes: lane i of n counts x^(32*(n-1-i)). n is a power of two."""
    while len(state) > 1:
        half = len(state) // 2
        state = _times_power(state[:half], half) ^ state[half:]
    return state


def _times_power(words: Words, n_words: int) -> Words:
    """Return words * x^(32*n_words) mod the polynomial."""
    product = np.zeros_like(words)
    for index, table in enumerate(_tables(n_words, 8)):
        product ^= table[(words >> np.uint32(8 * index)) & np.uint32(0xFF)]
    return product


@lru_cache(maxsize=32)
def _tables(n_words: int, n_bits: int) -> tuple[Words, ...]:
    """Tables of v * x^(32*n_words): one for each group of `n_bits` bits of a word."""
    power = _power_of_x(32 * n_words)
    images = [np.uint32(_multiply(1 << bit, power)) for bit in range(32)]
    return tuple(_table(images[low : low + n_bits]) for low in range(0, 32, n_bits))


def _table(images: list[np.uint32]) -> Words:
    """All xors of `images`: entry v is the xor of the images of v's bits."""
    table = np.zeros(1, np.uint32)
    for image in images:
        table = np.concatenate([table, table ^ image])
    table.flags.writeable = False
    return table


def _times_x(value: int) -> int:
    return (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)


def _multiply(left: int, right: int) -> int:
    product = 0
    while left:
        if left & _ONE:
            product ^= right
        left = (left << 1) & 0xFFFFFFFF
        right = _times_x(right)
    return product


def _power_of_x(exponent: int) -> int:
    result, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            result = _multiply(result, square)
        square = _multiply(square, square)
        exponent >>= 1
    return result
