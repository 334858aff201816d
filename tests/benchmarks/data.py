"""The events that benchmarks run on: the case study's reference event, in any number."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.gold.tables import DEVICE_TYPES, SOURCES

REGIONS = ("us-west-2", "us-east-1", "eu-west-1", "ap-southeast-1")
CONTENT_TYPES = ("movie", "episode", "trailer", "live")
STEP_MS = 100


def reference_events(
    spark: SparkSession,
    events: int,
    *,
    users: int = 100_000,
    titles: int = 5_000,
    until_ms: int,
    partitions: int = 8,
) -> DataFrame:
    """VideoPlaybackStarted 2.1 in the shape of the case study, each about 700 bytes.

    Every event is a function of its number, so the same arguments give the same bytes.

    Args:
        spark: what makes them.
        events: how many, all distinct.
        users: how many users they are spread over, evenly.
        titles: likewise.
        until_ms: when the last one happens, in milliseconds since 1970; the others are
            `STEP_MS` apart before it.
        partitions: how many tasks make them.

    Returns:
        key binary (the userId), value binary (the JSON), in order of time within a partition.
    """
    user, title = _number("user", users), _number("title", titles)
    body = F.struct(
        F.lit("VideoPlaybackStarted").alias("eventType"),
        F.lit("2.1").alias("version"),
        _instant(until_ms, events).alias("timestamp"),
        user.alias("userId"),
        _token("session").alias("sessionId"),
        F.struct(
            _one_of("device", DEVICE_TYPES).alias("deviceType"),
            F.lit("roku").alias("platform"),
            F.lit("8.2.1").alias("appVersion"),
            _texts("4k", "hdr", "dolby_vision", "dolby_atmos", "hevc").alias("capabilities"),
        ).alias("deviceInfo"),
        F.struct(
            title.alias("titleId"),
            _number("episode", 2**20).alias("episodeId"),
            _one_of("content", CONTENT_TYPES).alias("contentType"),
            (600 + _below("duration", 6000)).alias("duration"),
            F.lit("4k_hdr").alias("quality"),
        ).alias("contentInfo"),
        F.struct(
            _one_of("source", SOURCES).alias("source"),
            _below("position", 600).alias("position"),
            (_below("auto", 2) == 0).alias("autoPlay"),
            _number("previous", titles, "title").alias("previousTitle"),
        ).alias("playbackContext"),
        F.struct(
            _one_of("region", REGIONS).alias("region"),
            _texts("homepage_v2", "player_ui_v3", "artwork_v1").alias("abTestGroups"),
            _token("corr").alias("correlationId"),
        ).alias("metadata"),
    )
    return spark.range(0, events, 1, partitions).select(
        user.cast("binary").alias("key"), F.to_json(body).cast("binary").alias("value")
    )


def _hash(salt: str) -> Column:
    return F.xxhash64("id", F.lit(salt))


def _below(salt: str, bound: int) -> Column:
    return F.pmod(_hash(salt), F.lit(bound))


def _number(salt: str, bound: int, prefix: str | None = None) -> Column:
    return F.concat(F.lit(f"{prefix or salt}_"), _below(salt, bound).cast("string"))


def _token(salt: str) -> Column:
    halves = (F.hex(_hash(f"{salt}{half}")) for half in (1, 2))
    return F.lower(F.concat(F.lit(f"{salt}_"), *halves))


def _one_of(salt: str, choices: tuple[str, ...]) -> Column:
    return F.element_at(_texts(*choices), (_below(salt, len(choices)) + 1).cast("int"))


def _texts(*texts: str) -> Column:
    return F.array(*map(F.lit, texts))


def _instant(until_ms: int, events: int) -> Column:
    at = F.timestamp_millis(F.lit(until_ms) - (F.lit(events - 1) - F.col("id")) * STEP_MS)
    return F.date_format(at, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
