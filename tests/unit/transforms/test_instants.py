"""An instant of ours is written in one way, whatever its time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from transforms.contracts.formats import is_instant
from transforms.instants import rfc3339

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
