"""The reader for analysts: DuckDB, Polars and Spark give what playhead's own reader gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError, PlayheadError, SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.generations import Action, record_action, switch
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.pipeline.gold import append_partials, compact, read_gold
from jobs.runtime.reader import Reader
from tests.support.lakes import MakeLake
from tests.support.shapes import plain_rows
from transforms.gold.facts import FACT_COLUMNS
from transforms.gold.fold import Fold
from transforms.gold.tables import FOLDS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONG = 2**40  # as the numbers of micro-batches are
Rows = list[dict[str, Any]]


def some_facts(spark: SparkSession, part: int) -> DataFrame:
    """Twenty facts; users, titles and instants meet again in other parts."""
    columns = {
        "event_type": "IF(id % 4 = 3, 'UserRatingSubmitted', IF(id % 4 = 0, "
        "'VideoPlaybackCompleted', 'VideoPlaybackStarted'))",
        "event_time": "timestamp_micros(1793000000123456 + id % 7 * 86399999999)",
        "event_id": "concat('event-', id * 37 % 101)",
        "user_id": "concat('user-', id % 3)",
        "title_id": "concat('title-', id % 4)",
        "date": "to_date(event_time)",
        "region": "IF(id % 3 = 0, 'unknown', 'eu')",
        "device_type": "'tablet'",
        "content_type": "IF(id % 5 = 0, NULL, 'movie')",
        "source": "IF(id % 2 = 0, 'recommendation', 'search')",
        "position_s": "IF(id % 4 = 3, NULL, id)",
        "watch_s": "IF(id % 4 = 0, id, NULL)",
        "half_stars": "IF(id % 4 = 3, id % 10, NULL)",
        "rank": "CAST(NULL AS BIGINT)",
        "kafka_timestamp": "event_time",
    }
    assert list(columns) == list(FACT_COLUMNS)
    rows = spark.range(part * 20, part * 20 + 20, 1, 1)
    for name, sql in columns.items():
        rows = rows.withColumn(name, F.expr(f"CAST({sql} AS {FACT_COLUMNS[name]})"))
    return rows.drop("id")


def by_key(rows: Rows, fold: Fold) -> Rows:
    return sorted(rows, key=lambda row: tuple(row[name] for name in fold.key))


def in_micros(value: Any) -> Any:
    """Instants as microseconds since 1970, at any depth."""
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, dict):
        return {name: in_micros(each) for name, each in value.items()}
    return value


def with_duckdb(reader: Reader, **when: Any) -> dict[str, Rows]:
    tables = {name: reader.duckdb(f"gold.{name}", **when).to_arrow_table() for name in FOLDS}
    return {
        name: by_key([in_micros(row) for row in rows.to_pylist()], FOLDS[name])
        for name, rows in tables.items()
    }


def own(lake: Lake) -> dict[str, Rows]:
    return {name: by_key(plain_rows(read_gold(lake, fold)), fold) for name, fold in FOLDS.items()}


@pytest.mark.slow
def test_every_engine_reads_the_same_now_then_and_in_another_generation(
    lakes: MakeLake,
) -> None:
    lake = lakes(Lake)
    first, second, third = (some_facts(lake.spark, part) for part in range(3))
    append_partials(lake, first, Transaction("fold", LONG + 1))
    append_partials(lake, second, Transaction("fold", LONG + 2))
    before_compaction, then = own(lake), datetime.now(UTC)
    compact(lake)
    compacted = lake.version("gold.user_title")
    append_partials(lake, third, Transaction("fold", LONG + 3))
    now, reader = own(lake), Reader(lake.root)

    assert lake.read(PARTIALS).count(), "nothing is pending: the test would not see it ignored"
    assert before_compaction != now
    assert with_duckdb(reader) == now
    assert with_duckdb(reader, at=then) == before_compaction
    changed = reader.commits("gold.user_title")
    assert with_duckdb(reader, at=changed[-1]) == now
    assert not reader.polars("gold.user_title", at=changed[0]).height
    title = FOLDS["user_title"]
    spark = lake.spark
    assert by_key(plain_rows(reader.spark(spark, "gold.user_title")), title) == now["user_title"]
    then_with_spark = reader.spark(spark, "gold.user_title", at=then)
    assert by_key(plain_rows(then_with_spark), title) == before_compaction["user_title"]
    base = reader.polars("gold.user_title", version=compacted)
    assert base.height == len(before_compaction["user_title"])

    other = lake.of_generation(2)
    other.ensure(["gold.user_title", PARTIALS])
    assert reader.names() == Reader(lake.root, 1).names()
    assert Reader(lake.root, 2).polars("gold.user_title").is_empty()
    record_action(lake, 2, Action.BUILDING, bronze_version=0)
    record_action(lake, 2, Action.BUILT)
    switch(lake, 2)
    assert Reader(lake.root).generation == 2
    assert reader.generation == 1, "a reader that was opened stays where it is"


@pytest.mark.parametrize(
    ("table", "when", "kind", "said"),
    [
        ("gold.nobody", {}, SettingsError, r"'gold\.nobody' -> use one of: bronze\.events"),
        ("bronze.events", {"version": 7}, SettingsError, "no version 7 -> the newest is 0"),
        ("bronze.events", {"version": -1}, SettingsError, "no version -1 -> the newest is 0"),
        ("bronze.events", {"at": EPOCH}, SettingsError, "was not there at 1970.* or later"),
        ("bronze.events", {"at": datetime(2026, 1, 1)}, SettingsError, "no time zone"),
        ("bronze.events", {"at": EPOCH, "version": 0}, SettingsError, "give one of them"),
        ("gold.user_day", {}, DataError, r"no gold\.user_day in generation 9 .*jobs\.fold"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    empty_lake: Path, table: str, when: dict[str, Any], kind: type[PlayheadError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        Reader(empty_lake, generation=9).duckdb(table, **when)


def test_a_folder_without_a_lake_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no lake at .* -> name the folder"):
        Reader(tmp_path / "nothing")
