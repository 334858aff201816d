"""Deduplication: of the records with one event_id, the first by arrival order is the event."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE

ARRIVAL_ORDER = ("kafka_timestamp", *PLACE)


def deduplicate(rows: DataFrame, *within: str) -> DataFrame:
    """The first of each event_id by arrival order; a batch DataFrame, without any horizon.

    Args:
        rows: event_id, the columns of ARRIVAL_ORDER and any others.
        within: columns in which a repeat is equal too; without them event_id alone decides.
    """
    return _with_copy_number(rows, *within).where("_copy = 1").drop("_copy")


def duplicate_places(*tables: DataFrame) -> DataFrame:
    """The places of rows whose event_id an earlier row by arrival has, in the same table or not.

    As `deduplicate`, but only what is repeated is sorted, without its other columns. A hash of
    the event_id finds it, in an eighth of the bytes; what merely shares one is no repeat. Spark is
    told to keep those hashes at hand: it cannot know that they are few, and sorted everything.
    """
    hashed = F.xxhash64("event_id").alias("hash")
    narrow = [rows.select("event_id", *ARRIVAL_ORDER, hashed) for rows in tables]
    everything = reduce(DataFrame.unionAll, narrow)
    several = everything.groupBy("hash").count().where("count > 1").select("hash")
    copies = everything.join(F.broadcast(several), "hash", "left_semi")
    return _with_copy_number(copies).where("_copy > 1").select(*PLACE)


def _with_copy_number(rows: DataFrame, *within: str) -> DataFrame:
    """Add _copy: 1 for the first of each event_id by arrival order."""
    first = Window.partitionBy(*within, "event_id").orderBy(*ARRIVAL_ORDER)
    return rows.withColumn("_copy", F.row_number().over(first))


def deduplicate_stream(judged: DataFrame, horizon_h: int) -> DataFrame:
    """The rows of a stream whose event_id was not met in the last `horizon_h` hours.

    The watermark runs on ingest time, which never steps back between bronze commits: neither a
    producer's clock nor a partition that lags behind the others can make a row late.
    """
    watermarked = judged.withWatermark("ingest_time", f"{horizon_h} hours")
    return watermarked.dropDuplicatesWithinWatermark(["event_id"])
