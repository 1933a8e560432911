import io

import pytest

from bertfast.runtime.progress import LineProgress, show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_show_rows_rate_and_time_left() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, interval_seconds=0)
    progress.advance(500, 9000)
    progress.set_total(2000)
    progress.advance(500, 9000)
    first, second = stream.getvalue().splitlines()
    assert first.startswith("500 rows, ")
    assert first.endswith(" tokens/s")
    assert second.startswith("1,000 rows, ")
    assert ", 50%, " in second
    assert second.endswith(" left")


def test_lines_are_not_printed_more_often_than_the_interval() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, interval_seconds=3600)
    for _ in range(100):
        progress.advance(1, 1)
    assert stream.getvalue() == ""


def test_show_progress_off_a_terminal_prints_plain_lines_only() -> None:
    stream = io.StringIO()
    with show_progress(stream) as progress:
        assert isinstance(progress, LineProgress)
        progress.advance(1, 1)
    assert "\x1b" not in stream.getvalue()


def test_show_progress_on_a_terminal_draws_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    with show_progress(stream) as progress:
        progress.set_total(12)
        progress.advance(3, 30)
    assert "3/12" in stream.getvalue()
    assert "rows/s" in stream.getvalue()
