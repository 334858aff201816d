"""The benchmarks' events are what they are said to be."""

from __future__ import annotations

from statistics import mean

from pyspark.sql import SparkSession

from tests.benchmarks.data import reference_events
from tests.contracts import assert_in_order, assert_sound

UNTIL_MS = 1_790_000_000_000


def test_reference_events_are_sound_distinct_and_about_700_bytes(spark: SparkSession) -> None:
    rows = reference_events(spark, 1000, users=50, titles=20, until_ms=UNTIL_MS).collect()
    events = [assert_sound("user-interactions", bytes(row.key), bytes(row.value)) for row in rows]
    for row in rows:
        assert_in_order(bytes(row.value))
    assert len({bytes(row.value) for row in rows}) == 1000
    assert len({event["userId"] for event in events}) == 50
    assert len({event["contentInfo"]["titleId"] for event in events}) == 20
    assert 680 < mean(len(row.value) for row in rows) < 720
    assert max(event["timestamp"] for event in events) == "2026-09-21T14:13:20.000Z"
