"""The time zone that tests run in, and a guard against local time between playhead and Spark.

Spark gives a timestamp to Python as a naive datetime in the process's zone, and takes a naive one
as such: in the hour in which clocks are set back it then means one of two instants.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql.types import DatetimeConverter, TimestampType

NEW_YORK = "America/New_York"
SECOND_HOUR = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # 01:30 in New York, for the second time
FIRST_HOUR = SECOND_HOUR - timedelta(hours=1)  # 01:30 there, for the first time

HOME = Path(__file__).resolve().parents[2]
OURS = tuple(f"{HOME / folder}/" for folder in ("jobs", "transforms"))
TESTS = f"{HOME / 'tests'}/"


def refuse_local_time() -> None:
    """From now on, code of playhead fails when it exchanges the time of a zone with Spark.

    What a test itself collects is the test's affair.
    """
    collect, send, convert = (
        TimestampType.fromInternal, TimestampType.toInternal, DatetimeConverter.convert
    )  # fmt: skip

    def from_internal(kind: TimestampType, micros: int) -> Any:
        caller = _caller()
        assert caller is None, f"{caller} collects a timestamp -> collect its unix_micros"
        return collect(kind, micros)

    def to_internal(kind: TimestampType, at: datetime) -> Any:
        _refuse_naive(at)
        return send(kind, at)

    def to_java(self: DatetimeConverter, at: datetime, client: Any) -> Any:
        _refuse_naive(at)
        return convert(self, at, client)

    TimestampType.fromInternal = from_internal  # type: ignore[method-assign]
    TimestampType.toInternal = to_internal  # type: ignore[method-assign]
    DatetimeConverter.convert = to_java  # type: ignore[method-assign]


def _refuse_naive(at: datetime | None) -> None:
    if at is not None and at.tzinfo is None:
        caller = _caller()
        assert caller is None, f"{caller} gives Spark {at} without a time zone"


def _caller() -> str | None:
    """The place in playhead's code that called Spark; None if a test did."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OURS):
            return f"{file}:{frame.f_lineno}"
        if file.startswith(TESTS) and file != __file__:
            return None
        frame = frame.f_back  # type: ignore[assignment]
    return None
