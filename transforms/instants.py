"""Instants as text: the one way in which ours are written in events and rows."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime, timespec: str = "microseconds") -> str:
    """Write an instant in UTC, with Z.

    Args:
        at: the instant; without a time zone it is local time, as Spark collects it.
        timespec: the last unit that is written, as `datetime.isoformat` names it.
    """
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
