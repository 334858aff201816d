"""bronze.events to silver: parsed, judged, without duplicates; against Kafka to nowhere."""

from __future__ import annotations

from typing import Any

from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.streams.query import follow
from tests.benchmarks.pipeline import Bench, caught_up


def run() -> dict[str, Any]:
    """The rate of refining, and the task seconds in which the last batch forgot old event_ids."""
    forgot: list[float] = []
    found = caught_up(lambda ready, lake: forgot.append(refine(ready, lake)))
    return {**found, "forgetting_s": forgot[-1]}


def refine(ready: Bench, lake: Lake) -> float:
    """Take bronze through to silver in a lake's generation; seconds as `run` gives them."""
    with refining(
        lake, load_judge(ready.settings.refine), ready.settings.refine, available_now=True
    ) as run:
        follow(run)
        [state] = run.query.lastProgress["stateOperators"]
        return float(state["allRemovalsTimeMs"]) / 1000
