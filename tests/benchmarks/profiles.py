"""As-of rebuild of profiles from silver: one user, and all of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import TABLES
from jobs.runtime.profiles.profiles import build_profiles, profile_events_of
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.persistence import persist
from jobs.runtime.spark.session import spark_session
from transforms.gold.profile import PROFILE_SOURCES, profiles, until

EVENTS, USERS, TITLES = 2_000_000, 50_000, 5_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
STEP_S = 10
RUNS = 5
SHARES = {"UserPreferencesUpdated": 1, "ContentViewed": 6, "ContentRated": 2}  # the rest: submitted


def run() -> dict[str, Any]:
    """Seconds for one user and for all, as of the middle and of the end; each warms up first."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as root:
        spark = spark_session("bench", load_settings().spark)
        lake = Lake(spark, root)
        _fill(lake)
        middle = datetime.fromtimestamp(FIRST.timestamp() + EVENTS * STEP_S / 2, UTC)
        result = {
            "events": EVENTS,
            "users": USERS,
            "one_user_s": _seconds(lambda: _one(lake, middle), RUNS),
            "all_users_middle_s": _seconds(lambda: _all(lake, middle), 1),
            "all_users_s": _seconds(lambda: _all(lake, None), 1),
        }
        spark.stop()
    return result


def _one(lake: Lake, as_of: datetime) -> None:
    with persist(until(profile_events_of(lake, user="user_7"), as_of)) as events:
        profiles(events).collect()


def _all(lake: Lake, as_of: datetime | None) -> None:
    with build_profiles(lake, as_of) as rows:
        rows.write.format("noop").mode("overwrite").save()


def _seconds(work: Callable[[], None], runs: int) -> list[float]:
    """Of each run after a first that warms up."""
    taken = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        work()
        taken.append(round(time.perf_counter() - began, 2))
    return taken[1:]


def _fill(lake: Lake) -> None:
    """Silver with EVENTS events, each a function of its number."""
    lake.ensure(PROFILE_SOURCES)
    events = _events(lake.spark)
    is_rating = F.col("half_stars").isNotNull()
    for table, where in zip(PROFILE_SOURCES, (~is_rating, is_rating), strict=True):
        have = set(events.columns)
        rows = events.where(where).select(
            *(
                (F.col(field.name) if field.name in have else F.lit(None))
                .cast(field.dataType)
                .alias(field.name)
                for field in TABLES[table].schema
            )
        )
        # one date: how many days there are is not what is measured
        lake.append(table, rows.withColumn("event_date", F.lit(FIRST.date())), Transaction("b", 0))


def _events(spark: SparkSession) -> DataFrame:
    at = F.timestamp_seconds(F.lit(int(FIRST.timestamp())) + F.col("id") * STEP_S)
    kind = F.element_at(
        F.array(*(F.lit(k) for k in _kinds())), (_below("kind", 10) + 1).cast("int")
    )
    is_view, is_rating = (
        F.col("event_type") == "ContentViewed",
        F.col("event_type").isin("ContentRated", "UserRatingSubmitted"),
    )
    language = F.element_at(F.array(F.lit("en"), F.lit("de")), (_below("l", 2) + 1).cast("int"))
    preferences = F.struct(
        language.alias("language"),
        F.lit(None).cast("string").alias("subtitles"),
        F.lit(None).cast("string").alias("maturityRating"),
        (_below("autoplay", 2) == 0).alias("autoplay"),
        F.lit(None).cast("array<string>").alias("favouriteGenres"),
        F.lit(None).cast("boolean").alias("dataSaver"),
    )
    return (
        spark.range(0, EVENTS, 1, 8)
        .select(
            F.sha2(F.col("id").cast("string"), 256).alias("event_id"),
            kind.alias("event_type"),
            at.alias("event_time"),
            at.alias("kafka_timestamp"),
            F.lit("user-profile-events").alias("topic"),
            F.lit(0).alias("partition"),
            F.col("id").alias("offset"),
            F.concat(F.lit("user_"), _below("user", USERS)).alias("user_id"),
            F.concat(F.lit("title_"), _below("title", TITLES)).alias("title_id"),
            "id",
        )
        .withColumns(
            {
                "session_id": F.when(is_view, F.concat(F.lit("s"), _below("session", 3))),
                "watch_s": F.when(is_view, _below("watch", 7200)),
                "completion_percentage": F.when(is_view, _below("done", 100).cast("double")),
                "pauses_s": F.when(is_view, F.array(_below("pause", 7200))),
                "preferences": F.when(~is_view & ~is_rating, preferences),
                "half_stars": F.when(is_rating, 1 + _below("stars", 10)),
            }
        )
    )


def _kinds() -> list[str]:
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    return [*kinds, "UserRatingSubmitted"]


def _below(salt: str, bound: int) -> Column:
    return F.pmod(F.xxhash64("id", F.lit(salt)), F.lit(bound))
