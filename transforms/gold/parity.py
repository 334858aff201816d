"""Parity: are two computations of a gold table the same, row by row and bit by bit?"""

from __future__ import annotations

from functools import reduce
from operator import and_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.gold.fold import Fold, lift

IN_FLIGHT = "in_flight"
LATE_DUPLICATE = "late_duplicate"
UNEXPLAINED = "unexplained"


def differences(fold: Fold, streamed: DataFrame, recomputed: DataFrame) -> DataFrame:
    """The keys whose rows are not identical, from a full outer join on the key.

    Args:
        fold: the table.
        streamed: `fold.columns`, one row a key.
        recomputed: likewise.

    Returns:
        The key's columns, and the structs `streamed` and `recomputed` of the statistics, null
        where that side has no row.
    """
    left, right = _packed(fold, streamed, "streamed"), _packed(fold, recomputed, "recomputed")
    same_key = reduce(and_, (left[name].eqNullSafe(right[name]) for name in fold.key))
    return (
        left.join(right, same_key, "full_outer")
        .where(~F.col("streamed").eqNullSafe(F.col("recomputed")))
        .select(
            *(F.coalesce(left[name], right[name]).alias(name) for name in fold.key),
            "streamed",
            "recomputed",
        )
    )


def event_differences(streamed: DataFrame, recomputed: DataFrame) -> DataFrame:
    """The facts on which stream and recompute disagree, each with its cause.

    - in_flight: the stream has not yet refined the event;
    - late_duplicate: the stream holds the event more than once, because a copy came after the
      duplicate horizon.

    Args:
        streamed: the facts of streamed silver.
        recomputed: the facts of recomputed silver.

    Returns:
        The columns of the facts and `cause`.
    """
    missing = recomputed.join(streamed, "event_id", "left_anti").withColumn(
        "cause", F.lit(IN_FLIGHT)
    )
    repeated_ids = streamed.groupBy("event_id").count().where("count > 1").select("event_id")
    repeated = streamed.join(repeated_ids, "event_id", "left_semi").withColumn(
        "cause", F.lit(LATE_DUPLICATE)
    )
    return missing.unionByName(repeated)


def explained(fold: Fold, differing: DataFrame, events: DataFrame) -> DataFrame:
    """`differences` with the cause of each: that of an event behind the key, or unexplained."""
    causes = (
        lift(fold, events, "cause")
        .groupBy(*fold.key)
        .agg(F.array_join(F.array_sort(F.collect_set("cause")), "+").alias("cause"))
    )
    same_key = reduce(and_, (differing[name].eqNullSafe(causes[name]) for name in fold.key))
    return differing.join(causes, same_key, "left").select(
        *(differing[name] for name in differing.columns),
        F.coalesce("cause", F.lit(UNEXPLAINED)).alias("cause"),
    )


def _packed(fold: Fold, rows: DataFrame, name: str) -> DataFrame:
    return rows.select(*fold.key, F.struct(*fold.statistics).alias(name))
