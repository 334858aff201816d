"""Freshness: the age of events, since their arrival at Kafka, when a hop committed them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import FRESHNESS, TABLES


def arrivals_of(rows: DataFrame) -> dict[int, int]:
    """Count rows by second of arrival.

    Args:
        rows: batch DataFrame with kafka_timestamp (timestamp).

    Returns:
        Number of rows by kafka_timestamp in whole seconds since the epoch.
    """
    second = F.unix_seconds("kafka_timestamp").alias("second")
    counted = rows.groupBy(second).agg(F.count(F.lit(1)).alias("events")).collect()
    return {row.second: row.events for row in counted}


class Freshness:
    """Collects the ages of each batch's events, and writes them to ops.freshness at each flush.

    A commit for each batch would cost more than the batch's own on a small machine, so ages wait in
    the driver; those of the last few batches are lost if it is killed.

    Args:
        lake: lake that has ops.freshness.
        hop: layer whose commits are timed.
    """

    def __init__(self, lake: Lake, hop: str) -> None:
        self._lake = lake
        self._hop = hop
        self._rows: list[tuple[str, int, datetime, int, int]] = []

    def record(self, arrivals: Mapping[int, int], sequence: int) -> None:
        """Record the ages of a batch that was just committed.

        An age is in whole seconds, from the second of arrival to the current one.

        Args:
            arrivals: number of events by second of arrival, as `arrivals_of` returns it.
            sequence: sequence number of the batch.
        """
        at = datetime.now(UTC)
        self._rows += [
            (self._hop, sequence, at, int(at.timestamp()) - second, events)
            for second, events in arrivals.items()
        ]

    def flush(self) -> None:
        """Append the recorded ages to ops.freshness."""
        if not self._rows:
            return
        rows = self._lake.spark.createDataFrame(self._rows, TABLES[FRESHNESS].schema).coalesce(1)
        newest = self._rows[-1][1]
        self._lake.append(FRESHNESS, rows, Transaction(f"freshness-{self._hop}", newest))
        self._rows.clear()
