"""Histories from gold.user_title: one row a user, weighted as `weighting` declares.

`user_title` below is rows of gold.user_title: as it is now, or, for an evaluation that must not see
the future, the same fold of the events until an instant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from transforms.recommendations.columns import HISTORY_COLUMNS
from transforms.recommendations.weighting import Weighting, preference, recency

if TYPE_CHECKING:
    Longs: TypeAlias = pd.Series[int]
else:  # Spark reads the hints of a function at run time, where Series takes no parameter
    Longs = pd.Series


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


def weighted_histories(
    user_title: DataFrame, weighting: Weighting, *, as_of_s: int, half_life_s: float
) -> DataFrame:
    """The titles that a user met, sorted, each with preference x recency, as scoring reads them.

    Args:
        user_title: rows of gold.user_title.
        weighting: declared worth of each signal.
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a title counts half, in seconds.

    Returns:
        user_id, titles (ARRAY<STRING>), weights (ARRAY<BIGINT>, units of 1/4096).
    """
    weight = F.col("preference") * F.col("recency")
    rows = user_title.select(
        "user_id",
        "title_id",
        preference_of(weighting).alias("preference"),
        recency_of(as_of_s, half_life_s).alias("recency"),
    )
    return _by_user(rows.withColumn("weights", weight), "weights")


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


def _by_user(rows: DataFrame, values: str) -> DataFrame:
    met = F.sort_array(F.collect_list(F.struct("title_id", values))).alias("met")
    return (
        rows.groupBy("user_id")
        .agg(met)
        .select(
            "user_id", F.col("met.title_id").alias("titles"), F.col(f"met.{values}").alias(values)
        )
    )


def _side(differing: DataFrame, side: str, sign: int) -> DataFrame:
    return differing.where(f"{side}.user_id IS NOT NULL").select(
        *(F.col(f"{side}.{name}") for name in HISTORY_COLUMNS),
        F.lit(sign).cast("bigint").alias("sign"),
    )
