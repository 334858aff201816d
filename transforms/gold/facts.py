"""Facts: the input of folds, one narrow shape over the silver families that they count."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

from pyspark.sql import DataFrame

FACT_COLUMNS = {
    "event_type": "STRING",
    "event_time": "TIMESTAMP",
    "event_id": "STRING",
    "user_id": "STRING",
    "title_id": "STRING",
    "date": "DATE",
    "region": "STRING",
    "device_type": "STRING",
    "content_type": "STRING",
    "source": "STRING",
    "position_s": "BIGINT",
    "watch_s": "BIGINT",
    "half_stars": "BIGINT",
    "rank": "BIGINT",
    "kafka_timestamp": "TIMESTAMP",
}

_COMMON = (
    *("event_type", "event_time", "event_id", "user_id", "title_id", "date", "region"),
    "kafka_timestamp",
)
FACT_SOURCES = {
    "silver.playback": (
        *_COMMON,
        *("device_type", "content_type", "source", "position_s", "watch_s"),
    ),
    "silver.ratings": (*_COMMON, "half_stars"),
    "silver.engagement": (*_COMMON, "source", "rank"),
}
_COUNTED = {"silver.engagement": "kind = 'click'"}
_RENAMED = {"date": "event_date AS date", "region": "coalesce(region, 'unknown') AS region"}


def facts(silver: Mapping[str, DataFrame], *also: str) -> DataFrame:
    """Project the silver tables of FACT_SOURCES to facts, streaming or batch.

    Args:
        silver: rows of silver tables, by table name.
        also: columns that every one of the tables has, to carry over.

    Returns:
        FACT_COLUMNS and `also`. A column that a family lacks is null, a missing region is
        `unknown`, date is the UTC date of the event time. Of silver.engagement only clicks.
    """
    counted = {t: silver[t].where(_COUNTED.get(t, "true")) for t in FACT_SOURCES}
    projected = (_projected(counted[t], have, also) for t, have in FACT_SOURCES.items())
    return reduce(DataFrame.unionAll, projected)


def _projected(rows: DataFrame, have: Collection[str], also: Collection[str]) -> DataFrame:
    """Select FACT_COLUMNS and `also`, with null for the columns that are not among `have`."""
    return rows.selectExpr(
        *(
            _RENAMED.get(name, name) if name in have else f"CAST(NULL AS {ddl}) AS {name}"
            for name, ddl in FACT_COLUMNS.items()
        ),
        *(f"`{name}`" for name in also),
    )
