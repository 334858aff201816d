"""Batch builds of a generation from more and more events: does the cost grow along a line?

Each size is a version of one bronze table, so the largest build begins with the events of the
smallest. The baseline is the smallest: on a line through nothing the ratio of the rates is 1.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.runtime.tables import BRONZE
from tests.benchmarks.pipeline import EVENTS, Bench, bench
from tests.benchmarks.recompute import build

GIB = 2**30


def run() -> dict[str, Any]:
    """Seconds and the heap's peak by size, and how far the seconds lie from the nearest line."""
    with bench() as ready:
        versions = _landed(ready)
        _built(ready, 2, versions[EVENTS])  # warms
        built = {
            events: _built(ready, generation, version)
            for generation, (events, version) in enumerate(versions.items(), start=3)
        }
    seconds = {events: taken for events, (taken, _) in built.items()}
    least, most = min(seconds), max(seconds)
    return {
        "events": most,
        "rate_per_s": round(most / seconds[most]),
        "baseline": f"a build from {least:,} events",
        "baseline_rate_per_s": round(least / seconds[least]),
        "ratio": round(most / seconds[most] * seconds[least] / least, 3),
        "off_line": round(off_line(seconds), 3),
        "seconds": {events: round(taken, 1) for events, taken in seconds.items()},
        "old_generation_peak_gib": {events: round(peak, 2) for events, (_, peak) in built.items()},
    }


def off_line(seconds: Mapping[int, float]) -> float:
    """The farthest that a time lies from the line of least squares, as a share of the line's."""
    sizes, times = np.array(list(seconds)), np.array(list(seconds.values()))
    line = np.polyval(np.polyfit(sizes, times, 1), sizes)
    return float(np.max(np.abs(times - line) / line))


def _landed(ready: Bench) -> dict[int, int]:
    """Bronze's versions with once, twice and four times EVENTS."""
    ready.ingest(ready.lake)
    versions = {EVENTS: ready.lake.version(BRONZE)}
    for held in (EVENTS, 2 * EVENTS):
        ready.produce(held)
        ready.ingest(ready.lake)
        versions[2 * held] = ready.lake.version(BRONZE)
    return versions


def _built(ready: Bench, generation: int, bronze_version: int) -> tuple[float, float]:
    """Seconds of a build, and GiB that the JVM's old generation held at most."""
    jvm = ready.lake.spark._jvm
    assert jvm is not None
    pools = jvm.java.lang.management.ManagementFactory.getMemoryPoolMXBeans()
    [old] = (pool for pool in pools if pool.getName().endswith("Old Gen"))
    old.resetPeakUsage()
    began = time.perf_counter()
    build(ready, ready.lake.of_generation(generation), bronze_version)
    return time.perf_counter() - began, old.getPeakUsage().getUsed() / GIB
