"""The loop's schedule and its reports."""

import pytest

pytest.importorskip("tensorflow")

from bertfast.tf.training import Schedule, _Reports


def stops(schedule: Schedule, step: int = 0) -> list[int]:
    """Every step at which the loop stops, from `step` on."""
    found = []
    while step < schedule.n_steps:
        step = schedule.next_stop(step)
        found.append(step)
    return found


def test_schedule_stops_where_something_is_due() -> None:
    schedule = Schedule(n_steps=230, save_every=90, steps_per_loop=1000, batch_size=8)
    assert stops(schedule) == [10, 90, 100, 180, 200, 230]
    assert [step for step in stops(schedule) if schedule.is_save(step)] == [90, 180, 230]
    assert [step for step in stops(schedule) if schedule.is_report(step)] == [10, 100, 200, 230]


def test_schedule_goes_on_as_if_it_had_not_stopped() -> None:
    schedule = Schedule(n_steps=230, save_every=90, steps_per_loop=25, batch_size=8)
    saves = [step for step in stops(schedule, 90) if schedule.is_save(step)]
    assert saves == [180, 230]
    assert max(b - a for a, b in zip([0, *stops(schedule)], stops(schedule), strict=False)) <= 25


def test_reports_give_the_mean_loss_since_the_last_one() -> None:
    said: list[str] = []
    schedule = Schedule(n_steps=200, save_every=1000, steps_per_loop=10, batch_size=8)
    reports = _Reports(said.append, schedule, 0)
    reports.add(10, 2.0)
    reports.report(10, 1e-5)
    assert said == ["step 10 of 200, loss 2.0000, learning rate 1.00e-05"]
    reports.add(30, 1.0)
    reports.add(10, 5.0)
    reports.report(50, 5e-5)
    assert said[1].startswith("step 50 of 200, loss 2.0000, learning rate 5.00e-05, ")
    assert "examples/s" in said[1]
    assert said[1].endswith(" left")
    reports.add(150, 1.0)
    reports.report(200, 0.0)
    assert said[2].endswith("examples/s")
