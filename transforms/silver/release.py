"""silver.released: records that left quarantine, their new fate and their whole quarantine row."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.events.bronze import PLACE
from transforms.silver.deduplication import ARRIVAL_ORDER
from transforms.silver.quarantine import COLUMNS as QUARANTINE_COLUMNS

SILVER = "silver"
DUPLICATE = "duplicate"
VERDICT = {"fate": "STRING", "family": "STRING", "released_id": "STRING"}
COLUMNS = {
    "release": "BIGINT",
    "released_at": "TIMESTAMP",
    **VERDICT,
    **QUARANTINE_COLUMNS,
}


def release_rows(quarantined: DataFrame, judged: DataFrame, silver_ids: DataFrame) -> DataFrame:
    """The quarantined records that are valid events by now, each with its new fate.

    Args:
        quarantined: rows of silver.quarantine.
        judged: rows of `judge` for the same records, by the current contracts.
        silver_ids: event_id of every row of silver.

    Returns:
        The columns of silver.quarantine and those of VERDICT: family string, the silver table of
        the event; released_id string, its event_id; fate string, `silver` for the first of an
        event_id by arrival order, `duplicate` for the others and where silver has the event_id.
    """
    first = Window.partitionBy("released_id").orderBy(*ARRIVAL_ORDER)
    accepted = judged.where("reason IS NULL").select(
        *ARRIVAL_ORDER, "family", F.col("event_id").alias("released_id")
    )
    met = silver_ids.select(F.col("event_id").alias("released_id"), F.lit(True).alias("met"))
    is_new = (F.row_number().over(first) == 1) & F.col("met").isNull()
    verdicts = (
        accepted.join(met.distinct(), "released_id", "left")
        .withColumn("fate", F.when(is_new, SILVER).otherwise(DUPLICATE))
        .select(*PLACE, *VERDICT)
    )
    return quarantined.join(verdicts, list(PLACE)).select(*VERDICT, *QUARANTINE_COLUMNS)


def released_events(released_rows: DataFrame) -> DataFrame:
    """The events that became rows of silver by a release.

    Args:
        released_rows: rows of silver.released.

    Returns:
        event_id string and PLACE of each.
    """
    events = released_rows.where(F.col("fate") == SILVER)
    return events.select(F.col("released_id").alias("event_id"), *PLACE)


def without_copies(judged: DataFrame, events: DataFrame) -> DataFrame:
    """Drop the later copies of released events, which `deduplicate_stream` cannot recognise.

    The stream saw a released record as a rejected one, under another event_id.

    Args:
        judged: rows of `judge`, streaming or batch.
        events: event_id and PLACE of each released event.

    Returns:
        The rows of `judged`, without those that have the event_id of an event and another place.
    """
    known = events.select(*(F.col(name).alias(f"known_{name}") for name in ("event_id", *PLACE)))
    elsewhere = F.expr(" OR ".join(f"{name} <> known_{name}" for name in PLACE))
    return judged.join(
        known, (F.col("event_id") == F.col("known_event_id")) & elsewhere, "left_anti"
    )
