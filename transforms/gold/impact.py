"""Impact: what people would notice if one build of gold took the place of another.

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
    """How many users' features moved.

    Args:
        old: rows of gold.user_features.
        new: likewise.
        percent: a number moved if it changed by more than so much of its old value; what is last
            moved if it is another.

    Returns:
        One row: users, on either side; each of FEATURES, the users of whom it moved; any.
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
    """How many of the lists that people see changed at the top.

    Args:
        old: rows of gold.recommendations.
        new: likewise.
        length: the top of a list, in titles.

    Returns:
        context_type; lists, on either side; changed, those with other titles or in another order;
        titles, at the top of the old lists; replaced, those of them that are not at the top of
        the new one. One row a context, by name.
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
    """The business totals of both sides by date.

    Args:
        old: rows of gold.business_day.
        new: likewise.

    Returns:
        date, and for each of TOTALS old_<total> and new_<total>, long, 0 where that side has no
        row; in order of date.
    """
    sides = []
    for side, rows in (("old", old), ("new", new)):
        sums = (F.sum(name).alias(f"{side}_{name}") for name in TOTALS)
        sides.append(rows.groupBy("date").agg(*sums))
    both = sides[0].join(sides[1], "date", "full_outer")
    told = (f"{side}_{name}" for name in TOTALS for side in ("old", "new"))
    return both.select("date", *(_number(name).alias(name) for name in told)).orderBy("date")


def _flat(rows: DataFrame, side: str) -> DataFrame:
    numbers = (F.col(name).alias(f"{side}_{name}") for name in NUMBERS)
    last = (F.col(f"last_play.{name}").alias(f"{side}_last_play_{name}") for name in LAST_PLAY)
    return rows.select("user_id", *numbers, *last)


def _moved(name: str, percent: int) -> Column:
    before, after = _number(f"old_{name}"), _number(f"new_{name}")
    return F.abs(after - before) * 100 > before * percent


def _number(name: str) -> Column:
    return F.coalesce(name, F.lit(0))


def _same(left: str, right: str) -> Column:
    return F.col(left).eqNullSafe(F.col(right))


def _tops(rows: DataFrame, length: int, side: str) -> DataFrame:
    ranked = F.sort_array(F.collect_list(F.struct("rank", "title_id")))["title_id"]
    return rows.where(F.col("rank") <= length).groupBy(*LIST).agg(ranked.alias(side))
