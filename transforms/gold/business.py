"""Success of recommendations by day: ratios over gold.business_day, which holds only sums."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.silver.validity import entries

_SUMMED = ("watch_s", "recommended_watch_s", "recommended_clicks", "recommended_click_ranks")


def recommended_by_date(business_day: DataFrame, catalog: DataFrame) -> DataFrame:
    """Share of viewing, rank of clicks and coverage of the catalogue by recommendations, by date.

    Args:
        business_day: rows of gold.business_day.
        catalog: rows of silver.catalog, a batch DataFrame.

    Returns:
        One row a date over all regions, in order of date: date, UTC; viewing double, the
        recommended share of the time watched, 0 to 1; click_rank double, the mean rank, from 1, of
        recommended clicks; coverage double, the share of the titles in the catalogue at some
        instant of the day that were played from a recommendation. Each is null where its divisor is
        0.
    """
    days = business_day.groupBy("date").agg(
        *(F.sum(name).alias(name) for name in _SUMMED),
        F.flatten(F.collect_list("recommended_titles")).alias("titles"),
    )
    return (
        days.join(_coverage(days, catalog), "date", "left")
        .selectExpr(
            "date",
            "try_divide(recommended_watch_s, watch_s) AS viewing",
            "try_divide(recommended_click_ranks, recommended_clicks) AS click_rank",
            "coverage",
        )
        .orderBy("date")
    )


def _coverage(days: DataFrame, catalog: DataFrame) -> DataFrame:
    """Coverage of the catalogue by date, without the dates on which there was none.

    Args:
        days: date, and titles array of strings, those played from recommendations.
        catalog: rows of silver.catalog, a batch DataFrame.

    Returns:
        date, coverage double, 0 to 1.
    """
    began_before_its_end = F.to_date("valid_from") <= F.col("date")
    ended_after_its_start = F.col("valid_to").isNull() | (
        F.col("valid_to") > F.col("date").cast("timestamp")
    )
    listed = (
        days.select("date")
        .join(entries(catalog), began_before_its_end & ended_after_its_start)
        .select("date", "title_id")
        .distinct()
    )
    played = days.select("date", F.explode("titles").alias("title_id")).distinct()
    both = listed.join(played.withColumn("played", F.lit(1)), ["date", "title_id"], "left")
    return both.groupBy("date").agg((F.count("played") / F.count("*")).alias("coverage"))
