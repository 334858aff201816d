"""A commit is made once: whoever repeats it, overtakes it, or lost the note beside the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake import delta_commits
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import LEDGER, TABLES
from tests.support.lakes import MakeLake

FIRST, SECOND = Transaction("test", 0), Transaction("test", 1)
FIRST_START = Transaction("test-start", 1)


@pytest.fixture
def lake(lakes: MakeLake) -> Lake:
    lake = lakes(Lake)
    lake.append(LEDGER, told(lake, 1), FIRST)
    return lake


def told(lake: Lake, sequence: int) -> DataFrame:
    row = (sequence, "arrived", None, 10, datetime(2026, 9, 21, tzinfo=UTC))
    return lake.spark.createDataFrame([row], TABLES[LEDGER].schema)


def sequences(lake: Lake) -> list[int]:
    return sorted(row[0] for row in lake.read(LEDGER).select("sequence").collect())


def test_a_transaction_appends_once_and_an_older_one_never(lake: Lake) -> None:
    lake.append(LEDGER, told(lake, 2), FIRST)
    assert sequences(lake) == [1], "a repeated transaction was counted twice"

    lake.append(LEDGER, told(lake, 2), SECOND)
    lake.append(LEDGER, told(lake, 3), FIRST)
    assert sequences(lake) == [1, 2], "a transaction older than the last was counted"
    assert lake.transaction(LEDGER, "test") == (lake.version(LEDGER), 1)
    assert lake.transaction(LEDGER, "another")[1] is None


def test_applications_do_not_see_each_others_transactions(lake: Lake) -> None:
    lake.append(LEDGER, told(lake, 2), Transaction("another", 0))
    assert sequences(lake) == [1, 2], "another application's transaction hid this one"


def test_without_a_checksum_the_log_is_asked(lake: Lake) -> None:
    for checksum in Path(lake.path(LEDGER), "_delta_log").glob("*.crc"):
        checksum.unlink()
    lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    assert not lake._snapshot(LEDGER).checksumOpt().isDefined()

    lake.append(LEDGER, told(lake, 2), FIRST)
    assert sequences(lake) == [1], "a killed writer left no checksum: its commit was repeated"


def test_a_stream_that_starts_behind_a_table_reads_only_what_follows(lake: Lake) -> None:
    start = lake.stream_start(LEDGER, FIRST_START)
    assert lake.stream_start(LEDGER, FIRST_START) == start, "a repeated start committed once more"
    lake.append(LEDGER, told(lake, 2), SECOND)
    stream = lake.stream(LEDGER, from_version=start, max_bytes="1g").select("sequence")
    query = stream.writeStream.format("memory").queryName("behind").trigger(availableNow=True)
    query.start().awaitTermination()
    assert [row[0] for row in lake.spark.table("behind").collect()] == [2]


def test_a_table_as_it_was_created_needs_no_commit_to_start_behind(lakes: MakeLake) -> None:
    assert lakes(Lake).stream_start(LEDGER, FIRST_START) == 0


@dataclass
class Overtaken:
    """A table's log in which somebody commits while a transaction is open."""

    log: Any
    overtake: Callable[[], None]

    def startTransaction(self, *arguments: Any) -> Any:  # noqa: N802, Delta's name
        transaction = self.log.startTransaction(*arguments)
        self.overtake()
        return transaction


def test_of_two_writers_of_one_transaction_one_fails(lake: Lake) -> None:
    log = Overtaken(lake._log(LEDGER), lambda: lake.append(LEDGER, told(lake, 2), SECOND))
    with pytest.raises(Exception, match="DELTA_CONCURRENT_TRANSACTION"):
        delta_commits.append(log, told(lake, 3), SECOND)
    assert sequences(lake) == [1, 2], "two writers committed the same transaction"


def test_a_writer_that_is_overtaken_by_another_application_commits(lake: Lake) -> None:
    another = Transaction("another", 0)
    log = Overtaken(lake._log(LEDGER), lambda: lake.append(LEDGER, told(lake, 2), another))
    delta_commits.append(log, told(lake, 3), SECOND)
    assert sequences(lake) == [1, 2, 3], "a commit beside another was lost"


def test_rows_that_are_not_the_tables_are_refused(lake: Lake) -> None:
    for wrong in (
        told(lake, 2).drop("detail"),
        told(lake, 2).withColumn("more", F.lit(1)),
        told(lake, 2).withColumn("sequence", F.col("sequence").cast("string")),
    ):
        with pytest.raises(ValueError, match=r"ops.ledger takes struct<sequence:bigint"):
            lake.append(LEDGER, wrong, SECOND)
    assert sequences(lake) == [1]


def test_a_table_without_rows_is_replaced_once_as_any_other(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    lake.replace(LEDGER, told(lake, 1), FIRST)
    lake.replace(LEDGER, told(lake, 2), FIRST)
    assert sequences(lake) == [1], "a repeated transaction replaced the table again"
    lake.replace(LEDGER, told(lake, 3), SECOND)
    assert sequences(lake) == [3], "what was replaced is still there"
