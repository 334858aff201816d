"""Freshness: how old events were, since their arrival at Kafka, when a hop committed them."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.commits import Transaction
from jobs.runtime.lake import Lake
from jobs.runtime.tables import FRESHNESS, TABLES


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

    def record(self, batch: DataFrame, sequence: int) -> None:
        """Note the ages of a batch just committed: whole seconds, second of arrival to that of now.

        Args:
            batch: rows with kafka_timestamp.
            sequence: the batch's number.
        """
        at = datetime.now(UTC)
        # the age is taken here: as a literal of the plan, `at` would be compiled anew every time
        arrived_s = F.unix_seconds("kafka_timestamp").alias("arrived_s")
        counted = batch.groupBy(arrived_s).agg(F.count(F.lit(1)).alias("events")).collect()
        self._rows += [
            (self._hop, sequence, at, int(at.timestamp()) - row.arrived_s, row.events)
            for row in counted
        ]

    def flush(self) -> None:
        """Write what was noted."""
        if not self._rows:
            return
        rows = self._lake.spark.createDataFrame(self._rows, TABLES[FRESHNESS].schema).coalesce(1)
        newest = self._rows[-1][1]
        self._lake.append(FRESHNESS, rows, Transaction(f"freshness-{self._hop}", newest))
        self._rows.clear()
