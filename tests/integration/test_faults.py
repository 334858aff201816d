"""Faults of the place below the lake: one clear message, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.errors import DataError, PlayheadError, ServiceError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.failures import known_failure
from tests.oracles.pipeline import Raw
from tests.support.lakes import deliver, stream
from tests.support.promises import assert_promises
from tests.support.strategies import NOON

SETTINGS = load_settings(environment={})


def test_a_lake_that_cannot_be_written_is_one_error(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match=r"lake\.root"):
        Lake(spark, str(tmp_path / "file" / "lake")).ensure([BRONZE])


def test_a_table_of_another_schema_is_named(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path))
    table = "silver.playback"
    spark.sql("SELECT 1 AS event_id").write.format("delta").save(lake.path(table))
    with (
        pytest.raises(DataError, match=r"silver\.playback .* column 'event_id' is int"),
        folding(lake, SETTINGS.fold, available_now=True),
    ):
        pass


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "playhead", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_and_the_next_run_goes_on(
    spark: SparkSession, small_disk: Path
) -> None:
    lake = Lake(spark, str(small_disk / "lake"))
    lake.ensure()
    records = [Raw("user-interactions", 0, at, b"ann", b"{%d" % at, NOON) for at in range(500)]
    deliver(lake, [records])
    free = os.statvfs(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (free.f_bavail * free.f_frsize - 4096))
    with pytest.raises((PlayheadError, OSError)) as raised:
        stream(lake, SETTINGS)
    assert "disk is full" in str(known_failure(raised.value))
    ballast.unlink()
    stream(lake, SETTINGS)
    assert_promises(lake, SETTINGS, records)
