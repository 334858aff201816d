"""What expectations measure of a table: numbers, so that one aggregation serves many of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

HOUR_US = 3_600_000_000


def repeated_keys(key: Sequence[str]) -> Column:
    """Rows beyond the first of their key; a null in a key is a value like others."""
    return F.count(F.lit(1)) - F.count_distinct(F.struct(*key))


def rows_with_null(columns: Sequence[str]) -> Column:
    """Rows in which any of the columns is null."""
    return F.count_if(F.expr(" OR ".join(f"{name} IS NULL" for name in columns)))


def rows_outside(column: str, at_least: float | None, at_most: float | None) -> Column:
    """Rows whose value is beyond a bound; null is beyond none, NaN beyond any upper one."""
    beyond = F.lit(False)
    if at_least is not None:
        beyond |= F.expr(column) < F.lit(at_least)
    if at_most is not None:
        beyond |= F.expr(column) > F.lit(at_most)
    return F.count_if(beyond)


def rows_breaking(condition: str) -> Column:
    """Rows for which an SQL condition is false; unknown is not false."""
    return F.count_if(~F.expr(condition))


def age_h(column: str, now: datetime) -> Column:
    """Hours from the newest instant of a column to `now`; null without one."""
    newest = F.max(F.unix_micros(F.col(column).cast("timestamp")))
    return (F.unix_micros(F.lit(now)) - newest) / HOUR_US


def orphans(rows: DataFrame, column: str, referenced: DataFrame) -> DataFrame:
    """The share of values that are not in `referenced`, as one row (`share`).

    Args:
        rows: the table; its nulls refer to nothing and do not count.
        column: of `rows`.
        referenced: one column, the values that there are.
    """
    known = referenced.toDF("known").distinct()
    counts = rows.where(F.col(column).isNotNull()).groupBy(F.col(column).alias("value")).count()
    held = counts.join(known, F.col("value") == F.col("known"), "left")
    missing = F.sum(F.when(F.col("known").isNull(), F.col("count")).otherwise(0))
    return held.agg((missing / F.sum("count")).alias("share"))


def by_day(rows: DataFrame, date: str, value: Column) -> DataFrame:
    """How many rows there are of each date (`day`) and `value` (a text, null as `null`)."""
    known = F.coalesce(value.cast("string"), F.lit("null")).alias("value")
    return rows.where(F.col(date).isNotNull()).groupBy(F.col(date).alias("day"), known).count()


def bin_of(column: str, edges: Sequence[float]) -> Column:
    """In which bin a number is: how many of the ascending edges do not exceed it."""
    reached = (F.when(F.col(column) >= F.lit(edge), 1).otherwise(0) for edge in edges)
    return F.when(F.col(column).isNotNull(), sum(reached, F.lit(0)))
