"""A second judge, without Spark and without transforms: Python's json and the jsonschema library.

It reads the contract files and docs/contracts.md, nothing else of playhead, and says of a record
what a valid event holds, or None. Tests hold `transforms.events.judge` to it both ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

SCHEMAS = Path(__file__).resolve().parents[2] / "conf" / "schemas"
MOST_BYTES = 2**20
MOST_LEVELS = 999
MOST_NUMBER_CHARACTERS = 1000
MOST_DIGITS = 17
LARGEST = 2**53 - 1
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2261, 12, 31, 23, 59, 59, 999_999, UTC)
DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):([0-5]\d))", re.ASCII
)
FORMATS = FormatChecker(formats=())


@dataclass(frozen=True)
class Record:
    """A Kafka record: what bronze holds of it."""

    value: bytes | None
    key: bytes | None
    topic: str
    arrival: datetime


@dataclass(frozen=True)
class Valid:
    """What a valid event says."""

    event_type: str
    version: str
    event_id: str | None
    time: datetime
    family: str
    event: dict[str, Any]  # its numbers as integers, and fractions as decimals


class InvalidJsonError(ValueError):
    """Not exactly one JSON document as docs/contracts.md defines it."""


def judge(record: Record, *, future_tolerance_s: int, oldest_event_days: int) -> Valid | None:
    """The event of a valid record; None for a record that belongs in quarantine."""
    try:
        event = parse(record.value or b"")
    except (ValueError, RecursionError):
        return None
    schema = _contract(event)
    if schema is None or record.topic not in schema["x-topics"]:
        return None
    if not _validator(schema["$id"]).is_valid(event) or list(wrong_case_keys(event, schema)):
        return None
    if record.key is None or record.key != event[schema["x-key"]].encode():
        return None
    time = instant(event["timestamp"])
    if not FIRST <= time <= LAST:
        return None
    if time > record.arrival + timedelta(seconds=future_tolerance_s):
        return None
    if time < record.arrival - timedelta(days=oldest_event_days):
        return None
    return Valid(
        event["eventType"],
        event["version"],
        event.get("eventId"),
        time,
        schema["x-family"],
        event,
    )


def parse(value: bytes) -> Any:
    """The one JSON document in the bytes, by the strict reading of docs/contracts.md."""
    if len(value) > MOST_BYTES:
        raise InvalidJsonError("oversize")
    document = json.loads(
        value.decode("utf-8"),
        object_pairs_hook=_without_repeats,
        parse_constant=_refuse_constant,
        parse_int=_number,
        parse_float=_number,
    )
    _check_levels_and_strings(document)
    return document


def instant(text: str) -> datetime:
    """An RFC 3339 instant, cut to the microsecond; ValueError if there is no such instant."""
    found = DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, clock, fraction, sign, hours, minutes = found.groups()
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if ahead > timedelta(hours=18):
        raise ValueError(text)
    zone = timezone(-ahead if sign == "-" else ahead)
    micros = int(((fraction or "") + "000000")[:6])
    return datetime.fromisoformat(f"{day}T{clock}").replace(microsecond=micros, tzinfo=zone)


def wrong_case_keys(value: Any, schema: dict[str, Any], document: Any = None) -> Iterator[str]:
    """Keys that are a contract's property but for their case, anywhere."""
    document = document or schema
    while "$ref" in schema:
        schema = document["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        lowered = {name.lower() for name in known}
        for key, below in value.items():
            if key in known:
                yield from wrong_case_keys(below, known[key], document)
            elif key.lower() in lowered:
                yield key
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from wrong_case_keys(item, schema["items"], document)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidJsonError("repeated key")
    return members


def _refuse_constant(name: str) -> None:
    raise InvalidJsonError(name)


def _number(token: str) -> int | Decimal:
    if len(token) > MOST_NUMBER_CHARACTERS:
        raise InvalidJsonError("number too long")
    try:
        number = Decimal(token)
    except InvalidOperation:  # an exponent beyond all bounds
        return Decimal("Infinity")
    fits = number.copy_abs() <= LARGEST and number == number.to_integral_value()
    return int(number) if fits else number


def _is_number(_: object, value: object) -> bool:
    """As docs/contracts.md says which numbers the type holds."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    size = Decimal(value).copy_abs()
    digits = str(size.as_tuple().digits)
    if not size:
        return True
    significant = re.sub(r"\D", "", digits).strip("0")
    return size <= LARGEST and float(size) != 0 and len(significant) <= MOST_DIGITS


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _multiple_of(_: Any, step: float, value: object, __: Any) -> Iterator[ValidationError]:
    if _is_number(None, value) and Decimal(value) % Decimal(str(step)):  # type: ignore[arg-type]
        yield ValidationError("no multiple")


def _pattern(_: Any, pattern: str, value: object, __: Any) -> Iterator[ValidationError]:
    """As ECMA reads it: Python's dot and end take line breaks that ECMA's do not."""
    parts = re.split(r"(\\.|\[(?:\\.|[^\]\\])*\])", pattern)
    parts[::2] = [
        part.replace(".", "[^\n\r\u2028\u2029]").replace("$", r"\Z") for part in parts[::2]
    ]
    if isinstance(value, str) and not re.search("".join(parts), value):
        yield ValidationError("no match")


Exact = extend(
    Draft202012Validator,
    {"multipleOf": _multiple_of, "pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


def _check_levels_and_strings(document: Any) -> None:
    level, depth = [document], 0
    while level:
        depth += 1
        strings = [value for value in level if isinstance(value, str)]
        strings += [key for value in level if isinstance(value, dict) for key in value]
        if any("\ud800" <= character <= "\udfff" for text in strings for character in text):
            raise InvalidJsonError("half a surrogate pair")
        lists = [value for value in level if isinstance(value, list)]
        dicts = [list(value.values()) for value in level if isinstance(value, dict)]
        if lists + dicts and depth > MOST_LEVELS:
            raise InvalidJsonError("too deep")
        level = [below for values in lists + dicts for below in values]


@cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (file.parent.name, file.stem): json.loads(file.read_text())
        for file in SCHEMAS.glob("*/*.json")
    }


def _contract(event: Any) -> dict[str, Any] | None:
    if not isinstance(event, dict):
        return None
    name = event.get("eventType"), event.get("version")
    return _schemas().get(name) if all(isinstance(part, str) for part in name) else None  # type: ignore[arg-type]


@cache
def _validator(identifier: str) -> Any:
    (schema,) = (s for s in _schemas().values() if s["$id"] == identifier)
    return Exact(schema, format_checker=FORMATS)


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(text: object) -> bool:
    return not isinstance(text, str) or instant(text) is not None


@FORMATS.checks("date", raises=ValueError)
def _is_date(text: object) -> bool:
    return not isinstance(text, str) or (
        re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is not None
        and date.fromisoformat(text) is not None
    )
