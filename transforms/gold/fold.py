"""Folds: gold tables declared as a key and statistics that merge exactly, in any order.

A statistic defines how one fact is lifted to a value, and how values merge. Merging is associative
and commutative and never rounds, so every way of computing a fold is one function: batch is
merge(lift(facts)), a micro-batch's partials are merge(lift(its facts)), compaction and the reader
are merge(base and partials).

Declarations hold SQL text and are plain values: they need no session, compare and hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Statistic:
    """One column of a gold table.

    Attributes:
        lift: SQL over a fact, the statistic of that fact alone.
        merge: SQL aggregate over rows holding the statistic; `{}` stands for its column.
        ddl: SQL type of the column.
    """

    lift: str
    merge: str
    ddl: str


def count(where: str) -> Statistic:
    """Declare the number of facts that satisfy a condition.

    Args:
        where: SQL condition over a fact.

    Returns:
        Statistic of type bigint, never null.
    """
    return Statistic(f"IF({where}, 1L, 0L)", "sum({})", "BIGINT")


def total(of: str, where: str = "true") -> Statistic:
    """Declare the sum of an integer over the facts that satisfy a condition.

    Args:
        of: SQL expression over a fact; null counts as 0.
        where: SQL condition over a fact.

    Returns:
        Statistic of type bigint, never null.
    """
    return Statistic(f"IF({where}, coalesce({of}, 0L), 0L)", "sum({})", "BIGINT")


def greatest(of: str, ddl: str) -> Statistic:
    """Declare the greatest value over all facts.

    Args:
        of: SQL expression over a fact.
        ddl: SQL type of the value.

    Returns:
        Statistic of that type; null if no fact has a value.
    """
    return Statistic(of, "max({})", ddl)


def least(of: str, ddl: str) -> Statistic:
    """Declare the least value over all facts; arguments and result as for `greatest`."""
    return Statistic(of, "min({})", ddl)


def latest(of: Mapping[str, str], where: str) -> Statistic:
    """Declare columns of the last fact, by order, that satisfies a condition.

    Args:
        of: SQL types of the columns, by name.
        where: SQL condition over a fact.

    Returns:
        Statistic of a struct led by (event_time, event_id); null if no fact qualifies. That pair is
        unique and compares first, so the greatest struct is the last fact and ties cannot occur.
    """
    packed, ddl = _ordered(of)
    return Statistic(f"IF({where}, {packed}, NULL)", "max({})", ddl)


def every(of: Mapping[str, str], where: str) -> Statistic:
    """Declare columns of all facts that satisfy a condition, sorted by order.

    Exact, at the price of holding every fact: sized for the ratings that one user gives one
    title. (array_sort would interpret its comparisons.)

    Args:
        of: SQL types of the columns, by name.
        where: SQL condition over a fact.

    Returns:
        Statistic of an array of structs led by (event_time, event_id).
    """
    packed, ddl = _ordered(of)
    return Statistic(
        f"IF({where}, array({packed}), array())",
        "sort_array(flatten(collect_list({})))",
        f"ARRAY<{ddl}>",
    )


def distinct(of: str, where: str) -> Statistic:
    """Declare the distinct values over the facts that satisfy a condition.

    Exact, at the price of holding every value: sized for the viewers of a title-day.

    Args:
        of: SQL expression over a fact, string.
        where: SQL condition over a fact.

    Returns:
        Statistic of a sorted array of strings.
    """
    return Statistic(
        f"IF({where}, array({of}), array())",
        "sort_array(array_distinct(flatten(collect_list({}))))",
        "ARRAY<STRING>",
    )


@dataclass(frozen=True)
class Fold:
    """A gold table with one row a key, whose columns are the key and the statistics.

    Attributes:
        name: name of the table, `gold.<name>`.
        key: SQL types of key columns of the facts, by name; never null in a fact that counts.
        where: SQL condition over a fact; others do not count.
        statistics: statistics by column name.
    """

    name: str
    key: Mapping[str, str]
    where: str
    statistics: Mapping[str, Statistic]

    @property
    def columns(self) -> dict[str, str]:
        """SQL types of the table's columns, by name, in order."""
        return {**self.key, **{name: stat.ddl for name, stat in self.statistics.items()}}


def lift(fold: Fold, facts: DataFrame, *also: str) -> DataFrame:
    """Convert each fact that counts to the key and the statistics of that fact alone.

    Args:
        fold: declaration of the table.
        facts: FACT_COLUMNS, or whatever the fold's SQL reads.
        also: columns of the facts to carry over.

    Returns:
        `fold.columns` and `also`, one row a fact.
    """
    statistics = (F.expr(stat.lift).alias(name) for name, stat in fold.statistics.items())
    return facts.where(fold.where).select(*fold.key, *statistics, *also)


def merge(fold: Fold, rows: DataFrame) -> DataFrame:
    """Merge rows of a fold to one row a key.

    Grouped by a hash of the key first: where Spark sorts, keys that begin alike, as ids do, would
    be compared whole.

    Args:
        fold: declaration of the table.
        rows: `fold.columns`, any number of rows a key.

    Returns:
        `fold.columns`.
    """
    hashed = F.xxhash64(*fold.key).alias("hash")
    return rows.groupBy(hashed, *fold.key).agg(*_merged(fold)).drop("hash")


def evaluate(fold: Fold, facts: DataFrame) -> DataFrame:
    """Compute the fold of facts.

    Args:
        fold: declaration of the table.
        facts: FACT_COLUMNS, or whatever the fold's SQL reads.

    Returns:
        `fold.columns`, one row for each key with a fact that counts.
    """
    return merge(fold, lift(fold, facts))


def _ordered(of: Mapping[str, str]) -> tuple[str, str]:
    """Pack columns of a fact into a struct that compares by order.

    Returns:
        SQL of the struct, and its SQL type.
    """
    fields = {"event_time": "TIMESTAMP", "event_id": "STRING", **of}
    packed = ", ".join(f"'{name}', {name}" for name in fields)
    ddl = ", ".join(f"{name}: {ddl}" for name, ddl in fields.items())
    return f"named_struct({packed})", f"STRUCT<{ddl}>"


def _merged(fold: Fold) -> list[Column]:
    """Merging aggregates of the statistics, named as their columns."""
    return [
        F.expr(stat.merge.format(f"`{name}`")).alias(name) for name, stat in fold.statistics.items()
    ]
