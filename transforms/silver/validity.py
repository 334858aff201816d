"""The catalogue as of any instant, derived from the changes in silver.catalog (docs/semantics.md).

Nothing of it is stored, so a change that arrives late is in its place for every reader.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.silver.deduplication import deduplicate
from transforms.silver.families.catalog import OWN_COLUMNS

ENTRY = tuple(name for name in OWN_COLUMNS if name not in ("removed", "removal_reason"))
INTERVAL = ("valid_from", "valid_to")


def entries(catalog: DataFrame) -> DataFrame:
    """The catalogue's entries, each with its interval of validity (SCD type 2).

    Args:
        catalog: rows of silver.catalog, a batch DataFrame.

    Returns:
        The columns of ENTRY, and valid_from (inclusive) and valid_to (exclusive) timestamp, UTC;
        valid_to is null for the current entry. The intervals of a title do not overlap.
    """
    by_order = Window.partitionBy("title_id").orderBy("event_time", "event_id")
    changes = deduplicate(catalog).withColumns(
        {"valid_from": F.col("event_time"), "valid_to": F.lead("event_time").over(by_order)}
    )
    lasting = F.col("valid_to").isNull() | (F.col("valid_from") < F.col("valid_to"))
    return changes.where(lasting & ~F.col("removed")).select(*ENTRY, *INTERVAL)


def at_event_time(events: DataFrame, catalog: DataFrame) -> DataFrame:
    """Join each event with the catalogue entry of its title that was valid at its event time.

    Args:
        events: title_id, event_time and any other columns.
        catalog: rows of silver.catalog, a batch DataFrame.

    Returns:
        The columns of `events`, and title: struct of the other columns of `entries`; null where the
        catalogue had no entry of the title then.
    """
    found = entries(catalog).select(
        F.col("title_id").alias("entry_of"),
        *INTERVAL,
        F.struct(*(name for name in ENTRY if name != "title_id"), *INTERVAL).alias("title"),
    )
    happened = F.col("event_time")
    is_valid = (happened >= F.col("valid_from")) & (
        F.col("valid_to").isNull() | (happened < F.col("valid_to"))
    )
    same_title = F.col("title_id") == F.col("entry_of")
    return events.join(found, same_title & is_valid, "left").select(*events.columns, "title")
