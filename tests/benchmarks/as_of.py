"""Training sets: 28-day windows for a spine of half as many rows as there are events.

The baseline is the join that one would write by hand: spine and events by user and range of time,
grouped by the row of the spine; by the same session, on the spine of a tenth of the users.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.features.training_sets import SOURCES, training_set
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import TABLES
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.session import spark_session
from transforms.features.as_of import DAYS, WINDOWED
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.tables import DEVICE_TYPES

EVENTS = int(os.environ.get("PLAYHEAD_BENCH_EVENTS", "2000000"))
ROWS = EVENTS // 2
USERS = max(EVENTS // 20, 10)
TITLES = 5_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SPAN_S = 90 * 86_400
LATE = 100  # one event in so many arrives up to ten days late
KINDS = (
    *("VideoPlaybackStarted",) * 5,
    *("VideoPlaybackCompleted",) * 4,
    "UserRatingSubmitted",
)


def run() -> dict[str, Any]:
    """Seconds by event time and as known, after a run on a tenth of the spine that warms up."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as root:
        spark = spark_session("bench", load_settings().spark)
        lake = Lake(spark, root)
        _fill(lake)
        spine, tenth = _spine(spark), _spine(spark).where("user_id LIKE '%0'")
        sample = tenth.count()
        _seconds(lambda: _features(lake, tenth, known=False))
        naive_s = _seconds(lambda: _naive(lake, tenth))
        true_s = _seconds(lambda: _features(lake, spine, known=False))
        known_s = _seconds(lambda: _features(lake, spine, known=True))
        spark.stop()
    return {
        "events": EVENTS,
        "spine_rows": ROWS,
        "users": USERS,
        "rate_per_s": round(ROWS / true_s),
        "baseline": "range join and group, rows of the spine a second",
        "baseline_rate_per_s": round(sample / naive_s),
        "ratio": round(ROWS / true_s / (sample / naive_s), 3),
        "by_event_time_s": round(true_s, 1),
        "as_known_s": round(known_s, 1),
    }


def _features(lake: Lake, spine: DataFrame, *, known: bool) -> DataFrame:
    versions = {table: lake.version(table) for table in SOURCES}
    return training_set(lake, spine, versions, days=list(DAYS), known=known)


def _naive(lake: Lake, spine: DataFrame) -> DataFrame:
    """The windows only, by one range join."""
    events = facts({table: lake.read(table) for table in FACT_SOURCES}).alias("e")
    numbered = spine.withColumn("row", F.monotonically_increasing_id()).alias("s")
    near = (
        (F.col("s.user_id") == F.col("e.user_id"))
        & (F.col("event_time") < F.col("at"))
        & (F.col("event_time") >= F.expr(f"at - INTERVAL '{max(DAYS)}' DAY"))
    )
    sums = (
        F.sum(F.expr(f"IF(event_time >= at - INTERVAL '{d}' DAY, {stat.lift}, 0L)"))
        for d in DAYS
        for stat in WINDOWED.values()
    )
    return numbered.join(events, near, "left").groupBy("row", "s.user_id", "at").agg(*sums)


def _seconds(rows: Callable[[], DataFrame]) -> float:
    began = time.perf_counter()
    rows().write.format("noop").mode("overwrite").save()
    return time.perf_counter() - began


def _spine(spark: SparkSession) -> DataFrame:
    """ROWS rows, in the last two thirds of the time."""
    at = _at(F.lit(SPAN_S // 3) + _below("at", SPAN_S * 2 // 3))
    return spark.range(0, ROWS, 1, 8).select(_user("spine").alias("user_id"), at.alias("at"))


def _fill(lake: Lake) -> None:
    lake.ensure(SOURCES)
    events = _events(lake.spark)
    is_rating = F.col("half_stars").isNotNull()
    for table, rows in {
        "silver.playback": events.where(~is_rating),
        "silver.ratings": events.where(is_rating),
        "silver.catalog": _catalog(lake.spark),
    }.items():
        have = set(rows.columns)
        told = rows.select(
            *(
                (F.col(field.name) if field.name in have else F.lit(None))
                .cast(field.dataType)
                .alias(field.name)
                for field in TABLES[table].schema
            )
        )
        # one date: how many days there are is not what is measured
        lake.append(table, told.withColumn("event_date", F.lit(FIRST.date())), Transaction("b", 0))


def _events(spark: SparkSession) -> DataFrame:
    """EVENTS events, each a function of its number."""
    second = _below("second", SPAN_S)
    delay = F.when(_below("late", LATE) == 0, _below("delay", 864_000)).otherwise(2)
    kind = F.element_at(F.array(*map(F.lit, KINDS)), (_below("kind", len(KINDS)) + 1).cast("int"))
    device = F.element_at(
        F.array(*map(F.lit, DEVICE_TYPES)), (_below("device", len(DEVICE_TYPES)) + 1).cast("int")
    )
    return (
        spark.range(0, EVENTS, 1, 8)
        .select(
            F.sha2(F.col("id").cast("string"), 256).alias("event_id"),
            kind.alias("event_type"),
            _at(second).alias("event_time"),
            _at(second + delay).alias("kafka_timestamp"),
            F.lit("user-interactions").alias("topic"),
            F.lit(0).alias("partition"),
            F.col("id").alias("offset"),
            _user("user").alias("user_id"),
            _title().alias("title_id"),
            device.alias("device_type"),
            F.lit("movie").alias("content_type"),
            F.lit("eu-west-1").alias("region"),
            "id",
        )
        .withColumns(
            {
                "watch_s": F.when(
                    F.col("event_type") == "VideoPlaybackCompleted", _below("watch", 7200)
                ),
                "half_stars": F.when(
                    F.col("event_type") == "UserRatingSubmitted", 1 + _below("stars", 10)
                ),
            }
        )
    )


def _catalog(spark: SparkSession) -> DataFrame:
    """Two entries of each title, the second from the middle of the time on."""
    at = _at(F.when(F.col("id") < TITLES, 0).otherwise(SPAN_S // 2))
    genre = F.concat(F.lit("genre_"), _below("genre", 18).cast("string"))
    return spark.range(0, 2 * TITLES, 1, 1).select(
        F.concat(F.lit("c"), F.col("id").cast("string")).alias("event_id"),
        F.lit("ContentMetadataUpdated").alias("event_type"),
        at.alias("event_time"),
        at.alias("kafka_timestamp"),
        F.lit("content-metadata-updates").alias("topic"),
        F.lit(0).alias("partition"),
        F.col("id").alias("offset"),
        F.concat(F.lit("title_"), (F.col("id") % TITLES).cast("string")).alias("title_id"),
        F.array(genre).alias("genres"),
        F.lit(False).alias("removed"),
    )


def _at(second: Column) -> Column:
    return F.timestamp_seconds(F.lit(int(FIRST.timestamp())) + second)


def _user(salt: str) -> Column:
    return F.concat(F.lit("user_"), _below(salt, USERS).cast("string"))


def _title() -> Column:
    return F.concat(F.lit("title_"), _below("title", TITLES).cast("string"))


def _below(salt: str, bound: int) -> Column:
    return F.pmod(F.xxhash64("id", F.lit(salt)), F.lit(bound))
