"""A trie over the UTF-8 bytes of all code points, laid out as darts-clone's double array.

A unit is 32 bits; the child of the unit at p by byte b is at q = p ^ offset(p) ^ b if unit q
carries the label b. A code point's last byte has a leaf, its value, at p ^ offset(p):

     31   30......10   9     8    7....0
      0 |  offset   |  0  | leaf | label       node
      1 |        value (31 bits)               value

All continuation bytes lie in 80..BF, so the children of any byte fit one block of 64 units,
and equal blocks are kept once: most of Unicode is a few blocks.

    0        root
    256      children of the root, by lead byte
    512      values
    ...      blocks

Source of the layout: s-yata/darts-clone, include/darts.h.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import VocabError

Units = NDArray[np.uint32]
_Ints = NDArray[np.int64]

_ROOT_CHILDREN = 256
_VALUES = 512
_BLOCK = 64
_LEAF = 1 << 8
_OFFSET_SHIFT = 10
_MAX_OFFSET = 1 << 21
_IS_VALUE = 1 << 31


def build_double_array(values: NDArray[np.int32], data: Sequence[int]) -> Units:
    """Return the units, uint32 [n], of a trie from code points to 31-bit data.

    Args:
        values: int32 [N_CODE_POINTS]; the index in `data` of what each code point leads to,
            0 for one that is not in the trie. NUL and surrogates cannot be.
        data: the values; data[0] is not used.

    Raises:
        VocabError: so many distinct values that the layout cannot hold them.
    """
    array = _DoubleArray(data)
    leaves = array.add_blocks(array.value_targets(values).reshape(-1, _BLOCK), leaf=True)
    three = leaves[: 0x10000 // _BLOCK].copy()
    three[: 0x800 // _BLOCK] = 0  # these have two bytes
    four = np.zeros(5 * _BLOCK * _BLOCK, np.int64)
    four[: len(leaves)] = leaves
    four[: len(three)] = 0
    threes = array.add_blocks(three.reshape(-1, _BLOCK))
    fours = array.add_blocks(array.add_blocks(four.reshape(-1, _BLOCK)).reshape(-1, _BLOCK))
    array.set_root(np.arange(1, 0x80), array.value_targets(values[1:0x80]), leaf=True)
    array.set_root(np.arange(0xC0, 0xE0), leaves[:32])
    array.set_root(np.arange(0xE0, 0xF0), threes)
    array.set_root(np.arange(0xF0, 0xF5), fours)
    return array.finish()


class _DoubleArray:
    """The units so far. Addresses and targets are 0 where there is nothing."""

    def __init__(self, data: Sequence[int]) -> None:
        head = np.zeros(_aligned(_VALUES + len(data)), np.int64)
        head[_VALUES : _VALUES + len(data)] = np.asarray(data, np.int64) | _IS_VALUE
        head[0] = _ROOT_CHILDREN << _OFFSET_SHIFT
        self._head = head
        self._blocks: list[_Ints] = []
        self._size = len(head)

    def value_targets(self, values: NDArray[np.int32]) -> _Ints:
        """Return the address of each value."""
        return np.where(values > 0, _VALUES + values.astype(np.int64), 0)

    def add_blocks(self, targets: _Ints, *, leaf: bool = False) -> _Ints:
        """Append a block for each distinct row of `targets` [n, 64]; return their addresses [n].

        Targets are addresses of values, if `leaf`, or of blocks.
        """
        distinct, inverse = np.unique(targets, axis=0, return_inverse=True)
        filled = distinct.any(axis=1)
        addresses = np.where(filled, self._size + _BLOCK * (np.cumsum(filled) - 1), 0)
        rows = distinct[filled]
        positions = self._size + np.arange(rows.size).reshape(rows.shape)
        labels = 0x80 | np.arange(_BLOCK)
        self._blocks.append(_units(positions, rows, labels, leaf=leaf).reshape(-1))
        self._size += rows.size
        return addresses[inverse.reshape(-1)]

    def set_root(self, labels: _Ints, targets: _Ints, *, leaf: bool = False) -> None:
        """Set the root's children by `labels` to lead to `targets`."""
        positions = _ROOT_CHILDREN ^ labels
        self._head[positions] = _units(positions, targets, labels, leaf=leaf)

    def finish(self) -> Units:
        """Return all units, with room behind so that position ^ byte is never outside."""
        padding = np.zeros(256 + -self._size % 256, np.int64)
        return np.concatenate([self._head, *self._blocks, padding]).astype(np.uint32)


def _units(positions: _Ints, targets: _Ints, labels: _Ints, *, leaf: bool) -> _Ints:
    """Return the units at `positions`, 0 where the target is 0."""
    # A value is at its target itself; a block's labels begin at 80, so its base is 80 before.
    offsets = positions ^ (targets if leaf else targets ^ 0x80)
    if offsets.size and int(offsets.max(initial=0, where=targets > 0)) >= _MAX_OFFSET:
        raise VocabError("the vocabulary's characters do not fit the graph's character table")
    units = offsets << _OFFSET_SHIFT | (_LEAF if leaf else 0) | labels
    result: _Ints = np.where(targets > 0, units, 0)
    return result


def _aligned(size: int) -> int:
    return size + -size % _BLOCK
