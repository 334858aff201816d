"""What recommendations came to, by hand-made days of gold.business_day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from transforms.gold.business import recommended_by_date
from transforms.gold.tables import BUSINESS_DAY
from transforms.silver.tables import FAMILIES

CATALOG = FAMILIES["catalog"].columns


def change(title: str, at: datetime, *, removed: bool = False) -> dict[str, Any]:
    where = {"topic": "content-metadata-updates", "partition": 0, "offset": 0}
    of = {"title_id": title, "event_id": f"{title} {at}", "removed": removed}
    return {**of, "event_time": at, "kafka_timestamp": at, **where}


def frame(
    spark: SparkSession, columns: Mapping[str, str], rows: list[Mapping[str, Any]]
) -> DataFrame:
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    return spark.createDataFrame([tuple(row.get(name) for name in columns) for row in rows], ddl)


def day(number: int, region: str, titles: list[str], **sums: int) -> dict[str, Any]:
    empty = dict.fromkeys(BUSINESS_DAY.statistics, 0)
    told = {f"recommended_{name}": value for name, value in sums.items() if name != "all_s"}
    own = {"watch_s": sums.get("all_s", 0), "recommended_titles": titles, "viewers": []}
    return {**empty, **told, **own, "date": date(2026, 9, number), "region": region}


@pytest.fixture(scope="module")
def days(spark: SparkSession) -> dict[int, Any]:
    noon = [datetime(2026, 9, number, 12, tzinfo=UTC) for number in range(1, 9)]
    changes = [
        change("a", noon[0]),
        change("b", noon[0]),
        change("b", noon[3]),  # told again: still one title
        change("c", noon[3]),
        change("d", noon[0]),
        change("d", datetime(2026, 9, 4, tzinfo=UTC), removed=True),  # as the fourth begins
    ]
    rows = [
        day(3, "eu", ["a", "b"], all_s=100, watch_s=30, clicks=3, click_ranks=5),
        day(3, "us", ["b"], all_s=100, watch_s=20, clicks=1, click_ranks=9),
        day(4, "eu", ["a", "never told of"], all_s=50),
        day(5, "eu", [], clicks=2, click_ranks=3),
    ]
    found = recommended_by_date(
        frame(spark, BUSINESS_DAY.columns, rows), frame(spark, CATALOG, changes)
    ).collect()
    assert [row.date.day for row in found] == [3, 4, 5]
    return {row.date.day: row for row in found}


def test_viewing_is_the_recommended_share_of_the_time_of_all_regions(days: dict[int, Any]) -> None:
    assert [days[n].viewing for n in (3, 4, 5)] == [0.25, 0, None]


def test_the_rank_clicked_is_the_mean_over_clicks_and_not_over_regions(
    days: dict[int, Any],
) -> None:
    assert [days[n].click_rank for n in (3, 4, 5)] == [3.5, None, 1.5]


def test_coverage_is_of_the_titles_in_the_catalogue_that_day(days: dict[int, Any]) -> None:
    assert [days[n].coverage for n in (3, 4, 5)] == [2 / 3, 1 / 3, 0]


def test_without_a_catalogue_there_is_no_coverage(spark: SparkSession) -> None:
    rows = frame(spark, BUSINESS_DAY.columns, [day(3, "eu", ["a"], all_s=4, watch_s=1)])
    [row] = recommended_by_date(rows, frame(spark, CATALOG, [])).collect()
    assert (row.viewing, row.coverage) == (0.25, None)
