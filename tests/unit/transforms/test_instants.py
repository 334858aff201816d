"""An instant of ours is written in one way, whatever its time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.support.local_time import FIRST_HOUR, SECOND_HOUR
from transforms.contracts.formats import is_instant
from transforms.instants import instant_of, micros_of, rfc3339

NOON = datetime(2026, 9, 21, 12, 0, 0, 70, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timespec", "text"),
    [
        ("microseconds", "2026-09-21T12:00:00.000070Z"),
        ("milliseconds", "2026-09-21T12:00:00.000Z"),
        ("seconds", "2026-09-21T12:00:00Z"),
    ],
)
@pytest.mark.parametrize("hours", [-9, 0, 2])
def test_an_instant_is_in_utc_with_z(hours: int, timespec: str, text: str) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=hours)))
    assert rfc3339(elsewhere, timespec) == text
    assert is_instant(text)
    assert datetime.fromisoformat(rfc3339(elsewhere)) == NOON


def test_local_time_is_no_instant() -> None:
    with pytest.raises(ValueError, match="2026-11-01 01:30:00 has no time zone"):
        rfc3339(datetime(2026, 11, 1, 1, 30))


@pytest.mark.parametrize(
    "at", [NOON, datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
@pytest.mark.parametrize("hours", [-9, 0, 2])
def test_an_instant_is_its_microseconds(hours: int, at: datetime) -> None:
    elsewhere = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert instant_of(micros_of(at)) == at
    assert micros_of(elsewhere) == micros_of(at) - hours * 3_600_000_000


def test_spark_and_python_count_the_same_microseconds(spark: SparkSession) -> None:
    instants = [FIRST_HOUR, SECOND_HOUR, NOON, datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)]
    frame = spark.createDataFrame([(at,) for at in instants], "at TIMESTAMP")
    sent = [row[0] for row in frame.select(F.unix_micros("at")).collect()]
    literals = spark.range(1).select(*(F.unix_micros(F.lit(at)) for at in instants)).collect()
    assert sent == list(literals[0]) == [micros_of(at) for at in instants]
