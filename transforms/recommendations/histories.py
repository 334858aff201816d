"""Histories from gold.user_title: one row a user, weighted as `weighting` declares.

`user_title` below is rows of gold.user_title: as it is now, or, for an evaluation that must not see
the future, the same fold of the events until an instant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from transforms.recommendations.columns import HISTORY_COLUMNS
from transforms.recommendations.fixed_point import Integers
from transforms.recommendations.neighbours import sitting_weights
from transforms.recommendations.weighting import Weighting, preference, recency

if TYPE_CHECKING:
    Longs: TypeAlias = pd.Series[int]
    Arrays: TypeAlias = pd.Series[Any]
else:  # Spark reads the hints of a function at run time, where Series takes no parameter
    Longs = Arrays = pd.Series


def long_column(function: Callable[..., Longs]) -> Callable[..., Column]:
    """A function of Series as a function of columns, BIGINT."""
    declare: Any = pandas_udf
    of_columns: Callable[..., Column] = declare(function, "BIGINT")
    return of_columns


def preference_of(weighting: Weighting) -> Column:
    """The preference of a row of gold.user_title, in sixteenths (BIGINT)."""

    def worth(
        plays: Longs,
        completions: Longs,
        watch_s: Longs,
        furthest_position_s: Longs,
        half_stars: Longs,
    ) -> Longs:
        rows = pd.DataFrame(
            {
                "plays": plays,
                "completions": completions,
                "watch_s": watch_s,
                "furthest_position_s": furthest_position_s,
                "half_stars": half_stars,
            }
        )
        return pd.Series(preference(rows, weighting).tolist())

    return long_column(worth)(
        "plays", "completions", "watch_s", "furthest_position_s", "last_rating.half_stars"
    )


def recency_of(as_of_s: int, half_life_s: float) -> Column:
    """The recency of a row of gold.user_title, in 256ths (BIGINT).

    Args:
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a title counts half, in seconds.
    """

    def left(last_s: Longs) -> Longs:
        times_s = np.asarray(last_s, np.int64)
        return pd.Series(recency(times_s, as_of_s=as_of_s, half_life_s=half_life_s).tolist())

    last_s = F.unix_seconds("last_time")
    return long_column(left)(last_s)


def histories(user_title: DataFrame, weighting: Weighting) -> DataFrame:
    """HISTORY_COLUMNS: the titles that a user met, sorted, each with its preference."""
    return _by_user(user_title.withColumn("preferences", preference_of(weighting)), "preferences")


@dataclass(frozen=True)
class Reading:
    """How histories are read: what signals are worth, and how they fade.

    Attributes:
        weighting: declared worth of each signal.
        half_life_s: time after which a title in a history counts half, in seconds.
        sitting_half_life_s: the same of a title of the sitting.
    """

    weighting: Weighting
    half_life_s: float
    sitting_half_life_s: float


def weighted_histories(user_title: DataFrame, reading: Reading, *, as_of_s: int) -> DataFrame:
    """The titles that a user met, sorted, each with its weights, as scoring reads them.

    Args:
        user_title: rows of gold.user_title.
        reading: how histories are read.
        as_of_s: instant seen from, in seconds since the epoch, UTC.

    Returns:
        user_id, titles (ARRAY<STRING>), weights (ARRAY<BIGINT>, preference x recency in units of
        1/4096), sitting (ARRAY<BIGINT>, as `sitting_of` returns it).
    """
    rows = user_title.select(
        "user_id",
        "title_id",
        preference_of(reading.weighting).alias("preference"),
        recency_of(as_of_s, reading.half_life_s).alias("recency"),
        F.unix_seconds("last_time").alias("last_s"),
    )
    weight = F.col("preference") * F.col("recency")
    by_user = _by_user(rows.withColumn("weights", weight), "weights", "last_s")
    sitting = sitting_of(as_of_s, reading.sitting_half_life_s)
    return by_user.select("user_id", "titles", "weights", sitting.alias("sitting"))


def sitting_of(as_of_s: int, half_life_s: float) -> Column:
    """What each title weighs as part of the sitting, of the columns last_s and weights.

    Args:
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a title of the sitting counts half, in seconds.

    Returns:
        ARRAY<BIGINT>, in units of 1/4096; 0 for a title that is not of it, or weighs nothing.
    """

    def each(last_s: Arrays, weights: Arrays) -> Arrays:
        rows = zip(last_s, weights, strict=True)
        return pd.Series(
            [sitting(times, of, as_of_s=as_of_s, half_life_s=half_life_s) for times, of in rows]
        )

    declare: Any = pandas_udf
    of_columns: Callable[..., Column] = declare(each, "ARRAY<BIGINT>")
    return of_columns("last_s", "weights")


def sitting(last_s: Integers, weights: Integers, *, as_of_s: int, half_life_s: float) -> Integers:
    """What each title of a history weighs as part of the sitting, in units of 1/4096.

    Args:
        last_s: last time of each title, in seconds since the epoch, UTC; sorted by title.
        weights: weight of each in the history.
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a title of the sitting counts half, in seconds.
    """
    ranks = np.empty(len(last_s), np.int64)
    ranks[np.argsort(last_s, kind="stable")[::-1]] = np.arange(len(last_s))
    left = recency(last_s, as_of_s=as_of_s, half_life_s=half_life_s)
    return np.where(np.asarray(weights) > 0, sitting_weights(ranks, left), 0)


def changes(before: DataFrame, after: DataFrame) -> DataFrame:
    """The histories that differ: each as it was, sign -1, and as it is, sign 1.

    Args:
        before: rows of HISTORY_COLUMNS.
        after: rows of HISTORY_COLUMNS; a user who is only here is new, one only in `before` was
            erased.

    Returns:
        HISTORY_COLUMNS and `sign` (BIGINT).
    """
    same = (before["titles"] == after["titles"]) & (before["preferences"] == after["preferences"])
    both = before.alias("before").join(
        after.alias("after"), before["user_id"] == after["user_id"], "full_outer"
    )
    differing = both.where(~F.coalesce(same, F.lit(False)))
    return _side(differing, "before", -1).unionAll(_side(differing, "after", 1))


def additions(histories: DataFrame) -> DataFrame:
    """These histories as `changes` from nothing: HISTORY_COLUMNS and `sign`, 1."""
    return histories.withColumn("sign", F.lit(1).cast("bigint"))


def _by_user(rows: DataFrame, *values: str) -> DataFrame:
    met = F.sort_array(F.collect_list(F.struct("title_id", *values))).alias("met")
    arrays = (F.col(f"met.{name}").alias(name) for name in values)
    by_user = rows.groupBy("user_id").agg(met)
    return by_user.select("user_id", F.col("met.title_id").alias("titles"), *arrays)


def _side(differing: DataFrame, side: str, sign: int) -> DataFrame:
    return differing.where(f"{side}.user_id IS NOT NULL").select(
        *(F.col(f"{side}.{name}") for name in HISTORY_COLUMNS),
        F.lit(sign).cast("bigint").alias("sign"),
    )
