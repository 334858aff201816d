"""Validation of events before a producer sends them: all violations of a contract, by path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from transforms.contracts.contract import Contract, ContractError, Node
from transforms.contracts.formats import FORMAT_CHECKER, is_extreme
from transforms.contracts.json_text import MOST_LEVELS, parse_json
from transforms.contracts.numbers import is_held, is_multiple, read_number
from transforms.contracts.patterns import portable
from transforms.contracts.registry import Registry

LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class Violation:
    """One rule that an event breaks.

    Attributes:
        path: JSONPath of the place.
        rule: the contract's keyword, or `json`, `eventType`, `version`, `spelling`, `extreme_time`.
        message: description, one sentence.
    """

    path: str
    rule: str
    message: str


def read_event(text: str) -> Any:
    """Read the text of an event, its numbers exactly as written, as `violations` judges them.

    Args:
        text: one JSON document.

    Returns:
        The document, numbers as from `read_number`.

    Raises:
        MalformedJsonError: it is no JSON as docs/contracts.md defines it.
    """
    return parse_json(text, read_number)


def validate(event: Any, registry: Registry) -> list[Violation]:
    """Validate an event against the contract that it names.

    Topic, key and clock are not checked here: refine checks them when the event has arrived.

    Args:
        event: value to send, as parsed JSON; of `read_event`, numbers are judged as written.
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
    found = set(_not_json(event))
    if not found:  # the library does not handle NaN
        schema = _closed(contract.schema) if declared_only else contract.schema
        validator = ExactValidator(schema, format_checker=FORMAT_CHECKER)
        found = {
            *map(_violation, validator.iter_errors(event)),
            *_misspelt(contract.root, event),
            *_not_held(contract.root, event),
            *_extreme(event),
        }
    return sorted(found, key=lambda violation: (violation.path, violation.rule, violation.message))


def _violation(error: ValidationError) -> Violation:
    """Convert an error of jsonschema, with its message cut to LONGEST_MESSAGE characters."""
    return Violation(error.json_path, str(error.validator), error.message[:LONGEST_MESSAGE])


def _not_multiple(_: Any, step: float, value: Any, __: Any) -> Iterator[ValidationError]:
    """Validate `multipleOf` of the decimals that are written, where the library divides doubles."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if is_number and is_held(value, "number") and not is_multiple(value, step):
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _not_found(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    """Validate `pattern` in ECMA's sense, where the library takes it in Python's."""
    if isinstance(value, str) and not re.search(portable(pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


ExactValidator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"multipleOf": _not_multiple, "pattern": _not_found}
)


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
    elif node.items is not None and isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _misspelt(node.items, below)


def _not_held(node: Node, value: Any, path: str = "$") -> Iterator[Violation]:
    """Yield a violation for each number that the type of its place cannot hold."""
    if isinstance(value, dict):
        for name, below in value.items():
            child = node.fields.get(name, node.items if node.kind == "map" else None)
            if child is not None:
                yield from _not_held(child, below, f"{path}.{name}")
    elif isinstance(value, list) and node.kind == "array" and node.items is not None:
        for place, below in enumerate(value):
            yield from _not_held(node.items, below, f"{path}[{place}]")
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        yield from _number_not_held(node, value, path)


def _number_not_held(node: Node, value: float | Decimal, path: str) -> Iterator[Violation]:
    """Yield a violation if the type of a place takes a number and cannot hold it.

    A fraction is no integer, which the library says.
    """
    is_whole = not isinstance(value, Decimal) and value == int(value)
    takes = node.kind == "number" or (node.kind == "integer" and is_whole)
    if takes and not is_held(value, node.kind):
        message = f"{value!r} cannot be held exactly as {node.kind}"
        yield Violation(path, "type", message[:LONGEST_MESSAGE])


def _extreme(event: Any) -> Iterator[Violation]:
    """Yield a violation if the event's time is one that not every reader of the tables holds."""
    time = event.get("timestamp") if isinstance(event, dict) else None
    if isinstance(time, str) and FORMAT_CHECKER.conforms(time, "date-time") and is_extreme(time):
        message = f"{time} is not in the years 1970 to 2261"
        yield Violation("$.timestamp", "extreme_time", message)


def _not_json(event: Any) -> Iterator[Violation]:
    """Yield a violation for each value that JSON in UTF-8 lacks, or that is nested too deeply."""
    level: list[tuple[str, Any]] = [("$", event)]
    for _ in range(MOST_LEVELS):
        for path, value in level:
            yield from _not_json_here(path, value)
        level = [inner for path, value in level for inner in _inside(path, value)]
    if any(isinstance(value, dict | list) for _, value in level):
        yield Violation("$", "json", f"nested more than {MOST_LEVELS} levels deep")


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the members or items of a value with their paths."""
    if isinstance(value, dict):
        yield from ((f"{path}.{name}", below) for name, below in value.items())
    elif isinstance(value, list):
        yield from ((f"{path}[{place}]", below) for place, below in enumerate(value))


def _not_json_here(path: str, value: Any) -> Iterator[Violation]:
    """Yield a violation if a value is not JSON, what it contains left aside."""
    if isinstance(value, dict):
        if not all(map(_is_text, value)):
            yield Violation(path, "json", "a member's name is no text")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Violation(path, "json", f"{value} is no JSON number")
    elif isinstance(value, str) and not _is_text(value):
        yield Violation(path, "json", "half of a surrogate pair is no text")
    elif not isinstance(value, list | str | int | float | Decimal | None):
        yield Violation(path, "json", f"{type(value).__name__} is no JSON type")


def _is_text(value: Any) -> bool:
    """Whether a value is a string without lone surrogates."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
