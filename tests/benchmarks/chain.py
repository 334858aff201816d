"""bronze.events to silver to the five gold tables, against Kafka to nowhere."""

from __future__ import annotations

from typing import Any

from jobs.fold import folding
from jobs.runtime.gold import compact
from jobs.runtime.lake import Lake
from jobs.runtime.streams import follow
from tests.benchmarks.pipeline import Bench, bench, compared
from tests.benchmarks.refine import refine


def run() -> dict[str, Any]:
    """The rate of the second catching-up, the first having warmed the session."""
    with bench() as ready:
        baseline = ready.noop_rate()
        ready.ingest(ready.lake)
        _catch_up(ready, ready.lake)
        again = Lake(ready.lake.spark, ready.lake.root, generation=2)
        return compared(lambda: _catch_up(ready, again), "kafka to noop", baseline)


def _catch_up(ready: Bench, lake: Lake) -> None:
    refine(ready, lake)
    with folding(lake, ready.settings.fold, available_now=True) as query:
        follow(query)
    compact(lake)
