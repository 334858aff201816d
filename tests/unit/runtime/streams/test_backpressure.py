"""Backpressure waits for the queries behind, in their order, but for none of them for ever."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from jobs.runtime.streams import backpressure
from jobs.runtime.streams.backpressure import Backpressure
from jobs.runtime.streams.query import Run


class Query:
    """What a hold asks of a query: one of Spark's cannot be kept from reading on."""

    def __init__(self, read: Callable[[], object]) -> None:
        self.processAllAvailable = read


def runs(*reads: Callable[[], object]) -> list[Run]:
    return [Run(Query(read), []) for read in reads]  # type: ignore[arg-type]


def test_the_queries_behind_are_waited_for_in_order() -> None:
    read: list[str] = []
    with Backpressure(runs(lambda: read.append("refine"), lambda: read.append("fold"))) as pressure:
        pressure.hold()
        assert read == ["refine", "fold"]
        pressure.hold()
    assert read == 2 * ["refine", "fold"]


def test_a_query_that_is_far_behind_holds_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backpressure, "MOST_S", 0.01)
    asked, caught_up = [], Event()

    def read() -> None:
        asked.append("refine")
        caught_up.wait()

    with Backpressure(runs(read)) as pressure:
        pressure.hold()
        pressure.hold()
        assert asked == ["refine"], "a second wait was begun beside the first"
        caught_up.set()


def test_a_query_that_failed_holds_nobody_and_is_told_of_elsewhere() -> None:
    def read() -> None:
        raise RuntimeError("refine failed")

    with Backpressure(runs(read)) as pressure:
        pressure.hold()
