"""The guard itself: what a test may do and playhead may not."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from pyspark.sql import SparkSession

from tests.support.local_time import HOME, NEW_YORK, SECOND_HOUR

COLLECTS = """
def collect(rows):
    return rows.collect()

def send(spark, at):
    return spark.createDataFrame([(at,)], "at TIMESTAMP")
"""


def test_playhead_may_not_exchange_the_time_of_a_zone_with_spark(spark: SparkSession) -> None:
    assert time.tzname == ("EST", "EDT"), NEW_YORK
    rows = spark.createDataFrame([(SECOND_HOUR,)], "at TIMESTAMP")
    [(collected,)] = rows.collect()
    assert collected == datetime(2026, 11, 1, 1, 30), "naive: either hour"
    ours: dict = {}
    exec(compile(COLLECTS, str(HOME / "jobs" / "sample.py"), "exec"), ours)
    with pytest.raises(AssertionError, match=r"sample\.py:3 collects a timestamp"):
        ours["collect"](rows)
    with pytest.raises(AssertionError, match=r"sample\.py:6 gives Spark .* without a time zone"):
        ours["send"](spark, collected)
    assert ours["collect"](rows.selectExpr("unix_micros(at)"))
