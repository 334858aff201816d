"""RFC 3339 text of instants: the one format in which playhead writes them in events and rows."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime, timespec: str = "microseconds") -> str:
    """Format an instant as RFC 3339 text in UTC.

    Args:
        at: instant; a naive datetime is taken as local time, as Spark collects timestamps.
        timespec: smallest unit written, as named by `datetime.isoformat`.

    Returns:
        Text such as `2026-01-31T12:00:00.000000Z`.
    """
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
