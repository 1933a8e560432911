import gc
import itertools
from functools import partial
from pathlib import Path

import pytest

from bertfast.benchmark import measurement
from bertfast.benchmark.corpora import Corpus, write_corpus
from bertfast.benchmark.first_pass import FirstPassError, Request, measure, measure_in_turn
from bertfast.benchmark.measurement import Sample, frozen_garbage_collection, interleave
from bertfast.benchmark.peers import BERTFAST, Setup
from bertfast.benchmark.results import Rates
from tests.benchmark.conftest import TEXTS
from tests.benchmark.fake_peers import fake_peer, log_path


def test_rounds_take_turns_in_a_rotating_order() -> None:
    order: list[str] = []
    tasks = {name: partial(order.append, name) for name in "abc"}
    samples = interleave(tasks, 4)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab" + "abc"  # the first to warm up
    assert {name: len(values) for name, values in samples.items()} == {"a": 4, "b": 4, "c": 4}


def test_quick_tasks_are_repeated_within_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every look at the clock is 100 microseconds after the one before.
    clock = itertools.count(step=100_000)
    monkeypatch.setattr("time.perf_counter_ns", partial(next, clock))
    monkeypatch.setattr(measurement, "_TURN_SECONDS", 0.005)
    calls: list[int] = []
    interleave({"quick": partial(calls.append, 1)}, 1)
    assert len(calls) == 1 + 50


def test_no_tasks_give_no_samples() -> None:
    assert interleave({}, 3) == {}


def test_garbage_collection_rests_and_returns() -> None:
    assert gc.isenabled()
    with frozen_garbage_collection():
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_rates_are_in_megabytes_a_second() -> None:
    rates = Rates.of(3_000_000, [Sample(1.0, 2.0), Sample(3.0, 6.0), Sample(0.5, 1.0)])
    assert rates.cpu.median == 3.0
    assert rates.wall.median == 1.5
    assert (rates.cpu.q1, rates.cpu.q3) == (2.0, 4.5)
    assert rates.fair(1) == rates.cpu
    assert rates.fair(2) == rates.wall


@pytest.fixture
def request_for(setup: Setup, tmp_path: Path) -> "partial[Request]":
    """Requests about 1,250 texts, for an adapter."""
    path = tmp_path / "corpus"
    write_corpus(Corpus.of("", [*TEXTS, "more"] * 179), path)
    return partial(
        Request,
        vocab_path=str(setup.vocab_path),
        do_lower_case=True,
        num_threads=1,
        corpus_path=str(path),
    )


def test_first_pass_is_timed_in_another_process(request_for: "partial[Request]") -> None:
    sample = measure(request_for(BERTFAST.adapter))
    assert 0 < sample.cpu_seconds < 10
    assert 0 < sample.wall_seconds < 100


def test_first_pass_is_the_only_pass(request_for: "partial[Request]", setup: Setup) -> None:
    measure(request_for(fake_peer("logging").adapter))
    assert log_path(setup.vocab_path).read_text(encoding="ascii").split() == ["1000", "253"]


def test_failure_in_the_fresh_process_is_named(request_for: "partial[Request]") -> None:
    with pytest.raises(FirstPassError, match=r"^read vocab\.txt$"):
        measure(request_for(fake_peer("unloadable").adapter))


def test_competitor_that_fails_has_no_first_pass(request_for: "partial[Request]") -> None:
    requests = {
        "good": request_for(fake_peer("slow").adapter),
        "bad": request_for(fake_peer("unloadable").adapter),
    }
    samples = measure_in_turn(requests, 2)
    assert {name: len(values) for name, values in samples.items()} == {"good": 2, "bad": 0}
