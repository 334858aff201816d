"""Silver rows of tests, from events of an oracle."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tests.oracles.as_of import Event
from tests.oracles.strict_json import EPOCH
from transforms.silver.tables import FAMILIES


def frame(spark: SparkSession, family: str, events: Iterable[Event]) -> DataFrame:
    columns = FAMILIES[family].columns
    rows = [tuple(_silver(event).get(name) for name in columns) for event in events]
    return spark.createDataFrame(rows, ", ".join(f"`{n}` {ddl}" for n, ddl in columns.items()))


def _silver(event: Event) -> dict[str, Any]:
    topic, partition, offset = event["place"]
    happened = EPOCH + timedelta(microseconds=event["event_time"])
    return {
        **event,
        "event_time": happened,
        "event_date": happened.date(),
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "kafka_timestamp": EPOCH + timedelta(microseconds=event["arrival"]),
    }
