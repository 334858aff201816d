"""A producer's check before it sends: everything its contract refuses, by path and rule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from transforms.events.contract import Contract, ContractError, Node
from transforms.events.formats import FORMAT_CHECKER
from transforms.events.registry import Registry


@dataclass(frozen=True)
class Violation:
    """One rule that an event breaks.

    Attributes:
        path: JSONPath of the place.
        rule: the contract's keyword, or `json`, `eventType`, `version`, `spelling`.
        message: a sentence.
    """

    path: str
    rule: str
    message: str


def validate(event: Any, registry: Registry) -> list[Violation]:
    """What is wrong with an event, by the contract that it names; empty if it may be sent.

    Topic, key and the clock are not looked at: refine checks them when the event has arrived.
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


def violations(contract: Contract, event: Any) -> list[Violation]:
    """What a contract refuses in an event, in the order of paths."""
    refused = [
        Violation(error.json_path, str(error.validator), error.message)
        for error in _validator(contract).iter_errors(event)
    ]
    found = {*refused, *_misspelt(contract.root, event), *_not_json("$", event)}
    return sorted(found, key=lambda violation: (violation.path, violation.rule, violation.message))


def _validator(contract: Contract) -> Draft202012Validator:
    return Draft202012Validator(contract.schema, format_checker=FORMAT_CHECKER)


def _misspelt(node: Node, value: Any) -> Iterator[Violation]:
    """Members that a contract knows in other letters, small or capital."""
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
    """Numbers and texts that JSON in UTF-8 cannot carry."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _not_json(f"{path}.{name}", below)
    elif isinstance(value, list):
        for place, below in enumerate(value):
            yield from _not_json(f"{path}[{place}]", below)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Violation(path, "json", f"{value} is no JSON number")
    elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        yield Violation(path, "json", "half of a surrogate pair is no text")
