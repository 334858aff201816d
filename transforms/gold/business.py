"""What recommendations came to each day: ratios over gold.business_day, which holds only sums."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.silver.validity import entries

_SUMMED = ("watch_s", "recommended_watch_s", "recommended_clicks", "recommended_click_ranks")


def recommended_by_date(business_day: DataFrame, catalog: DataFrame) -> DataFrame:
    """Share of viewing, position of clicks and coverage of the catalogue, over all regions.

    Args:
        business_day: rows of gold.business_day.
        catalog: rows of silver.catalog, a batch DataFrame.

    Returns:
        date, UTC; viewing: the share of the time watched that was recommended; click_rank: the
        mean rank of recommended clicks, from 1; coverage: the share of the titles that were in
        the catalogue at some instant of the day which a recommendation made somebody play. A
        double each, null where there is nothing to divide by. In order of date.
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
    """The coverage of each date, of the dates on which there was a catalogue."""
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
