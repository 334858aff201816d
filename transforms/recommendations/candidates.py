"""What may be recommended, and how much of it was watched lately."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.gold.fold import Fold, count, evaluate
from transforms.gold.tables import PLAY
from transforms.recommendations.fixed_point import VIEW_ONE, fixed
from transforms.recommendations.histories import Longs, long_column
from transforms.silver.validity import entries

DAY_S = 86_400

CATALOGUE = ("title_id", "name", "content_type", "genres", "regions", "release_date")

VIEWS = Fold(
    name="title_views",
    key={"title_id": "STRING", "date": "DATE", "region": "STRING", "device_type": "STRING"},
    where=PLAY,
    statistics={"views": count(PLAY)},
)


def catalogue(changes: DataFrame) -> DataFrame:
    """The titles that the catalogue holds now; one that was removed is not among them.

    Args:
        changes: rows of silver.catalog.

    Returns:
        title_id, name, content_type, genres, regions (null: everywhere), release_date.
    """
    return entries(changes).where("valid_to IS NULL").select(*CATALOGUE)


def faded_views(facts: DataFrame, *, as_of_s: int, half_life_s: float) -> DataFrame:
    """Views by title, region and device type, faded as `popularity` declares.

    A view counts from the start of its day, UTC, so that a day's views are worth the same.

    Args:
        facts: as the folds read them, none later than `as_of_s`.
        as_of_s: the instant seen from, in seconds since the epoch, UTC.
        half_life_s: in seconds.

    Returns:
        title_id, region, device_type, views (BIGINT, in units of 2^-20 views).
    """

    def worth(days: Longs) -> Longs:
        age_s = as_of_s - DAY_S * days.to_numpy()
        return pd.Series(fixed(2.0 ** (-age_s / half_life_s), VIEW_ONE).tolist())

    day = F.unix_date("date")
    each = long_column(worth)(day)
    return (
        evaluate(VIEWS, facts)
        .withColumn("worth", each)
        .groupBy("title_id", "region", "device_type")
        .agg(F.sum(F.col("views") * F.col("worth")).alias("views"))
    )
