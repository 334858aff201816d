"""String formats as assertions, stricter than the jsonschema library's own checks.

An instant or a day must exist on the calendar, as docs/contracts.md says.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from jsonschema import FormatChecker

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:(?:0\d|1[0-7]):[0-5]\d|18:00))",
    re.ASCII,
)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2262, 1, 1, tzinfo=UTC)  # exclusive; pandas counts nanoseconds in 64 bits
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

# for Java and Python: texts of each format that exist on the calendar, written in the usual way;
# February 29 is left to the calendar
_DATE = (
    "[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
USUAL = {
    "date": _DATE,
    "date-time": _DATE + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?+Z",
}

# formats that the library checks without further packages
PLAIN = ("email", "ipv4", "ipv6", "uuid")
FORMAT_CHECKER = FormatChecker(PLAIN)


@FORMAT_CHECKER.checks("date-time", raises=ValueError)
def is_instant(value: object) -> bool:
    """Check that a text is an RFC 3339 date-time that exists on the calendar.

    Args:
        value: any JSON value.

    Returns:
        True if it is, or if the value is no string; False for other texts, leap seconds and offsets
        over 18 hours included, which Spark has no instant for.

    Raises:
        ValueError: the shape is right, but the date does not exist; jsonschema takes it as False.
    """
    if not isinstance(value, str):
        return True
    found = INSTANT.fullmatch(value)
    return found is not None and bool(datetime.fromisoformat(f"{found[1]}T{found[2]}"))


def is_extreme(instant: str) -> bool:
    """Whether not every reader of the tables holds an instant as an event time.

    Args:
        instant: text that `is_instant`.
    """
    return not EARLIEST <= datetime.fromisoformat(instant.upper()) < LATEST


@FORMAT_CHECKER.checks("date", raises=ValueError)
def is_day(value: object) -> bool:
    """Check that a text is an RFC 3339 full-date that exists on the calendar.

    Args:
        value: any JSON value.

    Returns:
        True if it is, or if the value is no string; False for other texts.

    Raises:
        ValueError: the shape is right, but the date does not exist; jsonschema takes it as False.
    """
    return not isinstance(value, str) or (
        DAY.fullmatch(value) is not None and bool(date.fromisoformat(value))
    )
