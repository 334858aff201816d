"""Which dates of a batch are gathered before they are written, and into how many files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.pipeline.ledger import Fate, fates_of
from jobs.runtime.pipeline.scatter import (
    SPARE_FILES,
    Count,
    counts_of,
    gather,
    scattered_dates,
)
from jobs.runtime.streams.query import FEW

DAY = date(2026, 9, 21)
DAYS = 60


def counts(days: int, events: int, tasks: int) -> list[Count]:
    return [Count("playback", None, DAY + timedelta(days), events, tasks) for days in range(days)]


def test_a_stream_that_keeps_up_gathers_nothing() -> None:
    today_and_late_ones = [*counts(1, 300_000, 2), *counts(4, 20, 2)[1:]]
    assert scattered_dates(today_and_late_ones, "playback") == []


def test_rows_that_lie_well_stay_where_they_are() -> None:
    assert scattered_dates(counts(850, 30, 1), "playback") == []
    assert scattered_dates(counts(850, 2 * FEW, 2), "playback") == []


def test_a_backfill_gathers_its_dates_but_not_those_that_fill_their_files() -> None:
    history = counts(850, 30, 2)
    assert scattered_dates(history, "playback") == [count.event_date for count in history]
    assert scattered_dates(history, "ratings") == []
    full = Count("playback", None, DAY - timedelta(1), 5 * FEW, 4)
    assert full.event_date not in scattered_dates([*history, full], "playback")


def test_a_few_needless_files_are_not_worth_a_shuffle() -> None:
    assert scattered_dates(counts(SPARE_FILES, 30, 2), "playback") == []
    assert scattered_dates(counts(SPARE_FILES + 1, 30, 2), "playback") != []


def test_quarantine_has_no_dates() -> None:
    refused = [Count(None, "old_time", None, 50, 16)] * 40
    assert scattered_dates(refused, "silver.quarantine") == []


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> Iterator[DataFrame]:
    """Rows of DAYS dates, each scattered over four tasks; one in ten rejected."""
    rows = (
        spark.range(0, 20 * DAYS, 1, 4)
        .withColumn("rejected", F.col("id") % 10 == 0)
        .select(
            F.when(~F.col("rejected"), "playback").alias("family"),
            F.when(F.col("rejected"), "old_time").alias("reason"),
            F.when(
                ~F.col("rejected"),
                F.lit(datetime(2026, 1, 1)) + F.make_interval(days=F.col("id") % DAYS),
            ).alias("event_time"),
        )
        .persist()
    )
    yield rows
    rows.unpersist()


def test_counts_add_up_to_fates(judged: DataFrame) -> None:
    told = counts_of(judged)
    assert set(fates_of(told)) == {
        Fate(None, "old_time", 2 * DAYS),
        Fate("playback", None, 18 * DAYS),
    }
    assert {count.tasks for count in told if count.family} == {4}


def test_a_backfill_writes_one_file_a_date(judged: DataFrame, tmp_path: Path) -> None:
    silver = judged.where("family IS NOT NULL").select(F.to_date("event_time").alias("event_date"))
    named = silver.withColumn("day", F.col("event_date"))
    dates = scattered_dates(counts_of(judged), "playback")

    def files(rows: DataFrame, folder: str) -> int:
        rows.write.partitionBy("event_date").parquet(str(tmp_path / folder))
        return len(list((tmp_path / folder).rglob("*.parquet")))

    assert files(named, "before") > 2 * len(dates) > 0
    assert files(gather(named, dates), "after") == len(dates)
