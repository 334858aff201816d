"""bronze.events to silver: parsed, judged, without duplicates; against Kafka to nowhere."""

from __future__ import annotations

from typing import Any

from jobs.refine import refining
from jobs.runtime.lake import Lake
from jobs.runtime.streams import follow
from tests.benchmarks.pipeline import Bench, caught_up


def run() -> dict[str, Any]:
    """The rate of refining."""
    return caught_up(refine)


def refine(ready: Bench, lake: Lake) -> None:
    """Take bronze through to silver in a lake's generation."""
    with refining(lake, ready.settings.refine, available_now=True) as query:
        follow(query)
