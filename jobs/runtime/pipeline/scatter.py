"""Scattered dates: those whose rows lie in many tasks, each of which would write a file of them.

A stream that keeps up has the events of a few dates in a micro-batch. A backfill has hundreds, and
each task would write a file for each, most with a handful of rows. `gather` brings the rows of such
dates together first; rows that lie well stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.streams.query import FEW

SPARE_FILES = 32  # needless files a table and batch, of which nothing is made


class Count(NamedTuple):
    """A count of judged records with the same end and date.

    Attributes:
        family: family of the silver table; None for quarantine.
        reason: reason of the rejection; None for silver.
        event_date: UTC date of the event time; None for quarantine.
        events: number of records.
        tasks: number of tasks that hold them, up to 64.
    """

    family: str | None
    reason: str | None
    event_date: date | None
    events: int
    tasks: int


def counts_of(rows: DataFrame) -> list[Count]:
    """Count rows by end and date.

    Args:
        rows: rows of `judge`, materialized.
    """
    placed = rows.select(
        "family",
        "reason",
        F.to_date("event_time").alias("event_date"),
        F.expr("shiftleft(1L, spark_partition_id() % 64)").alias("task"),
    )
    counted = placed.groupBy("family", "reason", "event_date").agg(
        F.count(F.lit(1)).alias("events"), F.bit_count(F.bit_or("task")).alias("tasks")
    )
    return [Count(*row) for row in counted.select(*Count._fields).collect()]


def scattered_dates(counts: Iterable[Count], family: str) -> list[date]:
    """The dates of a family that would be written into many more files than their rows need.

    Args:
        counts: counts of a batch.
        family: name of the family.

    Returns:
        The dates, sorted; none if there would be SPARE_FILES needless files or less.
    """
    needless = {
        count.event_date: count.tasks - 1 - count.events // FEW
        for count in counts
        if count.family == family and count.event_date is not None
    }
    found = {day: files for day, files in needless.items() if files > 0}
    return sorted(found) if sum(found.values()) > SPARE_FILES else []


def gather(rows: DataFrame, dates: Sequence[date]) -> DataFrame:
    """Bring the rows of each of some dates together, in as few tasks as their size allows.

    Args:
        rows: rows with event_date.
        dates: dates to gather.

    Returns:
        The same rows; those of other dates lie where they did.
    """
    if not dates:
        return rows
    inside = F.col("event_date").isin(*dates)
    # not the hint REBALANCE: Spark ignores it in streams, whose execution is not adaptive
    return rows.where(~inside).unionAll(rows.where(inside).repartition("event_date"))
