"""Instants outside of Spark: aware datetimes, RFC 3339 text, microseconds since 1970.

Spark hands a timestamp to Python as a naive datetime in the process's time zone, which tells the
hour in which clocks are set back twice. So no timestamp is collected: `unix_micros` of it is, and
`instant_of` makes the instant of that. An aware datetime given to Spark is exact.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def rfc3339(at: datetime, timespec: str = "microseconds") -> str:
    """Format an instant as RFC 3339 text in UTC.

    Args:
        at: instant, an aware datetime.
        timespec: smallest unit written, as named by `datetime.isoformat`.

    Returns:
        Text such as `2026-01-31T12:00:00.000000Z`.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def micros_of(at: datetime) -> int:
    """An instant, an aware datetime, as microseconds since 1970, as Spark's `unix_micros`."""
    return (at - EPOCH) // MICROSECOND


def instant_of(micros: int) -> datetime:
    """Microseconds since 1970 as a datetime in UTC."""
    return EPOCH + micros * MICROSECOND
