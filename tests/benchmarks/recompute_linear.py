"""Batch builds of a generation from more and more events: a line of seconds, and flat memory?

Each size is a version of one bronze table, so the largest build begins with the events of the
smallest. The baseline is the smallest: on a line through nothing the ratio of the rates is 1.
Memory is what the old generation holds behind a collection: between two it is mostly waste. The
collections take time, so the builds that they measure are not those that are timed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Event
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from jobs.runtime.lake.tables import BRONZE
from tests.benchmarks.pipeline import EVENTS, Bench, bench
from tests.benchmarks.recompute import build

MIB = 2**20
PAUSE_S = 0.5


def run() -> dict[str, Any]:
    """Seconds and live memory by size, and how far the seconds lie from the nearest line."""
    with bench() as ready:
        versions = _landed(ready)
        least, most = min(versions), max(versions)
        generations = count(2)

        def built(events: int) -> float:
            began = time.perf_counter()
            build(ready, ready.lake.of_generation(next(generations)), versions[events])
            return time.perf_counter() - began

        built(least)  # warms
        seconds = {events: built(events) for events in versions}
        live_mib = {}
        for events in (least, most):
            with collecting(ready.lake.spark) as held:
                built(events)
            live_mib[events] = round(max(held) / MIB)
    return {
        "events": most,
        "rate_per_s": round(most / seconds[most]),
        "baseline": f"a build from {least:,} events",
        "baseline_rate_per_s": round(least / seconds[least]),
        "ratio": round(most / seconds[most] * seconds[least] / least, 3),
        "off_line": round(off_line(seconds), 3),
        "seconds": {events: round(taken, 1) for events, taken in seconds.items()},
        "live_peak_mib": live_mib,
    }


@contextmanager
def collecting(spark: SparkSession) -> Iterator[list[int]]:
    """Bytes that the JVM's old generation holds behind one collection after the other."""
    jvm = spark._jvm
    assert jvm is not None
    pools = jvm.java.lang.management.ManagementFactory.getMemoryPoolMXBeans()
    [old] = (pool for pool in pools if pool.getName().endswith("Old Gen"))
    held: list[int] = []
    ended = Event()

    def collect() -> None:
        while not ended.wait(PAUSE_S):
            jvm.java.lang.System.gc()
            held.append(old.getCollectionUsage().getUsed())

    with ThreadPoolExecutor(max_workers=1) as pool:
        collections = pool.submit(collect)
        try:
            yield held
        finally:
            ended.set()
        collections.result()


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
