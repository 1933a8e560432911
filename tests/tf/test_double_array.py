"""The trie's units, walked as darts-clone walks them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.tf.characters import N_CODE_POINTS
from bertfast.tf.double_array import build_double_array

SURROGATES = range(0xD800, 0xE000)
LABEL = 0x800000FF


def lookup(units: NDArray[np.uint32], key: bytes) -> int | None:
    """Return the value of `key`, as Darts::DoubleArray::exactMatchSearch does."""
    at, unit = 0, int(units[0])
    for byte in key:
        at ^= offset(unit) ^ byte
        unit = int(units[at])
        if unit & LABEL != byte:
            return None
    if not unit >> 8 & 1:
        return None
    return int(units[at ^ offset(unit)]) & 0x7FFFFFFF


def offset(unit: int) -> int:
    return unit >> 10 << ((unit & 1 << 9) >> 6)


def table(entries: dict[int, int]) -> NDArray[np.int32]:
    values = np.zeros(N_CODE_POINTS, np.int32)
    values[list(entries)] = list(entries.values())
    return values


def check(values: NDArray[np.int32], data: Sequence[int], code_points: Sequence[int]) -> None:
    units = build_double_array(values, data)
    for code_point in code_points:
        expected = data[values[code_point]] if values[code_point] else None
        assert lookup(units, chr(code_point).encode()) == expected, hex(code_point)


BOUNDARIES = [1, 0x7F, 0x80, 0xBF, 0xC0, 0x7FF, 0x800, 0xFFF, 0xD7FF, 0xE000, 0xFFFF, 0x10000]
BOUNDARIES += [0x3FFFF, 0x40000, 0xFFFFF, 0x100000, N_CODE_POINTS - 1]


@pytest.mark.parametrize("code_point", BOUNDARIES)
def test_single_entry_is_found_and_nothing_else(code_point: int) -> None:
    check(table({code_point: 1}), [0, 12345], BOUNDARIES)


def test_every_boundary_has_its_own_value() -> None:
    entries = {code_point: index + 1 for index, code_point in enumerate(BOUNDARIES)}
    check(table(entries), [0, *range(7, 7 + len(entries))], BOUNDARIES)


def test_empty_table_finds_nothing() -> None:
    check(table({}), [0], BOUNDARIES)


def test_random_values_are_found() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 5000, N_CODE_POINTS).astype(np.int32)
    values[::7] = 0
    values[0] = 0
    values[SURROGATES.start : SURROGATES.stop] = 0
    data = [0, *rng.integers(1, 1 << 31, 4999).tolist()]
    chosen = rng.choice(N_CODE_POINTS, 3000, replace=False).tolist()
    given = [code for code in [*range(1, 0x900), *chosen] if code and code not in SURROGATES]
    check(values, data, given)


def test_equal_blocks_are_kept_once() -> None:
    values = np.ones(N_CODE_POINTS, np.int32)
    values[0] = 0
    values[SURROGATES.start : SURROGATES.stop] = 0
    assert len(build_double_array(values, [0, 1])) < 4096


def test_a_position_and_any_byte_stay_inside() -> None:
    units = build_double_array(table({0x10FFFF: 1, 0x80: 1}), [0, 1])
    last = np.flatnonzero(units)[-1]
    assert last | 0xFF < len(units)
