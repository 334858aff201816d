"""Why a title is listed: the reason in words, and the parts of its score."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.recommendations.columns import LIST_COLUMNS
from transforms.recommendations.fixed_point import SCORE_ONE


def explain_lists(scored: DataFrame, metadata: DataFrame) -> DataFrame:
    """Give each listed title its reason, contributions and metadata.

    Args:
        scored: SCORED_COLUMNS, as `lists.score_lists` returns them.
        metadata: METADATA_COLUMNS of every title on the shelf that may be listed.

    Returns:
        LIST_COLUMNS.
    """
    names = F.broadcast(metadata)
    because = names.select(F.col("title_id").alias("first"), F.col("name").alias("first_name"))
    rows = (
        scored.withColumn("first", F.expr("get(because, 0)"))
        .join(F.broadcast(because), "first", "left")
        .join(names, "title_id")
    )
    return rows.select(
        "user_id",
        "context_type",
        "rank",
        "title_id",
        (F.col("units") / F.lit(float(SCORE_ONE))).alias("score"),
        "units",
        reason().alias("reason"),
        contributions().alias("contributions"),
        F.struct("name", "genres", "content_type").alias("metadata"),
    ).select(*(F.col(name).cast(ddl).alias(name) for name, ddl in LIST_COLUMNS.items()))


def reason() -> Column:
    """The reason of a scored title in words; `first` and `first_name` are its largest part's."""
    return (
        F.when(F.col("kind") == "resume", F.lit("continue watching"))
        .when(
            F.col("kind") == "because",
            F.concat(F.lit("because you watched "), F.coalesce("first_name", "first")),
        )
        .when(F.col("kind") == "regional", F.lit("popular in your region"))
        .otherwise(F.lit("popular now"))
    )


def contributions() -> Column:
    """The parts that a scored title's units are the sum of, as LIST_COLUMNS declare them."""
    parts = F.expr(
        "transform(because, (title, i) -> named_struct('title_id', title, 'units', "
        "because_units[i], 'share', because_shares[i]))"
    )
    return F.struct(parts.alias("because"), "others", "popularity", "resume")
