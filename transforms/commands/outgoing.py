"""What a producer owes a contract: events that every reader takes, and one spelling for each.

A producer is held to more than a reader. A reader ignores members that its contract does not
know; sent by a command they would be lost in silence, so here they are violations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from transforms.events.contract import Contract, Node
from transforms.events.formats import FORMAT_CHECKER
from transforms.events.validation import Violation

LONGEST_MESSAGE = 200


def violations(contract: Contract, event: Mapping[str, Any]) -> list[Violation]:
    """How the event breaks the contract, by path; empty if it does not."""
    try:
        json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        return [Violation("$", "json", str(error)[:LONGEST_MESSAGE])]
    validator = Draft202012Validator(_closed(contract.schema), format_checker=FORMAT_CHECKER)
    return sorted(map(_violation, validator.iter_errors(event)), key=lambda found: found.path)


def encode(contract: Contract, event: Mapping[str, Any]) -> bytes:
    """The bytes of an event that keeps its contract: compact ASCII JSON in the contract's order.

    Equal events have equal bytes, whatever order their members came in.
    """
    return json.dumps(_ordered(contract.root, event), separators=(",", ":")).encode()


def _violation(error: ValidationError) -> Violation:
    return Violation(error.json_path, str(error.validator), error.message[:LONGEST_MESSAGE])


def _closed(schema: Any) -> Any:
    """The schema with every object of listed properties closed to others."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    below = {keyword: _closed(value) for keyword, value in schema.items()}
    is_object = schema.get("type") == "object" and "properties" in schema
    return {"additionalProperties": False, **below} if is_object else below


def _ordered(node: Node, value: Any) -> Any:
    if node.items is not None and node.kind == "array":
        return [_ordered(node.items, item) for item in value]
    if node.kind == "object":
        return {
            name: _ordered(below, value[name])
            for name, below in node.fields.items()
            if name in value
        }
    return value
