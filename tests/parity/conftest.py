"""Fixtures of the parity checks: native core against reference."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.parity.code_points import N_CODE_POINTS
from tests.parity.oracle import Comparison, Twins, make_twins, revealing_vocab
from tests.parity.recording import PROPERTY

Finish = Callable[[str, Comparison], None]


@pytest.fixture
def finish(request: pytest.FixtureRequest) -> Finish:
    """Record a comparison under a name and fail if anything differed or nothing was compared."""

    def finish_comparison(name: str, comparison: Comparison) -> None:
        counts = [name, comparison.cases, comparison.n_differences]
        request.node.user_properties.append((PROPERTY, counts))
        assert comparison.cases > 0
        assert comparison.n_differences == 0, "\n".join(comparison.shown)

    return finish_comparison


@cache
def whole_unicode(do_lower_case: bool) -> Twins:
    """Both implementations on a vocabulary of every code point (2.2 million tokens)."""
    tokens = revealing_vocab(map(chr, range(N_CODE_POINTS)))
    return make_twins(tokens, do_lower_case=do_lower_case)
