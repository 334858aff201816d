"""The reasons for quarantine, a closed list."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Reason code of a quarantined record.

    docs/contracts.md gives the condition of each. Checks run in this order: a record carries the
    first reason that applies.
    """

    EMPTY_VALUE = "empty_value"
    OVERSIZE_VALUE = "oversize_value"
    INVALID_UTF8 = "invalid_utf8"
    MALFORMED_JSON = "malformed_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_TOPIC = "wrong_topic"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    WRONG_CASE_KEY = "wrong_case_key"
    UNKNOWN_FIELD = "unknown_field"
    CONSTRAINT = "constraint"
    WRONG_KEY = "wrong_key"
    EXTREME_TIME = "extreme_time"
    FUTURE_TIME = "future_time"
    OLD_TIME = "old_time"
