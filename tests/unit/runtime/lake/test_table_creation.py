"""Creating tables is safe among jobs that start at once, and behind one that was killed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.lake import table_creation
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, GENERATIONS, LEDGER, QUALITY
from tests.support.lakes import CrashError

SOME = [BRONZE, LEDGER, QUALITY, GENERATIONS]


def test_a_table_whose_creation_was_killed_does_not_exist_and_is_created(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path))
    Path(lake.path(LEDGER), "_delta_log").mkdir(parents=True)
    assert not lake.has(LEDGER)
    lake.ensure([LEDGER])
    assert lake.has(LEDGER)


def test_jobs_that_start_at_once_on_a_new_lake_create_its_tables_one_after_the_other(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating, most = [], []
    create: Callable[..., None] = table_creation._create

    def watched(tables: Lake, table: str) -> None:
        creating.append(table)
        most.append(creating.count(table))
        create(tables, table)
        creating.remove(table)

    monkeypatch.setattr(table_creation, "_create", watched)

    def start(_: int) -> None:
        Lake(spark.newSession(), str(tmp_path)).ensure(SOME)

    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(start, range(3)))
    assert max(most) == 1, "two jobs created one table at once"
    assert len(most) == len(SOME), "a table was created twice"


def test_who_dies_while_creating_leaves_the_lock_to_the_next(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise CrashError

    lake = Lake(spark, str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(table_creation, "_create", die)
        with pytest.raises(CrashError):
            lake.ensure([LEDGER])
    lake.ensure([LEDGER])
    assert lake.has(LEDGER)
