"""kill -9 of the real processes, on a real broker, while events keep arriving: chaos, in short."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.lake.lake import Lake
from tests.e2e.chaos import Chaos, hold_promises


@pytest.mark.slow
def test_jobs_killed_at_random_lose_and_double_nothing(spark: SparkSession, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    mishaps = ("hanging", "aged")
    Chaos(spark, root, 11, 4_000, kills=2, broker_every=2, apart=1, mishaps=mishaps).run()
    hold_promises(Lake(spark, str(root)))
