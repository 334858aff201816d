"""All silver and gold from bronze in batch, beside the streams that made them."""

from __future__ import annotations

from typing import Any

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.gold import compact
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.recompute.batch_build import build_silver
from jobs.runtime.streams.query import follow
from tests.benchmarks.pipeline import Bench, bench, compared, rate
from tests.benchmarks.refine import refine


def run() -> dict[str, Any]:
    """The rate of a batch build of a generation, the second of two: the first warms the session."""
    with bench() as ready:
        baseline = ready.noop_rate()
        ready.ingest(ready.lake)
        streams = rate(lambda: _stream(ready))
        bronze = ready.lake.version(BRONZE)
        build(ready, ready.lake.of_generation(2), bronze)
        built = ready.lake.of_generation(3)
        result = compared(lambda: build(ready, built, bronze), "kafka to noop", baseline)
        return {**result, "rate_of_streams_per_s": round(streams)}


def build(ready: Bench, lake: Lake, bronze_version: int) -> None:
    """All silver and gold of an empty generation, from bronze as of a version."""
    settings = ready.settings.refine
    build_silver(lake, load_judge(settings), settings, bronze_version)
    _fold(ready, lake)


def _stream(ready: Bench) -> None:
    refine(ready, ready.lake)
    _fold(ready, ready.lake)


def _fold(ready: Bench, lake: Lake) -> None:
    with folding(lake, ready.settings.fold, available_now=True) as query:
        follow(query)
    compact(lake)
