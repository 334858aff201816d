"""bronze.events to silver to the five gold tables, against Kafka to nowhere."""

from __future__ import annotations

from typing import Any

from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.gold import compact
from jobs.runtime.streams.query import follow
from tests.benchmarks.pipeline import Bench, caught_up
from tests.benchmarks.refine import refine


def run() -> dict[str, Any]:
    """The rate of catching up, compaction included."""
    return caught_up(_catch_up)


def _catch_up(ready: Bench, lake: Lake) -> None:
    refine(ready, lake)
    with folding(lake, ready.settings.fold, available_now=True) as query:
        follow(query)
    compact(lake)
