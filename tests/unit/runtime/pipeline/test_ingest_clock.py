"""Ingest time is in the order of the batches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobs.runtime.pipeline.ingest_clock import IngestClock

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
clocks = st.lists(st.integers(-100_000, 100_000), min_size=2)


@given(clocks)
def test_each_batch_is_after_the_one_before_however_the_clock_steps(steps: list[int]) -> None:
    clock = IngestClock(None)
    times = [clock.next(NOON + timedelta(milliseconds=step)) for step in steps]
    assert all(before < after for before, after in pairwise(times))


@given(clocks.map(sorted), st.integers(0, 1000))
def test_a_clock_that_goes_on_is_what_it_says(steps: list[int], last: int) -> None:
    clock = IngestClock(NOON + timedelta(milliseconds=min(steps) - 1 - last))
    for step in sorted(set(steps)):
        now = NOON + timedelta(milliseconds=step)
        assert clock.next(now) == now
