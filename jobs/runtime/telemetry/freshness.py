"""Freshness: how old events were, since their arrival at Kafka, when a hop committed them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import FRESHNESS, TABLES


def arrivals_of(rows: DataFrame) -> dict[int, int]:
    """How many rows arrived in each second since 1970, by kafka_timestamp."""
    second = F.unix_seconds("kafka_timestamp").alias("second")
    counted = rows.groupBy(second).agg(F.count(F.lit(1)).alias("events")).collect()
    return {row.second: row.events for row in counted}


class Freshness:
    """Collects the ages of each batch and writes them to ops.freshness now and then.

    A commit a batch would cost more than the batch's own on a small machine, so ages wait in
    the driver; those of the last few batches are lost if it is killed.

    Args:
        lake: where ops.freshness is.
        hop: the layer whose commits are timed.
    """

    def __init__(self, lake: Lake, hop: str) -> None:
        self._lake = lake
        self._hop = hop
        self._rows: list[tuple[str, int, datetime, int, int]] = []

    def record(self, arrivals: Mapping[int, int], sequence: int) -> None:
        """Note the ages of a batch just committed: whole seconds, second of arrival to that of now.

        Args:
            arrivals: of its events, as `arrivals_of` gives them.
            sequence: the batch's number.
        """
        at = datetime.now(UTC)
        self._rows += [
            (self._hop, sequence, at, int(at.timestamp()) - second, events)
            for second, events in arrivals.items()
        ]

    def flush(self) -> None:
        """Write what was noted."""
        if not self._rows:
            return
        rows = self._lake.spark.createDataFrame(self._rows, TABLES[FRESHNESS].schema).coalesce(1)
        newest = self._rows[-1][1]
        self._lake.append(FRESHNESS, rows, Transaction(f"freshness-{self._hop}", newest))
        self._rows.clear()
