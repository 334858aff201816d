"""Reasons in words, and the rows of gold.recommendations that hold them."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from transforms.recommendations.columns import (
    LIST_COLUMNS,
    METADATA_COLUMNS,
    SCORED_COLUMNS,
    ddl_of,
)
from transforms.recommendations.fixed_point import SCORE_ONE
from transforms.recommendations.reasons import explain_lists


def test_the_reason_names_the_title_that_says_most_and_the_parts_stay_whole(
    spark: SparkSession,
) -> None:
    kinds = {
        "because": (["named"], "because you watched Named"),
        "resume": (["named"], "continue watching"),
        "regional": ([], "popular in your region"),
        "popular": ([], "popular now"),
    }
    rows: list[tuple[Any, ...]] = [
        ("ada", "eu", kind, 1, "named", SCORE_ONE // 2, kind, because, [3] * len(because),
         [0.5] * len(because), 1, 2, 0)
        for kind, (because, _) in kinds.items()
    ]  # fmt: skip
    gone = ("ada", "eu", "gone", 1, "named", 1, "because", ["gone"], [3], [0.5], 1, 2, 0)
    scored = spark.createDataFrame([*rows, gone], ddl_of(SCORED_COLUMNS))
    metadata = spark.createDataFrame([("named", "Named", ["Drama"], "movie")],
                                     ddl_of(METADATA_COLUMNS))  # fmt: skip
    lists = explain_lists(scored, metadata)
    assert lists.columns == list(LIST_COLUMNS)
    found = {row.context_type: row for row in lists.collect()}
    assert {kind: found[kind].reason for kind in kinds} == {
        k: said for k, (_, said) in kinds.items()
    }
    assert found["gone"].reason == "because you watched gone"
    row = found["because"]
    assert (row.score, row.metadata.name) == (0.5, "Named")
    assert [tuple(part) for part in row.contributions.because] == [("named", 3, 0.5)]
    assert (row.contributions.others, row.contributions.popularity) == (1, 2)
