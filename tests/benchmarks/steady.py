"""All three queries at a steady rate: how old are events when gold has them, and does it last?

The baseline is the time of a batch from Kafka to nowhere at the same rate, in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.tables import FRESHNESS
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.together import streaming
from jobs.runtime.streams.query import follow
from tests.benchmarks.pipeline import Bench, bench

RATE = 1_000
SECONDS = int(os.environ.get("PLAYHEAD_BENCH_STEADY_S", "600"))
WARM_S = 60
BASELINE_S = 30


def run() -> dict[str, Any]:
    """Ages of events, and the seconds of a batch in the first and the last third, once warm."""
    with bench(events=0) as ready:
        baseline_ms = _baseline_ms(ready)
        batches = _warm(_stream(ready, WARM_S + SECONDS))
        events, ages = _after_warming(ready.lake.read(FRESHNESS))
        return {
            "events": events,
            "rate_per_s": RATE,
            **ages,
            "baseline": "a batch from kafka to noop at the same rate",
            "baseline_rate_per_s": RATE,
            "baseline_p50_ms": baseline_ms,
            "ratio": round(baseline_ms / ages["p50_ms"], 4),
            "batch_s": {query: growth(batches, query) for query in ("ingest", "refine", "fold")},
        }


def _baseline_ms(ready: Bench) -> float:
    query = ready.nowhere().trigger(processingTime="0 seconds").start()
    with _source(ready, BASELINE_S) as source:
        source.wait()
    took = [p["durationMs"]["triggerExecution"] for p in query.recentProgress if p["numInputRows"]]
    query.stop()
    return float(np.median(took))


def _stream(ready: Bench, seconds: int) -> list[dict[str, Any]]:
    """Run the three queries while events arrive; the progress of all their batches."""
    ready.lake.spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", "10000")
    with streaming(
        ready.lake, load_judge(ready.settings.refine), ready.settings, ready.kafka
    ) as runs:
        with _source(ready, seconds) as source:
            follow(*runs, until=lambda: source.poll() is not None)
        return [dict(batch) for run in runs for batch in run.query.recentProgress]


def _source(ready: Bench, seconds: int) -> subprocess.Popen[bytes]:
    """A process that sends events at RATE for so long."""
    address = f"kafka.bootstrap_servers={ready.kafka.bootstrap_servers}"
    events = ("--events", str(RATE * seconds), "--rate", str(RATE))
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.simulate", *events, "--users", "100000", "--set", address]
    )


def _after_warming(ages: DataFrame) -> tuple[int, dict[str, float]]:
    """How many events gold took after WARM_S, and quantiles of their ages in milliseconds.

    Ages are recorded between whole seconds: what is given, one more, is never below the true age.
    """
    began = ages.agg(F.min(F.unix_micros("at"))).collect()[0][0]
    steady = ages.where(F.unix_micros("at") > began + 1_000_000 * WARM_S)
    rows = steady.groupBy("age_s").agg(F.sum("events").alias("events")).orderBy("age_s").collect()
    reached = np.cumsum([row.events for row in rows])
    at = {share: int(np.searchsorted(reached, reached[-1] * share / 100)) for share in (50, 95, 99)}
    return int(reached[-1]), {f"p{s}_ms": 1000.0 * (rows[n].age_s + 1) for s, n in at.items()}


def _warm(batches: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The batches that started WARM_S after the first, or later."""
    started = [datetime.fromisoformat(batch["timestamp"]) for batch in batches]
    since = min(started) + timedelta(seconds=WARM_S)
    return [batch for batch, at in zip(batches, started, strict=True) if at >= since]


def growth(batches: Sequence[Mapping[str, Any]], query: str) -> dict[str, float]:
    """The median time of a query's batches in the first and in the last third, seconds."""
    took = [
        batch["durationMs"]["triggerExecution"] / 1000
        for batch in batches
        if batch["name"] == query and batch["numInputRows"]
    ]
    third = max(len(took) // 3, 1)
    first, last = np.median(took[:third]), np.median(took[-third:])
    return {"first_third": round(float(first), 2), "last_third": round(float(last), 2)}
