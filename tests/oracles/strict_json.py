"""Strict reading of events for the oracle: JSON, and contracts compiled to plain functions.

Written from docs/semantics.md, JSON (RFC 8259) and JSON Schema 2020-12 with nothing of playhead's:
the contract files are data. A check returns the reasons why a value is refused, none if it is
sound. All reasons that hold are given, as which of several is named is a matter of taste.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

Check = Callable[[Any], Iterator[str]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-]\d\d):([0-5]\d))", re.ASCII
)
NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
ANNOTATIONS = {"title", "description", "examples", "default", "deprecated"}
WHITESPACE = b" \t\r\n"
LARGEST = 2**20
SAFE = 2**53 - 1
DIGITS = 17
FAR = 400  # a power of ten beyond all that is held
HEADINGS = {"$schema", "$id", "$defs", "$comment"}


class RefusedError(ValueError):
    """The bytes are not one strict JSON document; `reasons` says all that speaks against it."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = frozenset(reasons)


class Written(NamedTuple):
    """A number as it is written: its value, and how many significant digits it has."""

    value: Fraction
    digits: int


def read_json(value: bytes | None) -> Any:
    """The one document in the bytes, its numbers as `Written`.

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
        object_pairs_hook=partial(_object, repeated),
        parse_constant=_no_constant,
        parse_int=_written,
        parse_float=_written,
    )
    try:
        document, end = decoder.raw_decode(text)
        if "\\u" in text:
            json.dumps(plain(document), ensure_ascii=False).encode()
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


def _written(token: str) -> Written:
    whole, fraction, exponent = NUMBER.fullmatch(token).groups("")  # type: ignore[union-attr]
    power = min(max(int(exponent or 0), -FAR - len(token)), FAR + len(token))
    value = int(whole + fraction) * Fraction(10) ** (power - len(fraction))
    return Written(-value if token.startswith("-") else value, len((whole + fraction).strip("0")))


def plain(value: Any) -> Any:
    """A document of `read_json` with its numbers as integers and floats, as readers have them."""
    if isinstance(value, Written):
        whole = value.value.denominator == 1 or abs(value.value) > SAFE
        return int(value.value) if whole else float(value.value)
    if isinstance(value, dict):
        return {name: plain(below) for name, below in value.items()}
    return [plain(below) for below in value] if isinstance(value, list) else value


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
    day, clock, fraction, hours, minutes = found.groups("0")
    since = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC) - EPOCH
    past = timedelta(hours=abs(int(hours)), minutes=int(minutes))
    if past > timedelta(hours=18):
        raise ValueError(text)
    since += past if hours.startswith("-") else -past
    return (since.days * 86_400 + since.seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


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
        elif None not in schema.get("enum", [schema.get("const")]):
            yield "constraint"

    return check


def _has_meaning(keyword: str) -> bool:
    return keyword not in ANNOTATIONS | HEADINGS | {"type"} and not keyword.startswith("x-")


def _types(schema: dict[str, Any]) -> list[str]:
    if "type" not in schema:  # a const is a text in every contract
        return ["string"]
    declared = schema["type"]
    return declared if isinstance(declared, list) else [declared]


def _is_number(value: Any) -> bool:
    if not isinstance(value, Written) or value.digits > DIGITS:
        return False
    return abs(value.value) <= SAFE and (not value.value or float(value.value) != 0)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and value.value.denominator == 1


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


def _fraction(said: float) -> Fraction:
    return Fraction(str(said))


def _in_python(pattern: str) -> str:
    """ECMA's dot and end, which Python takes differently."""
    tokens = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\$|\.", re.DOTALL)
    said = {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}
    return tokens.sub(lambda found: said.get(found[0], found[0]), pattern)


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
    "minimum": lambda said, value: value.value >= _fraction(said),
    "maximum": lambda said, value: value.value <= _fraction(said),
    "exclusiveMinimum": lambda said, value: value.value > _fraction(said),
    "exclusiveMaximum": lambda said, value: value.value < _fraction(said),
    "multipleOf": lambda said, value: value.value % _fraction(said) == 0,
    "minLength": lambda said, value: len(value) >= said,
    "maxLength": lambda said, value: len(value) <= said,
    "pattern": lambda said, value: re.search(_in_python(said), value) is not None,
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
