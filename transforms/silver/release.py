"""silver.released: what left quarantine, how, and all that quarantine said of it."""

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
    """The quarantined rows that are valid events by now, each with what becomes of it.

    Args:
        quarantined: rows of silver.quarantine.
        judged: `judge` of the same records, by the contracts of now.
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
    """event_id and PLACE of the events that rows of silver.released became."""
    events = released_rows.where(F.col("fate") == SILVER)
    return events.select(F.col("released_id").alias("event_id"), *PLACE)


def without_copies(judged: DataFrame, events: DataFrame) -> DataFrame:
    """Judged rows without later copies of events that `deduplicate_stream` never met.

    It met a released one as a rejected record, under another event_id.

    Args:
        judged: rows of `judge`, streaming or batch.
        events: event_id and PLACE of each.

    Returns:
        The rows, but those that have the event_id of an event and another place.
    """
    known = events.select(*(F.col(name).alias(f"known_{name}") for name in ("event_id", *PLACE)))
    elsewhere = F.expr(" OR ".join(f"{name} <> known_{name}" for name in PLACE))
    return judged.join(
        known, (F.col("event_id") == F.col("known_event_id")) & elsewhere, "left_anti"
    )
