"""Folds: gold tables declared as a key and statistics that merge exactly, in any order.

A statistic says two things: how one fact is lifted to a value, and how values merge. Merging is
associative and commutative and never rounds, so every way of computing a fold is one function:
batch is merge(lift(facts)), a micro-batch's partials are merge(lift(its facts)), compaction and
the reader are merge(base and partials).

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
        ddl: the column's SQL type.
    """

    lift: str
    merge: str
    ddl: str


def count(where: str) -> Statistic:
    """How many facts satisfy `where`; long, never null."""
    return Statistic(f"IF({where}, 1L, 0L)", "sum({})", "BIGINT")


def total(of: str, where: str = "true") -> Statistic:
    """The sum of the integer `of` over the facts that satisfy `where`, null as 0; long."""
    return Statistic(f"IF({where}, coalesce({of}, 0L), 0L)", "sum({})", "BIGINT")


def greatest(of: str, ddl: str) -> Statistic:
    """The greatest `of`; null if no fact has one."""
    return Statistic(of, "max({})", ddl)


def least(of: str, ddl: str) -> Statistic:
    """The least `of`; null if no fact has one."""
    return Statistic(of, "min({})", ddl)


def latest(of: Mapping[str, str], where: str) -> Statistic:
    """The columns `of` (name to SQL type) of the last fact by order that satisfies `where`.

    A struct led by (event_time, event_id). That pair is unique and compares first, so the
    greatest struct is the last fact and no tie is left to chance. Null if no fact qualifies.
    """
    packed, ddl = _ordered(of)
    return Statistic(f"IF({where}, {packed}, NULL)", "max({})", ddl)


def every(of: Mapping[str, str], where: str) -> Statistic:
    """The columns `of` (name to SQL type) of all facts that satisfy `where`, sorted by order.

    Structs led by (event_time, event_id). Exact, at the price of holding every fact: sized for
    the ratings that one user gives one title. (array_sort would interpret its comparisons.)
    """
    packed, ddl = _ordered(of)
    return Statistic(
        f"IF({where}, array({packed}), array())",
        "sort_array(flatten(collect_list({})))",
        f"ARRAY<{ddl}>",
    )


def distinct(of: str, where: str) -> Statistic:
    """The distinct values of the string `of` over the facts that satisfy `where`, sorted.

    Exact, at the price of holding every value: sized for the viewers of a title-day.
    """
    return Statistic(
        f"IF({where}, array({of}), array())",
        "sort_array(array_distinct(flatten(collect_list({}))))",
        "ARRAY<STRING>",
    )


@dataclass(frozen=True)
class Fold:
    """A gold table: one row a key, its columns the key and the statistics.

    Attributes:
        name: the table, `gold.<name>`.
        key: columns of the facts (name to SQL type), never null in a fact that counts.
        where: SQL over a fact: does it count here at all?
        statistics: column name to statistic.
    """

    name: str
    key: Mapping[str, str]
    where: str
    statistics: Mapping[str, Statistic]

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns, name to SQL type, in order."""
        return {**self.key, **{name: stat.ddl for name, stat in self.statistics.items()}}


def lift(fold: Fold, facts: DataFrame, *also: str) -> DataFrame:
    """Each fact that counts, as the key and statistics of itself alone, and the columns `also`."""
    statistics = (F.expr(stat.lift).alias(name) for name, stat in fold.statistics.items())
    return facts.where(fold.where).select(*fold.key, *statistics, *also)


def merge(fold: Fold, rows: DataFrame) -> DataFrame:
    """Rows of `fold.columns` merged to one row a key.

    Grouped by a hash of the key first: where Spark sorts, keys that begin alike, as ids do, would
    be compared whole.
    """
    hashed = F.xxhash64(*fold.key).alias("hash")
    return rows.groupBy(hashed, *fold.key).agg(*_merged(fold)).drop("hash")


def evaluate(fold: Fold, facts: DataFrame) -> DataFrame:
    """The fold of these facts: one row a key that any of them touches."""
    return merge(fold, lift(fold, facts))


def _ordered(of: Mapping[str, str]) -> tuple[str, str]:
    """SQL that packs a fact's columns into a struct which compares by order, and its type."""
    fields = {"event_time": "TIMESTAMP", "event_id": "STRING", **of}
    packed = ", ".join(f"'{name}', {name}" for name in fields)
    ddl = ", ".join(f"{name}: {ddl}" for name, ddl in fields.items())
    return f"named_struct({packed})", f"STRUCT<{ddl}>"


def _merged(fold: Fold) -> list[Column]:
    return [
        F.expr(stat.merge.format(f"`{name}`")).alias(name) for name, stat in fold.statistics.items()
    ]
