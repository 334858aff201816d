"""String formats as assertions, stricter than the jsonschema library's own checks.

An instant or a day must exist on the calendar, as docs/semantics.md says of event times.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from jsonschema import FormatChecker

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

# formats that the library checks without further packages
PLAIN = ("email", "ipv4", "ipv6", "uuid")
FORMAT_CHECKER = FormatChecker(PLAIN)


@FORMAT_CHECKER.checks("date-time", raises=ValueError)
def is_instant(value: object) -> bool:
    """Check that a text is an RFC 3339 date-time that exists on the calendar.

    Args:
        value: any JSON value.

    Returns:
        True if it is, or if the value is no string; False for other texts, leap seconds included.

    Raises:
        ValueError: the shape is right, but the date does not exist; jsonschema takes it as False.
    """
    if not isinstance(value, str):
        return True
    found = INSTANT.fullmatch(value)
    return found is not None and bool(datetime.fromisoformat(f"{found[1]}T{found[2]}"))


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
