"""Impact: the changes that people would notice if one build of gold replaced another.

docs/semantics.md, Impact. All counts are of integers, so they are exact.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.gold.tables import BUSINESS_DAY, LAST_PLAY, VIEWING

NUMBERS = tuple(VIEWING)
FEATURES = (*NUMBERS, *(f"last_play_{name}" for name in LAST_PLAY))
TOTALS = tuple(name for name, stat in BUSINESS_DAY.statistics.items() if stat.ddl == "BIGINT")
LIST = ("user_id", "context_type")


def features_moved(old: DataFrame, new: DataFrame, percent: int) -> DataFrame:
    """Count the users whose features moved.

    Args:
        old: rows of gold.user_features.
        new: rows of gold.user_features of the other build.
        percent: threshold for numbers, in percent of the old value; a number has moved if it
            changed by more, a column of the last play if it differs.

    Returns:
        One row: users bigint, on either side; a bigint for each of FEATURES, the users for whom it
        moved; any bigint, the users for whom at least one did.
    """
    both = _flat(old, "old").join(_flat(new, "new"), "user_id", "full_outer")
    moved = {
        name: _moved(name, percent) if name in NUMBERS else ~_same(f"old_{name}", f"new_{name}")
        for name in FEATURES
    }
    counts = (F.count_if(is_moved).alias(name) for name, is_moved in moved.items())
    any_of = F.count_if(reduce(or_, moved.values())).alias("any")
    return both.agg(F.count("*").alias("users"), *counts, any_of)


def lists_changed(old: DataFrame, new: DataFrame, length: int) -> DataFrame:
    """Count the recommendation lists that changed at the top.

    Args:
        old: rows of gold.recommendations.
        new: rows of gold.recommendations of the other build.
        length: length of the top of a list, in titles.

    Returns:
        One row a context, sorted: context_type; lists, on either side; changed, those with other
        titles or another order; titles, at the top of the old lists; replaced, those of them that
        are not at the top of the new one. All counts are bigint.
    """
    both = _tops(old, length, "old").join(_tops(new, length, "new"), [*LIST], "full_outer")
    before, after = (F.coalesce(side, F.array()) for side in ("old", "new"))
    return (
        both.groupBy("context_type")
        .agg(
            F.count("*").alias("lists"),
            F.count_if(before != after).alias("changed"),
            F.sum(F.size(before)).alias("titles"),
            F.sum(F.size(F.array_except(before, after))).alias("replaced"),
        )
        .orderBy("context_type")
    )


def business_by_date(old: DataFrame, new: DataFrame) -> DataFrame:
    """The business totals of both sides by date, over all regions.

    Args:
        old: rows of gold.business_day.
        new: rows of gold.business_day of the other build.

    Returns:
        In order of date: date, and for each of TOTALS old_<total> and new_<total>, bigint, 0 where
        that side has no row.
    """
    sides = []
    for side, rows in (("old", old), ("new", new)):
        sums = (F.sum(name).alias(f"{side}_{name}") for name in TOTALS)
        sides.append(rows.groupBy("date").agg(*sums))
    both = sides[0].join(sides[1], "date", "full_outer")
    told = (f"{side}_{name}" for name in TOTALS for side in ("old", "new"))
    return both.select("date", *(_number(name).alias(name) for name in told)).orderBy("date")


def _flat(rows: DataFrame, side: str) -> DataFrame:
    """user_id, the numbers and the columns of the last play, all prefixed with the side's name."""
    numbers = (F.col(name).alias(f"{side}_{name}") for name in NUMBERS)
    last = (F.col(f"last_play.{name}").alias(f"{side}_last_play_{name}") for name in LAST_PLAY)
    return rows.select("user_id", *numbers, *last)


def _moved(name: str, percent: int) -> Column:
    """Whether a number changed by more than `percent` percent of its old value."""
    before, after = _number(f"old_{name}"), _number(f"new_{name}")
    return F.abs(after - before) * 100 > before * percent


def _number(name: str) -> Column:
    """A column with 0 in place of null."""
    return F.coalesce(name, F.lit(0))


def _same(left: str, right: str) -> Column:
    """Whether two columns are equal, nulls included."""
    return F.col(left).eqNullSafe(F.col(right))


def _tops(rows: DataFrame, length: int, side: str) -> DataFrame:
    """The first titles of each list, as an array column named as the side, in order of rank."""
    ranked = F.sort_array(F.collect_list(F.struct("rank", "title_id")))["title_id"]
    return rows.where(F.col("rank") <= length).groupBy(*LIST).agg(ranked.alias(side))
