"""Attribution at a steady rate, and the results of all experiments: does it last, and how long?

The baseline is the rate at which attribution computes all users at once, in the same run: rows of
gold.experiment_user a second, for the stream those of the users whose events it took.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.experiments.attribution import attributing
from jobs.runtime.experiments.results_refresh import refresh_results
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER, TABLES
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.session import spark_session
from jobs.runtime.streams.query import follow
from tests.benchmarks.steady import growth
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.gold.experiment_user import SOURCES

USERS = int(os.environ.get("PLAYHEAD_BENCH_USERS", "100000"))
SECONDS = int(os.environ.get("PLAYHEAD_BENCH_SECONDS", "600"))
RATE = int(os.environ.get("PLAYHEAD_BENCH_RATE", "500"))
LAYERS, IN_LAYER = 20, 100  # a user is in one experiment of each layer
EXPERIMENTS = LAYERS * IN_LAYER
BEFORE = 10  # outcomes of a user before the run begins
COMMIT_S = 5.0
SHARES = {  # of outcomes
    "VideoPlaybackStarted": 0.45,
    "VideoPlaybackCompleted": 0.35,
    "UserEngagement": 0.15,
    "UserRatingSubmitted": 0.05,
}
TABLE_OF = {
    "VideoPlaybackStarted": "silver.playback",
    "VideoPlaybackCompleted": "silver.playback",
    "UserEngagement": "silver.engagement",
    "UserRatingSubmitted": "silver.ratings",
}


def run() -> dict[str, Any]:
    """Fill a lake, stream for SECONDS, then compute the results of every experiment."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as folder:
        settings = load_settings(overrides=[f"lake.root={folder}/lake"])
        spark = spark_session("bench", settings.spark)
        spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", "10000")
        lake = Lake(spark, settings.lake.root)
        lake.ensure([*SOURCES, EXPERIMENT_USER])
        now = datetime.now(UTC)
        definitions = _definitions(now)
        _assign(lake, now)
        _outcomes(lake, now - timedelta(days=35), now, USERS * BEFORE, 1)
        began = time.perf_counter()
        options = {"available_now": False}
        with attributing(lake, settings.attribute, definitions, **options) as stream:
            anew_s = time.perf_counter() - began
            rows = lake.read(EXPERIMENT_USER).count()
            with _feeding(lake) as fed:
                ends = time.monotonic() + SECONDS
                follow(stream, until=lambda: time.monotonic() > ends)
            batches = [dict(batch) for batch in stream.query.recentProgress]
        computed = _rows_written(lake)
        began = time.perf_counter()
        found = refresh_results(lake, definitions, datetime.now(UTC))
        results_s = time.perf_counter() - began
        took = [b["durationMs"]["triggerExecution"] for b in batches if b["numInputRows"]]
        files = len(list(Path(lake.path(EXPERIMENT_USER)).glob("*.parquet")))
        spark.stop()
    return {
        "events": fed[0],
        "rate_per_s": round(sum(computed) / sum(took) * 1000),
        "baseline": "all users at once, rows of gold.experiment_user a second",
        "baseline_rate_per_s": round(rows / anew_s),
        "ratio": round(sum(computed) / sum(took) * 1000 / (rows / anew_s), 3),
        "experiments": EXPERIMENTS,
        "users": USERS,
        "rows": rows,
        "events_per_s": RATE,
        "all_anew_s": round(anew_s, 1),
        "batch_s": growth(batches, "attribute"),
        "batches": len(took),
        "rows_per_batch": round(float(np.mean(computed))) if computed else 0,
        "results": len(found),
        "results_s": round(results_s, 1),
        "files": files,
    }


def _definitions(now: datetime) -> Catalogue:
    """Five metrics and EXPERIMENTS experiments, a hundred side by side in each layer."""
    started, completed = {"event": "VideoPlaybackStarted"}, {"event": "VideoPlaybackCompleted"}
    metrics = {
        "watch_time": {
            "kind": "mean",
            "outcome": {**completed, "field": "watch_s"},
            "covariate_days": 28,
        },
        "plays": {"kind": "mean", "outcome": started},
        "completion_rate": {"kind": "ratio", "outcome": completed, "per": started},
        "rated": {"kind": "proportion", "outcome": {"event": "UserRatingSubmitted"}},
        "back": {"kind": "retention", "outcome": started, "day": 1},
    }
    start = (now - timedelta(days=7)).isoformat()
    shape = {
        "variants": [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5}],
        "traffic": [{"at": start, "share": 1}],
        "start": start,
        "end": (now + timedelta(days=7)).isoformat(),
        "goals": list(metrics),
    }
    share = 10_000 // IN_LAYER
    documents: dict[str, Any] = {
        f"e{number}.yaml": {
            "id": f"e{number}",
            "layer": f"layer{number % LAYERS}",
            "buckets": [number // LAYERS * share, (number // LAYERS + 1) * share],
            **shape,
        }
        for number in range(EXPERIMENTS)
    }
    layers = {f"layer{number}": {"salt": f"layer{number}"} for number in range(LAYERS)}
    shared = {"metrics.yaml": {"metrics": metrics}, "layers.yaml": {"layers": layers}}
    return catalogue(documents | shared)


def _assign(lake: Lake, now: datetime) -> None:
    """Every user in one experiment of each layer, at an instant of the last week."""
    layer, user = F.col("id") % LAYERS, (F.col("id") / LAYERS).cast("BIGINT")
    experiment = F.pmod(F.xxhash64("id"), F.lit(IN_LAYER)) * LAYERS + layer
    rows = lake.spark.range(0, USERS * LAYERS, 1, 8).select(
        F.lit("ExperimentAssignment").alias("event_type"),
        F.concat(F.lit("a"), F.col("id")).alias("event_id"),
        _instant(now - timedelta(days=7), now).alias("event_time"),
        F.concat(F.lit("user_"), user).alias("user_id"),
        F.concat(F.lit("e"), experiment).alias("experiment_id"),
        F.when(_chance("variant") < 0.5, "control").otherwise("new").alias("variant"),
    )
    lake.append("silver.experiments", _complete("silver.experiments", rows), _next())


def _outcomes(lake: Lake, start: datetime, end: datetime, events: int, batch: int) -> None:
    """So many outcomes of users by chance, between two instants; all of a batch are distinct."""
    kinds, edges = list(SHARES), np.cumsum(list(SHARES.values())).tolist()
    kind = F.lit(kinds[-1])
    for name, edge in zip(kinds[-2::-1], edges[-2::-1], strict=True):
        kind = F.when(_chance(f"kind{batch}") < edge, name).otherwise(kind)
    made = lake.spark.range(0, events, 1, 2).select(
        kind.alias("event_type"),
        F.concat_ws("-", F.lit(f"o{batch}"), F.col("id")).alias("event_id"),
        _instant(start, end, f"at{batch}").alias("event_time"),
        F.concat(F.lit("user_"), (_chance(f"who{batch}") * USERS).cast("BIGINT")).alias("user_id"),
        (_chance(f"much{batch}") * 7000).cast("BIGINT").alias("watch_s"),
    )
    for table in dict.fromkeys(TABLE_OF.values()):
        own = [name for name, of in TABLE_OF.items() if of == table]
        rows = made.where(F.col("event_type").isin(*own)).coalesce(1)
        lake.append(table, _complete(table, rows), _next())


@contextmanager
def _feeding(lake: Lake) -> Iterator[list[int]]:
    """Appends outcomes at RATE from a thread, a commit every COMMIT_S; gives the count so far."""
    fed, stopped = [0], threading.Event()
    alone = lake.isolated()

    def feed() -> None:
        last, batch = datetime.now(UTC), 2
        while not stopped.wait(COMMIT_S):
            now = datetime.now(UTC)
            events = round(RATE * (now - last).total_seconds())
            _outcomes(alone, last, now, events, batch)
            fed[0] += events
            last, batch = now, batch + 1

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield fed
    finally:
        stopped.set()
        thread.join()


def _rows_written(lake: Lake) -> list[int]:
    history = DeltaTable.forPath(lake.spark, lake.path(EXPERIMENT_USER)).history()
    merges = history.where("operation = 'MERGE'").select("operationMetrics").collect()
    return [int(row.operationMetrics["numSourceRows"]) for row in merges]


def _complete(table: str, rows: DataFrame) -> DataFrame:
    """The rows with every column of the table; what is not given is null."""
    dated = rows.withColumn("event_date", F.to_date("event_time"))
    return dated.select(
        *(
            F.col(field.name)
            if field.name in dated.columns
            else F.lit(None).cast(field.dataType).alias(field.name)
            for field in TABLES[table].schema
        )
    )


def _chance(salt: str) -> Column:
    return F.pmod(F.xxhash64("id", F.lit(salt)), F.lit(2**40)) / 2.0**40


def _instant(start: datetime, end: datetime, salt: str = "at") -> Column:
    span_us = (end - start) // timedelta(microseconds=1)
    first_us = int(start.timestamp() * 1_000_000)
    return F.timestamp_micros(F.lit(first_us) + (_chance(salt) * span_us).cast("BIGINT"))


def _next() -> Transaction:
    return Transaction("bench", time.time_ns())
