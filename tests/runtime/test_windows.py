import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast.errors import InputError
from bertfast.runtime import windows
from bertfast.runtime.windows import Row, as_rows, split_windows

text = st.text(max_size=3) | st.binary(max_size=3)
row = text | st.tuples(text, text)


@given(st.lists(row, max_size=40), st.integers(1, 12))
def test_windows_hold_every_row_in_order(rows: list[Row], n_rows: int) -> None:
    seen: list[tuple[object, object]] = []
    for window in split_windows(iter(rows), n_rows=n_rows):
        assert window.first_row == len(seen)
        assert 1 <= len(window.texts) <= n_rows
        pairs = [b""] * len(window.texts) if window.pairs is None else window.pairs
        seen += zip(window.texts, pairs, strict=True)
    assert seen == [value if isinstance(value, tuple) else (value, b"") for value in rows]


def test_windows_without_second_texts_have_no_pairs() -> None:
    assert [window.pairs for window in split_windows(["a", b"b", "c"], n_rows=2)] == [None, None]


def test_windows_end_early_where_texts_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_MAX_CHARACTERS", 10)
    sizes = [
        len(window.texts) for window in split_windows(["x" * 6, ("x", "x" * 4), "y", "z" * 99, "q"])
    ]
    assert sizes == [2, 2, 1]


def test_windows_read_no_further_than_the_window_asked_for() -> None:
    rows = iter(["a", "b", "c", "d", "e"])
    next(split_windows(rows, n_rows=2))
    assert list(rows) == ["c", "d", "e"]


@pytest.mark.parametrize(
    ("bad", "given"),
    [
        (None, "NoneType"),
        (float("nan"), "float"),
        (3, "int"),
        (["a"], "list"),
        (("a", None), "NoneType"),
        ((float("nan"), "a"), "float"),
    ],
)
def test_windows_bad_row_is_named_by_its_number(bad: object, given: str) -> None:
    rows = ["x"] * 7 + [bad]
    with pytest.raises(InputError, match=f"^row 7: expected str or bytes, got {given}$"):
        list(split_windows(rows, n_rows=3))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [(), ("a",), ("a", "b", "c")])
def test_windows_tuple_of_other_than_two_raises(bad: object) -> None:
    with pytest.raises(InputError, match=r"^row 1: expected \(text, second text\), got \d values$"):
        list(split_windows(["x", bad]))  # type: ignore[list-item]


def test_rows_accept_any_iterable_of_texts() -> None:
    assert list(as_rows((text for text in ("a", b"b")), None)) == ["a", b"b"]
    assert list(as_rows(np.array(["a", "b"], object), ["c", "d"])) == [("a", "c"), ("b", "d")]


@pytest.mark.parametrize("one", ["text", b"text"])
def test_rows_one_text_is_refused(one: str | bytes) -> None:
    with pytest.raises(InputError, match=r"^texts is one (str|bytes); pass a list of texts$"):
        as_rows(one, None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^text_pair is one"):
        as_rows(["a"], one)  # type: ignore[arg-type]


def test_rows_no_list_is_refused() -> None:
    with pytest.raises(InputError, match=r"^texts is a list of texts, got None$"):
        as_rows(None, None)  # type: ignore[arg-type]


def test_rows_different_numbers_of_texts_are_refused() -> None:
    with pytest.raises(InputError, match=r"^2 texts but 1 second texts$"):
        as_rows(["a", "b"], ["c"])
