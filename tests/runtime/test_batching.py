import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast.errors import InputError
from bertfast.runtime.batching import DEFAULT_TOKEN_BUDGET, plan_batches

lengths_of_rows = st.lists(st.integers(0, 600), max_size=300).map(lambda rows: np.array(rows, int))
budgets = st.integers(1, 2000)


@given(lengths_of_rows, budgets)
def test_plan_every_row_is_in_exactly_one_batch(lengths: np.ndarray, budget: int) -> None:
    batches = plan_batches(lengths, token_budget=budget)
    rows = np.concatenate(batches) if batches else np.array([], int)
    assert sorted(rows.tolist()) == list(range(len(lengths)))


@given(lengths_of_rows, budgets)
def test_plan_batches_stay_within_budget_unless_one_row(lengths: np.ndarray, budget: int) -> None:
    for rows in plan_batches(lengths, token_budget=budget):
        assert len(rows) >= 1
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= budget


@given(lengths_of_rows, budgets)
def test_plan_no_batch_could_take_the_next_row(lengths: np.ndarray, budget: int) -> None:
    batches = plan_batches(lengths, token_budget=budget)
    for rows in batches[:-1]:
        assert (len(rows) + 1) * max(1, lengths[rows].max()) > budget


@given(lengths_of_rows, budgets)
def test_plan_rows_go_from_longest_to_shortest_and_ties_in_order(
    lengths: np.ndarray, budget: int
) -> None:
    batches = plan_batches(lengths, token_budget=budget)
    rows = [int(row) for batch in batches for row in batch]
    assert rows == sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))


@given(lengths_of_rows, budgets)
def test_plan_is_repeatable_and_leaves_lengths_alone(lengths: np.ndarray, budget: int) -> None:
    before = lengths.copy()
    first = plan_batches(lengths, token_budget=budget)
    second = plan_batches(lengths.astype(np.int32), token_budget=budget)
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]
    assert np.array_equal(lengths, before)


def test_plan_no_rows_gives_no_batches() -> None:
    assert plan_batches(np.array([], np.int64)) == []


def test_plan_default_budget_is_used() -> None:
    batches = plan_batches(np.full(100, 32))
    assert [len(rows) for rows in batches[:-1]] == [DEFAULT_TOKEN_BUDGET // 32] * (len(batches) - 1)


@pytest.mark.parametrize("budget", [0, -1, 1.5, True, None, "512"])
def test_plan_bad_budget_raises_input_error(budget: object) -> None:
    with pytest.raises(InputError, match="token_budget is a positive integer"):
        plan_batches(np.array([1]), token_budget=budget)  # type: ignore[arg-type]
