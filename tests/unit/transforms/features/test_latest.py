from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from jobs.runtime.lake.tables import TABLES
from transforms.features.latest import latest_features
from transforms.instants import micros_of

PLAYED = datetime(2026, 11, 28, 21, 59, 59, 999_999, tzinfo=UTC)
BEFORE = PLAYED - timedelta(days=1)


def change(title: str, at: datetime, number: int, **given: Any) -> dict[str, Any]:
    told = {"title_id": title, "event_time": at, "event_id": f"c{number}", "removed": False}
    place = {"kafka_timestamp": at, "topic": "t", "partition": 0, "offset": number}
    return {**told, **place, **given}


def test_features_are_those_of_the_last_play_and_its_title_then(spark: SparkSession) -> None:
    users, catalog = (TABLES[name].schema for name in ("gold.user_features", "silver.catalog"))
    plays = {
        "ada": (PLAYED, "e1", "t1", "smart_tv", "movie"),
        "bob": (PLAYED, "e2", "t2", None, None),
        "cy": (PLAYED, "e3", None, None, None),
        "dan": None,
    }
    rows = [
        tuple({"user_id": user, "last_play": play}.get(f.name) for f in users)
        for user, play in plays.items()
    ]
    changes = [
        change("t1", BEFORE, 0, genres=["Drama", "Crime"]),
        change("t1", PLAYED + timedelta(microseconds=1), 1, genres=["Comedy"]),
        change("t2", BEFORE, 2, removed=True),
    ]
    told = [tuple(row.get(f.name) for f in catalog) for row in changes]
    found = latest_features(
        spark.createDataFrame(rows, users), spark.createDataFrame(told, catalog)
    ).collect()
    assert {row.user_id: json.loads(row.features) for row in found} == {
        "ada": {
            "last_watched_title": "t1",
            "last_watched_genre": "Drama",
            "viewing_hour": 21,
            "device_type": "smart_tv",
            "content_type": "movie",
        },
        "bob": {"last_watched_title": "t2", "viewing_hour": 21},
        "cy": {"viewing_hour": 21},
    }
    assert {(row.event_micros, row.event_id) for row in found} == {
        (micros_of(PLAYED), f"e{number}") for number in (1, 2, 3)
    }
