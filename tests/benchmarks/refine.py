"""bronze.events to silver: parsed, judged, without duplicates; against Kafka to nowhere."""

from __future__ import annotations

from typing import Any

from jobs.refine import refining
from jobs.runtime.lake import Lake
from jobs.runtime.streams import follow
from tests.benchmarks.pipeline import Bench, bench, compared


def run() -> dict[str, Any]:
    """The rate of the second refinement of the same bronze, the first having warmed up."""
    with bench() as ready:
        baseline = ready.noop_rate()
        ready.ingest(ready.lake)
        refine(ready, ready.lake)
        again = Lake(ready.lake.spark, ready.lake.root, generation=2)
        return compared(lambda: refine(ready, again), "kafka to noop", baseline)


def refine(ready: Bench, lake: Lake) -> None:
    """Take bronze through to silver in a lake's generation."""
    with refining(lake, ready.settings.refine, available_now=True) as query:
        follow(query)
