"""The benchmarks' events are what they are said to be."""

from __future__ import annotations

from statistics import mean

import pytest
from pyspark.sql import SparkSession

from tests.benchmarks.data import reference_events
from tests.benchmarks.recompute_linear import off_line
from tests.support.contracts import assert_in_order, assert_sound

UNTIL_MS = 1_790_000_000_000


def test_reference_events_are_sound_distinct_and_about_700_bytes(spark: SparkSession) -> None:
    rows = reference_events(spark, 1000, users=50, titles=20, until_ms=UNTIL_MS).collect()
    events = [assert_sound("user-interactions", bytes(row.key), bytes(row.value)) for row in rows]
    for row in rows:
        assert_in_order(bytes(row.value))
    assert len({bytes(row.value) for row in rows}) == 1000
    assert len({event["userId"] for event in events}) == 50
    assert len({event["contentInfo"]["titleId"] for event in events}) == 20
    assert 680 < mean(len(row.value) for row in rows) < 720
    assert max(event["timestamp"] for event in events) == "2026-09-21T14:13:20.000Z"


@pytest.mark.parametrize(
    ("seconds", "farthest"),
    [
        ({2: 11.0, 4: 21.0, 8: 41.0}, 0.0),
        ({1: 1.0, 2: 2.0, 3: 6.0}, 1.0),  # the line is 2.5 n - 2, at 1 only .5
    ],
)
def test_the_farthest_from_a_line_is_a_share_of_the_line(
    seconds: dict[int, float], farthest: float
) -> None:
    assert off_line(seconds) == pytest.approx(farthest, abs=1e-12)
