"""All silver and gold from bronze in batch, against the stream that made them."""

from __future__ import annotations

from typing import Any

from jobs.build import build_silver
from jobs.fold import folding
from jobs.runtime.gold import compact
from jobs.runtime.lake import Lake
from jobs.runtime.streams import follow
from jobs.runtime.tables import BRONZE
from tests.benchmarks.pipeline import Bench, bench, compared, rate
from tests.benchmarks.refine import refine


def run() -> dict[str, Any]:
    """The rate of a batch build of a generation; its baseline has warmed the session."""
    with bench() as ready:
        ready.ingest(ready.lake)
        baseline = rate(lambda: _stream(ready))
        built = ready.lake.of_generation(2)
        bronze = ready.lake.version(BRONZE)
        return compared(lambda: build(ready, built, bronze), "bronze to gold by streams", baseline)


def build(ready: Bench, lake: Lake, bronze_version: int) -> None:
    """All silver and gold of an empty generation, from bronze as of a version."""
    build_silver(lake, ready.settings.refine, bronze_version)
    _fold(ready, lake)


def _stream(ready: Bench) -> None:
    refine(ready, ready.lake)
    _fold(ready, ready.lake)


def _fold(ready: Bench, lake: Lake) -> None:
    with folding(lake, ready.settings.fold, available_now=True) as query:
        follow(query)
    compact(lake)
