"""Deduplication: of the records that share an event_id, the first by arrival order is the event."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE

ARRIVAL_ORDER = ("kafka_timestamp", *PLACE)


def deduplicate(rows: DataFrame, *within: str) -> DataFrame:
    """Keep the first row of each event_id by arrival order.

    Args:
        rows: event_id, the columns of ARRIVAL_ORDER and any others; a batch DataFrame.
        within: names of columns that must be equal too for a row to be a duplicate; without them
            event_id alone decides.

    Returns:
        The columns of `rows`, deduplicated without any horizon.
    """
    return _with_copy_number(rows, *within).where("_copy = 1").drop("_copy")


def duplicate_places(*tables: DataFrame) -> DataFrame:
    """Coordinates of duplicates: rows whose event_id occurs earlier in arrival order in any table.

    As `deduplicate`, but only repeated rows are sorted, without their other columns. They are found
    by a hash of the event_id, in an eighth of the bytes; a mere collision is no duplicate. The
    join is a forced broadcast: Spark cannot know that the repeated hashes are few, and sorted
    everything.

    Args:
        tables: event_id and the columns of ARRIVAL_ORDER, each a batch DataFrame.

    Returns:
        PLACE of each duplicate: topic string, partition int, offset bigint.
    """
    hashed = F.xxhash64("event_id").alias("hash")
    narrow = [rows.select("event_id", *ARRIVAL_ORDER, hashed) for rows in tables]
    everything = reduce(DataFrame.unionAll, narrow)
    several = everything.groupBy("hash").count().where("count > 1").select("hash")
    copies = everything.join(F.broadcast(several), "hash", "left_semi")
    return _with_copy_number(copies).where("_copy > 1").select(*PLACE)


def _with_copy_number(rows: DataFrame, *within: str) -> DataFrame:
    """Add _copy int: the rank, from 1, of each row among those of its event_id by arrival order."""
    first = Window.partitionBy(*within, "event_id").orderBy(*ARRIVAL_ORDER)
    return rows.withColumn("_copy", F.row_number().over(first))


def deduplicate_stream(judged: DataFrame, horizon_h: int) -> DataFrame:
    """Drop the rows of a stream whose event_id occurred in the last `horizon_h` hours.

    The watermark runs on ingest time: neither a producer's clock nor a partition that lags behind
    the others can make a row late. Only the clock of ingest can, set back by more than the horizon;
    such rows are dropped here, and the caller must stop for them.

    Args:
        judged: event_id, ingest_time and any others; a streaming DataFrame.
        horizon_h: duplicate horizon in hours.

    Returns:
        The columns of `judged`.
    """
    watermarked = judged.withWatermark("ingest_time", f"{horizon_h} hours")
    return watermarked.dropDuplicatesWithinWatermark(["event_id"])
