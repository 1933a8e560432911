"""Native = reference over code points, pairs of characters and normalization's own test data."""

from itertools import product
from pathlib import Path

import pytest

from tests.parity.code_points import (
    CONTEXT_CHARACTERS,
    N_CODE_POINTS,
    PAIR_CONTEXTS,
    in_contexts,
    notable,
    representatives,
)
from tests.parity.conftest import Finish, whole_unicode
from tests.parity.oracle import Comparison, make_twins, revealing_vocab

pytestmark = pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])

PLANE = 0x10000
N_SHARDS = 8


def test_notable_code_points_in_contexts(do_lower_case: bool, finish: Finish) -> None:
    code_points = notable()
    assert len(code_points) > 15_000
    vocab = revealing_vocab([*map(chr, code_points), *CONTEXT_CHARACTERS])
    comparison = Comparison()
    comparison.add(make_twins(vocab, do_lower_case=do_lower_case), in_contexts(code_points))
    finish("notable code points × 8 contexts", comparison)


@pytest.mark.exhaustive
@pytest.mark.parametrize("plane", range(N_CODE_POINTS // PLANE))
def test_every_code_point_in_contexts(do_lower_case: bool, plane: int, finish: Finish) -> None:
    comparison = Comparison()
    code_points = range(plane * PLANE, (plane + 1) * PLANE)
    comparison.add(whole_unicode(do_lower_case), in_contexts(code_points))
    finish("every code point × 8 contexts", comparison)


def _compare_pairs(do_lower_case: bool, shard: int, n_shards: int) -> Comparison:
    characters = representatives()
    assert 200 < len(characters) < 300
    twins = make_twins(revealing_vocab([*characters, *"xαΣ"]), do_lower_case=do_lower_case)
    chosen = list(product(characters, repeat=2))[shard::n_shards]
    comparison = Comparison()
    comparison.add(twins, (context.format(*pair) for pair in chosen for context in PAIR_CONTEXTS))
    return comparison


def test_some_pairs_of_representatives(do_lower_case: bool, finish: Finish) -> None:
    finish("some pairs of representatives × 3 contexts", _compare_pairs(do_lower_case, 0, 7))


@pytest.mark.exhaustive
@pytest.mark.parametrize("shard", range(N_SHARDS))
def test_all_pairs_of_representatives(do_lower_case: bool, shard: int, finish: Finish) -> None:
    comparison = _compare_pairs(do_lower_case, shard, N_SHARDS)
    finish("all pairs of representatives × 3 contexts", comparison)


@pytest.mark.shared
def test_columns_of_the_normalization_test(
    do_lower_case: bool, shared_data: Path, finish: Finish
) -> None:
    texts: list[str] = []
    path = shared_data / "unicode" / "NormalizationTest.txt"
    for line in path.read_text(encoding="utf-8").splitlines():
        if line[:1] in "0123456789ABCDEF" and line:
            columns = line.split("#")[0].strip().rstrip(";").split(";")[:5]
            texts += ["".join(chr(int(code, 16)) for code in column.split()) for column in columns]
    assert len(texts) > 90_000
    comparison = Comparison()
    vocab = revealing_vocab({char for text in texts for char in text})
    comparison.add(make_twins(vocab, do_lower_case=do_lower_case), texts)
    finish("NormalizationTest.txt, 5 columns", comparison)
