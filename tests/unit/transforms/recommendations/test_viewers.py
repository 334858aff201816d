"""Whom lists are made for: what gold holds of a user, in the shape that the lists read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from transforms.gold.facts import FACT_COLUMNS
from transforms.gold.fold import evaluate
from transforms.gold.tables import USER_TITLE
from transforms.recommendations.histories import Reading
from transforms.recommendations.temporal_split import Past
from transforms.recommendations.viewers import viewers
from transforms.recommendations.weighting import Weighting

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_the_region_is_that_of_the_last_playback_and_of_no_later_click(
    spark: SparkSession,
) -> None:
    told: list[dict[str, Any]] = [
        {"event_type": "VideoPlaybackStarted", "region": "us"},
        {"event_type": "VideoPlaybackStarted", "region": "eu"},
        {"event_type": "VideoPlaybackPaused", "region": "unknown"},
        {"event_type": "UserEngagement", "region": "asia", "rank": 1},
    ]
    common = {"user_id": "ada", "title_id": "t", "source": "recommendation", "date": NOON.date()}
    rows = [
        {**common, **fact, "event_id": f"e{hour}", "event_time": NOON + timedelta(hours=hour)}
        for hour, fact in enumerate(told)
    ]
    ddl = ", ".join(f"{name} {kind}" for name, kind in FACT_COLUMNS.items())
    facts = spark.createDataFrame([tuple(map(row.get, FACT_COLUMNS)) for row in rows], ddl)
    past = Past(evaluate(USER_TITLE, facts), facts, int(NOON.timestamp()))
    [row] = viewers(past, Reading(Weighting(1.6), 86_400.0, 86_400.0)).collect()
    assert (row.user_id, row.region, row.titles) == ("ada", "eu", ["t"])
