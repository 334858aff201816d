"""A contract with a place of each kind at its edges, and what must become of values there.

Whoever judges events, by whatever lane, is held to this table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

TOPIC = "user-interactions"
USER = "ann"
TIME = "2026-09-21T14:00:00Z"
HEAD = f'"eventType":"Measured","version":"1.0","timestamp":"{TIME}","userId":"{USER}"'
FIELDS: dict[str, Any] = {
    "whole": {"type": "integer"},
    "small": {"type": "integer", "minimum": 0, "maximum": 10.0},
    "ratio": {"type": "number", "minimum": 0, "maximum": 100},
    "stars": {"type": "number", "minimum": 0.5, "maximum": 5, "multipleOf": 0.5},
    "open": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "free": {"type": "number"},
    "maybe": {"type": ["string", "null"]},
    "picked": {"type": ["string", "null"], "enum": ["a", "b"]},
    "picked_or_null": {"type": ["string", "null"], "enum": ["a", None]},
    "fixed": {"type": ["string", "null"], "const": "a"},
    "said": {"type": "string", "const": "x"},
    "pair": {"type": "string", "minLength": 2.0, "maxLength": 2.0},
    "line": {"type": "string", "pattern": "^a.c$"},
    "at": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "few": {"type": "array", "items": {"type": "integer"}, "minItems": 1.0, "maxItems": 2},
    "shares": {
        "type": "object",
        "additionalProperties": {"type": "number"},
        "minProperties": 1,
        "maxProperties": 2.0,
    },
}
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "x-topics": [TOPIC],
    "x-key": "userId",
    "x-family": "engagement",
    "type": "object",
    "required": ["eventType", "version", "timestamp", "userId"],
    "properties": {
        "eventType": {"const": "Measured"},
        "version": {"const": "1.0"},
        "timestamp": {"type": "string", "format": "date-time"},
        "userId": {"type": "string"},
        **FIELDS,
    },
}


class Case(NamedTuple):
    """A value as JSON text at a member, and the reason and rule that refuse it; None if sound."""

    member: str
    text: str
    reason: str | None = None
    rule: str | None = None

    @property
    def path(self) -> str | None:
        """JSONPath of the place that is refused."""
        if self.reason is None:
            return None
        inner = {"few": "[*]", "shares": ".*"}.get(self.member) if self.rule == "type" else None
        return f"$.{self.member}{inner or ''}"


def _cases() -> Iterator[Case]:
    for member, texts in SOUND.items():
        yield from (Case(member, text) for text in texts)
    for (member, reason, rule), texts in REFUSED.items():
        yield from (Case(member, text, reason, rule) for text in texts)


LONG = "1" * 40
ZEROS = "0" * 40
SOUND: dict[str, tuple[str, ...]] = {
    "whole": (
        *("2640", "2640.0", "2.64e3", "26400E-1", "-0", "-0.0", "0e5", f"7.{ZEROS}"),
        *("9007199254740991", "-9007199254740991", "9.007199254740991e15", f"0.{ZEROS}e3"),
    ),
    "small": ("10", "10.0", "1e1", "0"),
    "ratio": ("33.333333333333336", "0.30000000000000004", "100", "100.0", "1e2", "1e-7", "0"),
    "stars": ("4.5", "4.50", "45e-1", "5", "5.0", f"4.5{ZEROS}"),
    "open": ("0.5", "1e-30", "5e-324", "0.99999999999999999"),
    "free": ("-1.5", "9007199254740991", "0.1", f"0.1{ZEROS}", "1.2345678901234567e-7", "0.0"),
    "maybe": ("null", '"a"', '""'),
    "picked": ('"a"',),
    "picked_or_null": ('"a"', "null"),
    "fixed": ('"a"',),
    "said": ('"x"',),
    "pair": ('"ab"', '"\\u00e9\\ud83d\\ude00"'),
    "line": ('"abc"', '"a\\u0085c"'),
    "at": (
        *('"2026-09-21T14:00:00Z"', '"2026-09-21t14:00:00z"', '"2026-09-21T14:00:00.5+18:00"'),
        *('"2026-09-21T14:00:00.1234567891234z"', '"0001-01-01T00:00:00Z"'),
        '"9999-12-31T23:59:59-00:00"',
    ),
    "day": ('"2024-02-29"', '"0001-01-01"'),
    "few": ("[1]", "[1.0,2e0]"),
    "shares": ('{"k":0.5}', '{"k":1,"l":2e-1}'),
    "unknown": (LONG, "1e999", f"1.{LONG}e5", "null", '{"deep":1e999}', f"[{LONG}]"),
}
REFUSED: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("whole", "wrong_type", "type"): (
        *("2640.5", "2640.000000000000000000000000001", LONG, f"-{LONG}", "9007199254740992"),
        *("1" * 20, "9.007199254740992e15", "1e999", "1e-400", f"7.{ZEROS}1", f"7.{ZEROS}1e0"),
        *("1.5e0", "null", "true", '"1"', f"1e{'9' * 9}"),
    ),
    ("small", "constraint", "maximum"): ("11", "1.1e1"),
    ("small", "constraint", "minimum"): ("-1", "-1.0"),
    ("small", "wrong_type", "type"): ("10.000000000000000000000000001", "0.5"),
    ("ratio", "wrong_type", "type"): (
        *("99.12345678901234567", "100.00000000000000001", "0.300000000000000044", LONG, "1e999"),
        "1.00000000000000000001e1",
    ),
    ("ratio", "constraint", "maximum"): ("100.5", "100.00000000000001"),
    ("ratio", "constraint", "minimum"): ("-1e-20", "-0.5"),
    ("stars", "wrong_type", "type"): ("4.500000000000000000000001", "4.4999999999999999999e0"),
    ("stars", "constraint", "multipleOf"): ("4.4999999999999999", "4.4999999999999999e0", "4.25"),
    ("stars", "constraint", "maximum"): ("5.0000000000000001", "5.5"),
    ("open", "constraint", "exclusiveMinimum"): ("0", "0.0", "-1"),
    ("open", "constraint", "exclusiveMaximum"): ("1", "1.0", "1e0"),
    ("free", "wrong_type", "type"): (
        *(
            "9007199254740992",
            "9007199254740993",
            "1e23",
            "-1e999",
            "1e-400",
            "0.123456789012345678",
        ),
        f"0.{LONG}",
    ),
    ("picked", "constraint", "enum"): ("null", '"c"'),
    ("picked_or_null", "constraint", "enum"): ('"b"',),
    ("picked", "wrong_type", "type"): ("1",),
    ("fixed", "constraint", "const"): ("null", '"b"'),
    ("said", "constraint", "const"): ('"y"',),
    ("said", "wrong_type", "type"): ("null",),
    ("pair", "constraint", "minLength"): ('"a"',),
    ("pair", "constraint", "maxLength"): ('"abc"',),
    ("line", "constraint", "pattern"): ('"abc\\n"', '"a\\nc"', '"a\\u2028c"'),
    ("at", "constraint", "format"): (
        *('"2026-09-21T14:00:60Z"', '"2026-09-21T24:00:00Z"', '"2026-02-29T14:00:00Z"'),
        *('"2026-09-21T14:00:00+18:01"', '"2026-09-21T14:00:00+0200"', '"2026-09-21 14:00:00Z"'),
        *('"0000-01-01T00:00:00Z"', '"2026-09-21T14:00:00"', '"2026-09-21T14:60:00Z"'),
        *('"2026-09-21T14:00:00+01:60"', '"2026-09-21T14:00:00.Z"', '"2026-09-21T14:00:00Z\\n"'),
    ),
    ("day", "constraint", "format"): ('"2023-02-29"', '"0000-01-01"', '"2024-2-29"'),
    ("few", "constraint", "minItems"): ("[]",),
    ("few", "constraint", "maxItems"): ("[1,2,3]",),
    ("few", "wrong_type", "type"): ("[1.5]", f"[{LONG}]"),
    ("shares", "constraint", "minProperties"): ("{}",),
    ("shares", "constraint", "maxProperties"): ('{"k":1,"l":1,"m":1}',),
    ("shares", "wrong_type", "type"): ('{"k":null}', '{"k":1e999}'),
}
CASES = tuple(_cases())


def texts(case: Case) -> tuple[str, ...]:
    """The event of a case as its lanes may meet it: compact, spaced, and in an order of its own."""
    member = f'"{case.member}":{case.text}'
    spaced = HEAD.replace('","', '", "').replace('":"', '": "')
    return (
        f"{{{HEAD},{member}}}",
        f'{{{spaced}, "{case.member}": {case.text}}}',
        f"{{{member},{HEAD}}}",
    )
