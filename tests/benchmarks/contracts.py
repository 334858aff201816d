"""What rules and upcasting cost: refine as it is, and refine that trusts every record.

Events of three versions, a tenth each of VideoPlaybackStarted 1.0 and 2.0, the rest 2.1. The
baseline reads each text with from_json in the shape of 2.1 and holds it to nothing; all else is
the same query.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from statistics import median
from typing import Any
from unittest.mock import patch

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import Settings, load_settings
from jobs.runtime.spark.session import spark_session
from jobs.runtime.streams.query import follow
from tests.benchmarks.data import reference_events
from tests.benchmarks.pipeline import EVENTS, TOPIC
from tests.support.lakes import land
from transforms.contracts.registry import Registry
from transforms.contracts.spark_schema import struct_type
from transforms.events.judge import CARRIED, TimeBounds

PLAY = "VideoPlaybackStarted"
FILES = 8
ROUNDS = 3


def run() -> dict[str, Any]:
    """Rates of both, in turns, after one round that warms up; the median of each."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as root:
        settings = load_settings()
        lake = Lake(spark_session("bench", settings.spark), root)
        now_ms = int(time.time() * 1000)
        lake.ensure([BRONZE])
        land(lake, _records(lake, now_ms), 0)
        taken: dict[str, list[float]] = {"rules": [], "trust": []}
        for turn in range(2 * (ROUNDS + 1)):
            way = "rules" if turn % 2 else "trust"
            taken[way].append(_seconds(Lake(lake.spark, root, generation=turn + 1), settings, way))
        lake.spark.stop()
    rate, baseline = (EVENTS / median(taken[way][1:]) for way in ("rules", "trust"))
    return {
        "events": EVENTS,
        "rate_per_s": round(rate),
        "baseline": "refine without rules and upcasting",
        "baseline_rate_per_s": round(baseline),
        "ratio": round(rate / baseline, 3),
        "cost_of_rules": round(1 - rate / baseline, 3),
        "seconds": taken,
    }


def _seconds(lake: Lake, settings: Settings, way: str) -> float:
    began = time.perf_counter()
    with ExitStack() as patched:
        if way == "trust":
            patched.enter_context(patch("jobs.runtime.pipeline.judging.judge", trusting))
            patched.enter_context(patch("transforms.silver.family.with_bodies", with_read_bodies))
        with refining(lake, settings.refine, available_now=True) as query:
            follow(query)
    return round(time.perf_counter() - began, 2)


def trusting(bronze: DataFrame, registry: Registry, bounds: TimeBounds) -> DataFrame:
    """As `judge`, with records all taken for plays in the newest shape, which is kept."""
    play = F.from_json(F.col("value").cast("string"), struct_type(registry.newest(PLAY).root))
    nothing = F.lit(None).cast("string")
    others = (name for name in CARRIED if name != "value")
    return bronze.select(*CARRIED, play.alias(PLAY)).select(
        *others,
        F.lit(None).cast("binary").alias("value"),  # as that of an event which `judge` has read
        F.coalesce(f"{PLAY}.eventId", F.sha2("value", 256)).alias("event_id"),
        F.col(f"{PLAY}.eventType").alias("event_type"),
        F.col(f"{PLAY}.version").alias("contract_version"),
        F.col(f"{PLAY}.timestamp").try_cast("timestamp").alias("event_time"),
        F.lit("playback").alias("family"),
        *(nothing.alias(name) for name in ("reason", "path", "rule", "judged_by")),
        PLAY,
    )


def with_read_bodies(
    accepted: DataFrame, registry: Registry, event_types: Iterable[str], columns: Iterable[str]
) -> DataFrame:
    """What `with_bodies` returns, of rows that `trusting` has read."""
    others = (
        F.lit(None).cast(struct_type(registry.newest(name).body)).alias(name)
        for name in event_types
        if name != PLAY
    )
    return accepted.select(*columns, PLAY, *others)


def _records(lake: Lake, now_ms: int) -> DataFrame:
    """EVENTS records, as `judge` reads them, that arrived just now."""
    made = reference_events(lake.spark, EVENTS, until_ms=now_ms, partitions=FILES)
    shape = struct_type(load_registry().newest(PLAY).root)
    event = F.from_json(F.col("value").cast("string"), shape)
    which = F.pmod(F.xxhash64("value"), F.lit(10))
    return made.select(
        F.lit(TOPIC).alias("topic"),
        F.spark_partition_id().alias("partition"),
        F.monotonically_increasing_id().alias("offset"),
        "key",
        F.when(which == 0, _flat(event))
        .when(which == 1, _earlier(event))
        .otherwise(F.col("value"))
        .alias("value"),
        F.timestamp_millis(F.lit(now_ms)).alias("kafka_timestamp"),
        F.timestamp_millis(F.lit(now_ms)).alias("ingest_time"),
    )


def _earlier(event: Column) -> Column:
    """The event as VideoPlaybackStarted 2.0."""
    parts = {"deviceInfo": "capabilities", "playbackContext": "previousTitle"}
    older = event.withField("version", F.lit("2.0")).withField(
        "metadata", event.metadata.dropFields("abTestGroups")
    )
    for name, newer in parts.items():
        older = older.withField(name, event[name].dropFields(newer))
    return F.to_json(older).cast("binary")


def _flat(event: Column) -> Column:
    """The event as VideoPlaybackStarted 1.0."""
    device, content, context = event.deviceInfo, event.contentInfo, event.playbackContext
    fields = {
        "eventType": event.eventType,
        "version": F.lit("1.0"),
        **{name: event[name] for name in ("timestamp", "userId", "sessionId")},
        **{name: device[name] for name in ("deviceType", "platform", "appVersion")},
        **{name: content[name] for name in ("titleId", "episodeId", "contentType")},
        "durationMs": content.duration * 1000,
        "quality": content.quality,
        "source": context.source,
        "positionMs": context.position * 1000,
        "autoPlay": context.autoPlay,
        "region": event.metadata.region,
    }
    return F.to_json(F.struct(*(value.alias(name) for name, value in fields.items()))).cast(
        "binary"
    )
