"""Strict reading of events for the oracle: JSON, and contracts compiled to plain functions.

Written from docs/semantics.md, JSON (RFC 8259) and JSON Schema 2020-12 with nothing of playhead's:
the contract files are data. A check returns the reasons why a value is refused, none if it is
sound. All reasons that hold are given, as which of several is named is a matter of taste.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from math import inf
from typing import Any

Check = Callable[[Any], Iterator[str]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00:00)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
ANNOTATIONS = {"title", "description", "examples", "default", "deprecated"}
WHITESPACE = b" \t\r\n"
LARGEST = 2**20
SAFE = 2**53 - 1
HEADINGS = {"$schema", "$id", "$defs", "$comment"}


class RefusedError(ValueError):
    """The bytes are not one strict JSON document; `reasons` says all that speaks against it."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = frozenset(reasons)


def read_json(value: bytes | None) -> Any:
    """The one document in the bytes.

    Raises:
        RefusedError: blank, over `LARGEST` bytes, not UTF-8, not JSON, a key twice in an object,
            NaN or infinity, half of a surrogate pair, or more than one document.
    """
    if not value or not value.strip(WHITESPACE):
        raise RefusedError("empty_value")
    if len(value) > LARGEST:
        raise RefusedError("oversize_value")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise RefusedError("invalid_utf8") from None
    return _document(text.strip(WHITESPACE.decode()))


def _document(text: str) -> Any:
    repeated: list[str] = []
    decoder = json.JSONDecoder(
        object_pairs_hook=partial(_object, repeated), parse_constant=_no_constant
    )
    try:
        document, end = decoder.raw_decode(text)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise RefusedError("malformed_json", *repeated) from None
    against = repeated if isinstance(document, dict) else ["malformed_json"] * len(repeated)
    if end < len(text):
        against = [*against, "malformed_json"]
    if against:
        raise RefusedError(*against)
    return document


def _object(repeated: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        repeated.append("malformed_json")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(name)


def micros(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 instant in UTC; finer digits are cut off.

    Raises:
        ValueError: it is not one.
    """
    found = INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    since = datetime.fromisoformat(found[1]).replace(tzinfo=UTC) - EPOCH
    fraction = (found[2] or "")[:6].ljust(6, "0")
    return (since.days * 86_400 + since.seconds) * 1_000_000 + int(fraction)


def compiled(schema: dict[str, Any]) -> Check:
    """The contract as a function from a value to the reasons that refuse it.

    Raises:
        NotImplementedError: the contract uses a keyword that has no meaning here.
    """
    return _compiled(schema, schema.get("$defs", {}))


def _compiled(schema: dict[str, Any], definitions: dict[str, Any]) -> Check:
    schema = dict(schema)
    while "$ref" in schema:
        name = schema.pop("$ref").removeprefix("#/$defs/")
        schema = {**definitions[name], **schema}
    checks = [_keyword(name, schema, definitions) for name in schema if _has_meaning(name)]
    types = _types(schema)

    def check(value: Any) -> Iterator[str]:
        if not any(TYPES[name](value) for name in types):
            yield "wrong_type"
        elif value is not None:
            for each in checks:
                yield from each(value)

    return check


def _has_meaning(keyword: str) -> bool:
    return keyword not in ANNOTATIONS | HEADINGS | {"type"} and not keyword.startswith("x-")


def _types(schema: dict[str, Any]) -> list[str]:
    if "type" not in schema:  # a const is a text in every contract
        return ["string"]
    declared = schema["type"]
    return declared if isinstance(declared, list) else [declared]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < inf


def _is_integer(value: Any) -> bool:
    return _is_number(value) and value == int(value) and abs(value) <= SAFE


TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": _is_number,
    "integer": _is_integer,
    "null": lambda value: value is None,
}


def _keyword(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> Check:
    said = schema[name]
    if name in HOLDS:
        return partial(_must_hold, HOLDS[name], said)
    if name == "properties":
        return _properties({key: _compiled(below, definitions) for key, below in said.items()})
    if name == "additionalProperties":
        return partial(_each_of, dict.values, _compiled(said, definitions))
    if name == "items":
        return partial(_each_of, iter, _compiled(said, definitions))
    if name == "required":
        return partial(_required, tuple(said))
    raise NotImplementedError(f"the oracle does not know the keyword {name}")


def _is_instant(value: str) -> bool:
    try:
        micros(value)
    except ValueError:
        return False
    return True


def _is_day(value: str) -> bool:
    try:
        return DAY.fullmatch(value) is not None and date.fromisoformat(value) is not None
    except ValueError:
        return False


FORMATS = {"date-time": _is_instant, "date": _is_day}
HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "const": lambda said, value: value == said,
    "enum": lambda said, value: value in said,
    "minimum": lambda said, value: value >= said,
    "maximum": lambda said, value: value <= said,
    "exclusiveMinimum": lambda said, value: value > said,
    "exclusiveMaximum": lambda said, value: value < said,
    "multipleOf": lambda said, value: value % said == 0,
    "minLength": lambda said, value: len(value) >= said,
    "maxLength": lambda said, value: len(value) <= said,
    "pattern": lambda said, value: re.search(said, value) is not None,
    "format": lambda said, value: FORMATS[said](value),
    "minItems": lambda said, value: len(value) >= said,
    "maxItems": lambda said, value: len(value) <= said,
    "minProperties": lambda said, value: len(value) >= said,
    "maxProperties": lambda said, value: len(value) <= said,
}


def _must_hold(holds: Callable[[Any, Any], bool], said: Any, value: Any) -> Iterator[str]:
    if not holds(said, value):
        yield "constraint"


def _properties(checks: dict[str, Check]) -> Check:
    lowered = {name.lower() for name in checks}

    def check(value: dict[str, Any]) -> Iterator[str]:
        for name, member in value.items():
            if name in checks:
                yield from checks[name](member)
            elif name.lower() in lowered:
                yield "wrong_case_key"

    return check


def _each_of(parts: Callable[[Any], Any], check: Check, value: Any) -> Iterator[str]:
    for part in parts(value):
        yield from check(part)


def _required(names: tuple[str, ...], value: dict[str, Any]) -> Iterator[str]:
    if any(name not in value for name in names):
        yield "missing_field"
