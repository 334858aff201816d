"""Whom lists are made for: users with their histories, and those who stand for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.gold.tables import PLAYBACK
from transforms.recommendations.columns import USER_COLUMNS
from transforms.recommendations.contexts import EVERYBODY, UNKNOWN_REGION, everybody_in
from transforms.recommendations.fixed_point import PREFERENCE_ONE
from transforms.recommendations.histories import (
    Reading,
    preference_of,
    recency_of,
    sitting_of,
)
from transforms.recommendations.temporal_split import Past

MET = {  # of USER_COLUMNS: the field of `met`
    "titles": "title_id",
    "weights": "weight",
    "liked": "liked",
    "begun": "begun",
    "last_s": "last_s",
}


def viewers(past: Past, reading: Reading) -> DataFrame:
    """All users who met a title, with their histories.

    Args:
        past: what is known.
        reading: how histories are read.

    Returns:
        USER_COLUMNS; histories sorted by title, the region of the last playback that names one.
    """
    rows = past.user_title.select(
        "user_id",
        "title_id",
        preference_of(reading.weighting).alias("preference"),
        recency_of(past.as_of_s, reading.half_life_s).alias("recency"),
        F.unix_seconds("last_time").alias("last_s"),
        ((F.col("plays") > 0) & (F.col("completions") == 0)).alias("begun"),
    )
    met = F.sort_array(
        F.collect_list(
            F.struct(
                "title_id",
                (F.col("preference") * F.col("recency")).alias("weight"),
                (F.col("preference") >= PREFERENCE_ONE).alias("liked"),
                "begun",
                "last_s",
            )
        )
    )
    history = [F.col(f"met.{field}").alias(name) for name, field in MET.items()]
    joined = rows.groupBy("user_id").agg(met.alias("met"))
    joined = joined.join(_last_regions(past.facts), "user_id", "left")
    sitting = sitting_of(past.as_of_s, reading.sitting_half_life_s).alias("sitting")
    read = joined.select("user_id", "region", *history).withColumn("sitting", sitting)
    return read.select(*USER_COLUMNS)


def popularity_viewers(regions: Iterable[str]) -> list[tuple[Any, ...]]:
    """Rows of USER_COLUMNS without a history: everybody, and everybody of each region."""
    whose = [(EVERYBODY, None), *((everybody_in(region), region) for region in regions)]
    return [(user_id, region, [], [], [], [], [], []) for user_id, region in whose]


def _last_regions(facts: DataFrame) -> DataFrame:
    last = F.max(F.struct("event_time", "event_id", "region")).alias("last")
    return (
        facts.where(f"{PLAYBACK} AND region != '{UNKNOWN_REGION}'")
        .groupBy("user_id")
        .agg(last)
        .select("user_id", F.col("last.region").alias("region"))
    )
