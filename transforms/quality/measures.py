"""Measures of a table behind expectations, as aggregates: one aggregation serves many of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

HOUR_US = 3_600_000_000


def repeated_keys(key: Sequence[str]) -> Column:
    """Count the rows beyond the first of each key, comparing nulls as equal.

    Args:
        key: names of the key's columns.

    Returns:
        Aggregate, bigint; null without rows.
    """
    return _of_some(F.lit(1), F.count(F.lit(1)) - F.count_distinct(F.struct(*key)))


def rows_with_null(columns: Sequence[str]) -> Column:
    """Count the rows in which any of the columns is null.

    Args:
        columns: names of columns.

    Returns:
        Aggregate, bigint; null without rows.
    """
    missing = F.expr(" OR ".join(f"{name} IS NULL" for name in columns))
    return _of_some(F.lit(1), F.count_if(missing))


def rows_outside(column: str, at_least: float | None, at_most: float | None) -> Column:
    """Count the rows whose value is out of bounds.

    Args:
        column: SQL expression of a number.
        at_least: lower bound, inclusive; None for no bound.
        at_most: upper bound, inclusive; None for no bound.

    Returns:
        Aggregate, bigint; null without values. Null is no value, NaN exceeds any upper bound.
    """
    beyond = F.lit(False)
    if at_least is not None:
        beyond |= F.expr(column) < F.lit(at_least)
    if at_most is not None:
        beyond |= F.expr(column) > F.lit(at_most)
    return _of_some(F.expr(column), F.count_if(beyond))


def rows_breaking(condition: str) -> Column:
    """Count the rows for which an SQL condition is false, not null.

    Args:
        condition: SQL expression, boolean.

    Returns:
        Aggregate, bigint; null if the condition is true or false of no row.
    """
    return _of_some(F.expr(condition), F.count_if(~F.expr(condition)))


def _of_some(measured: Column, measure: Column) -> Column:
    """A measure, if there is something to measure.

    Args:
        measured: what is measured; its nulls do not count.
        measure: aggregate.

    Returns:
        The aggregate; null if `measured` is null in every row, or there is no row.
    """
    return F.when(F.count(measured) > 0, measure)


def age_h(column: str, now: datetime) -> Column:
    """Age of a column's newest instant.

    Args:
        column: name of a timestamp or date column.
        now: instant to measure from.

    Returns:
        Aggregate, double, in hours; null if the column holds no instant.
    """
    newest = F.max(F.unix_micros(F.col(column).cast("timestamp")))
    return (F.unix_micros(F.lit(now)) - newest) / HOUR_US


def orphans(rows: DataFrame, column: str, referenced: DataFrame) -> DataFrame:
    """Share of values without a counterpart in `referenced`.

    Args:
        rows: the referring table.
        column: name of the referring column; its nulls do not count.
        referenced: one column, the existing values.

    Returns:
        One row: share double, 0 to 1; null without values.
    """
    known = referenced.toDF("known").distinct()
    counts = rows.where(F.col(column).isNotNull()).groupBy(F.col(column).alias("value")).count()
    held = counts.join(known, F.col("value") == F.col("known"), "left")
    missing = F.sum(F.when(F.col("known").isNull(), F.col("count")).otherwise(0))
    return held.agg((missing / F.sum("count")).alias("share"))


def by_day(rows: DataFrame, date: str, value: Column) -> DataFrame:
    """Count rows by date and value.

    Args:
        rows: the table.
        date: name of its date column; rows where it is null do not count.
        value: value to count by.

    Returns:
        day date, value string (null as `null`), count bigint.
    """
    known = F.coalesce(value.cast("string"), F.lit("null")).alias("value")
    return rows.where(F.col(date).isNotNull()).groupBy(F.col(date).alias("day"), known).count()


def bin_of(column: str, edges: Sequence[float]) -> Column:
    """Index of the bin that a number falls into: the number of edges that do not exceed it.

    Args:
        column: name of a numeric column.
        edges: edges of the bins, ascending.

    Returns:
        Int, 0 to the number of edges; null for null.
    """
    reached = (F.when(F.col(column) >= F.lit(edge), 1).otherwise(0) for edge in edges)
    return F.when(F.col(column).isNotNull(), sum(reached, F.lit(0)))
