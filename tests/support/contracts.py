"""The contracts of conf/schemas as validators of the jsonschema library: not our own reading."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

SCHEMAS = Path(__file__).resolve().parents[2] / "conf" / "schemas"


@cache
def schema(event_type: str, version: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / event_type / f"{version}.json").read_text(encoding="utf-8"))


@cache
def validator(event_type: str, version: str) -> Draft202012Validator:
    return Draft202012Validator(schema(event_type, version), format_checker=FormatChecker())


def assert_sound(topic: str, key: bytes, value: bytes) -> dict[str, Any]:
    """The event of a record; fails unless it keeps its contract, topic and key included."""
    event = json.loads(value)
    contract = schema(event["eventType"], event["version"])
    validator(event["eventType"], event["version"]).validate(event)
    assert topic in contract["x-topics"]
    assert key == event[contract["x-key"]].encode()
    return event


def assert_in_order(value: bytes) -> None:
    """Fails unless the text is compact and its members are in the contract's order.

    It is what serializers write, and what the pipeline reads fastest.
    """
    event = json.loads(value)
    contract = schema(event["eventType"], event["version"])
    ordered = _ordered(event, contract)
    assert value == json.dumps(ordered, separators=(",", ":")).encode()


def _ordered(value: Any, contract: dict[str, Any]) -> Any:
    if not isinstance(value, dict) or "properties" not in contract:
        return value
    return {
        name: _ordered(value[name], below)
        for name, below in contract["properties"].items()
        if name in value
    }
