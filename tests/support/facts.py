"""Facts of tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from transforms.gold.facts import FACT_COLUMNS

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SCHEMA = ", ".join(f"{name} {ddl}" for name, ddl in FACT_COLUMNS.items())


def fact(event_id: str, event_type: str = "VideoPlaybackStarted", **given: Any) -> dict[str, Any]:
    at = given.pop("event_time", NOON)
    return {
        "event_type": event_type,
        "event_id": event_id,
        "event_time": at,
        "date": at.date(),
        "user_id": "u1",
        "title_id": "t1",
        "region": "eu",
        "device_type": "mobile",
        "content_type": "movie",
        "source": "search",
        "kafka_timestamp": at,
        **given,
    }
