"""How much titles were watched lately: views that fade, from facts to an array of titles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.gold.fold import Fold, count, evaluate
from transforms.gold.tables import PLAY
from transforms.recommendations.fixed_point import VIEW_ONE, Integers, Titles, to_fixed_point
from transforms.recommendations.gram import positions
from transforms.recommendations.histories import Longs, long_column

DAY_S = 86_400

VIEWS = Fold(
    name="title_views",
    key={"title_id": "STRING", "date": "DATE", "region": "STRING", "device_type": "STRING"},
    where=PLAY,
    statistics={"views": count(PLAY)},
)


def faded_views(facts: DataFrame, *, as_of_s: int, half_life_s: float) -> DataFrame:
    """Views by title, region and device type, faded as `popularity` declares.

    A view counts from the start of its day, UTC, so that a day's views are worth the same.

    Args:
        facts: rows as the folds read them, none later than `as_of_s`.
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a view counts half, in seconds.

    Returns:
        title_id, region, device_type, views (BIGINT, in units of 2^-20 views).
    """

    def worth(days: Longs) -> Longs:
        each = day_worth(np.asarray(days, np.int64), as_of_s=as_of_s, half_life_s=half_life_s)
        return pd.Series(each.tolist())

    day = F.unix_date("date")
    each = long_column(worth)(day)
    return (
        evaluate(VIEWS, facts)
        .withColumn("worth", each)
        .groupBy("title_id", "region", "device_type")
        .agg(F.sum(F.col("views") * F.col("worth")).alias("views"))
    )


def day_worth(days: Integers, *, as_of_s: int, half_life_s: float) -> Integers:
    """What a view of each day is worth, in units of 2^-20 views.

    Args:
        days: days since the epoch, UTC.
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a view counts half, in seconds.
    """
    age_s = as_of_s - DAY_S * days
    return to_fixed_point(2.0 ** (-age_s / half_life_s), VIEW_ONE)


def views_by_day(facts: DataFrame) -> DataFrame:
    """How often each title was played on each day: title_id, day (since the epoch, UTC), views."""
    day = F.unix_date("date").alias("day")
    return evaluate(VIEWS, facts).groupBy("title_id", day).agg(F.sum("views").alias("views"))


def views_by_title(views: DataFrame) -> DataFrame:
    """Rows of `faded_views` summed over regions and devices: title_id, views."""
    return views.groupBy("title_id").agg(F.sum("views").alias("views"))


def view_array(views: pd.DataFrame, titles: Titles) -> Integers:
    """Sum views by title, in the order of `titles`; other titles are left out.

    Args:
        views: title_id and views, in units of 2^-20; a title may occur more than once.
        titles: sorted, distinct.
    """
    sums = np.zeros(len(titles), np.int64)
    places = positions(titles, views["title_id"].to_numpy(np.str_))
    inside = places >= 0
    np.add.at(sums, places[inside], views["views"].to_numpy(np.int64)[inside])
    return sums
