"""Validation of events before a producer sends them: all violations of a contract, by path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from transforms.contracts.contract import Contract, ContractError, Node
from transforms.contracts.formats import FORMAT_CHECKER
from transforms.contracts.registry import Registry

LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class Violation:
    """One rule that an event breaks.

    Attributes:
        path: JSONPath of the place.
        rule: the contract's keyword, or `json`, `eventType`, `version`, `spelling`.
        message: description, one sentence.
    """

    path: str
    rule: str
    message: str


def validate(event: Any, registry: Registry) -> list[Violation]:
    """Validate an event against the contract that it names.

    Topic, key and clock are not checked here: refine checks them when the event has arrived.

    Args:
        event: value to send, as parsed JSON.
        registry: all contracts.

    Returns:
        The violations; empty if the event may be sent.
    """
    if not isinstance(event, dict):
        return [Violation("$", "type", "an event is a JSON object")]
    try:
        versions = registry.versions(str(event.get("eventType")))
    except ContractError as error:
        return [Violation("$.eventType", "eventType", str(error))]
    known = {contract.version: contract for contract in versions}
    contract = known.get(str(event.get("version")))
    if contract is None:
        reason = f"{event.get('version')!r} is none of {', '.join(known)}"
        return [Violation("$.version", "version", reason)]
    return violations(contract, event)


def violations(contract: Contract, event: Any, *, declared_only: bool = False) -> list[Violation]:
    """Validate an event against a given contract.

    Args:
        contract: the contract.
        event: value to send, as parsed JSON.
        declared_only: whether to refuse undeclared members too. Every reader ignores them, so
            their content would be lost in silence.

    Returns:
        The violations, sorted by path; empty if there are none.
    """
    found = set(_not_json("$", event))
    if not found:  # the library does not handle NaN
        schema = _closed(contract.schema) if declared_only else contract.schema
        validator = Draft202012Validator(schema, format_checker=FORMAT_CHECKER)
        found = {*map(_violation, validator.iter_errors(event)), *_misspelt(contract.root, event)}
    return sorted(found, key=lambda violation: (violation.path, violation.rule, violation.message))


def _violation(error: ValidationError) -> Violation:
    """Convert an error of jsonschema, with its message cut to LONGEST_MESSAGE characters."""
    return Violation(error.json_path, str(error.validator), error.message[:LONGEST_MESSAGE])


def _closed(schema: Any) -> Any:
    """Copy a schema with every object that lists properties closed to undeclared members."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    below = {keyword: _closed(value) for keyword, value in schema.items()}
    is_object = schema.get("type") == "object" and "properties" in schema
    return {"additionalProperties": False, **below} if is_object else below


def _misspelt(node: Node, value: Any) -> Iterator[Violation]:
    """Yield a violation for each member that differs from a declared one in letter case only."""
    if isinstance(value, dict) and node.kind == "object":
        known = {name.lower(): name for name in node.fields}
        for name, below in value.items():
            if name in node.fields:
                yield from _misspelt(node.fields[name], below)
            elif str(name).lower() in known:
                message = f"'{name}' must be spelt '{known[name.lower()]}'"
                yield Violation(f"{node.path}.{name}", "spelling", message)
    if isinstance(value, list) and node.items is not None:
        for below in value:
            yield from _misspelt(node.items, below)


def _not_json(path: str, value: Any) -> Iterator[Violation]:
    """Yield a violation for each value that JSON in UTF-8 cannot represent."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from () if _is_text(name) else _refused(path, "a member's name is no text")
            yield from _not_json(f"{path}.{name}", below)
    elif isinstance(value, list):
        for place, below in enumerate(value):
            yield from _not_json(f"{path}[{place}]", below)
    elif isinstance(value, float) and not math.isfinite(value):
        yield from _refused(path, f"{value} is no JSON number")
    elif isinstance(value, str) and not _is_text(value):
        yield from _refused(path, "half of a surrogate pair is no text")
    elif not isinstance(value, str | int | float | None):
        yield from _refused(path, f"{type(value).__name__} is no JSON type")


def _is_text(value: Any) -> bool:
    """Whether a value is a string without lone surrogates."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _refused(path: str, message: str) -> Iterator[Violation]:
    """Yield one violation of the rule `json`."""
    yield Violation(path, "json", message)
