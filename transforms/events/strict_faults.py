"""The first place where a parsed document breaks its contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from transforms.contracts.contract import Node
from transforms.contracts.formats import is_day, is_instant
from transforms.contracts.numbers import is_held, is_multiple
from transforms.contracts.patterns import portable
from transforms.events.reasons import Reason

ABSENT: Any = object()
Fault = tuple[Reason, str, str]  # reason, JSONPath, keyword


def first_fault(root: Node, document: Any) -> Fault | None:
    """The first place where a document breaks its contract, outer places before inner ones.

    Args:
        root: node of the whole event.
        document: parsed JSON, numbers as from `read_number`.

    Returns:
        Reason, JSONPath and keyword; None if the document satisfies its contract.
    """
    level: list[tuple[Node, Any, bool]] = [(root, document, True)]
    while level:
        for node, value, required in level:
            fault = _fault(node, value, required)
            if fault is not None:
                return fault
        level = [place for node, value, _ in level for place in _places_below(node, value)]
    return None


def elements(value: Any) -> Iterable[Any]:
    """The elements of an array, the members' values of an object; nothing of anything else."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _places_below(node: Node, value: Any) -> Iterator[tuple[Node, Any, bool]]:
    """Yield each place directly below one: its node, its value or ABSENT, and if it is required."""
    if node.items is not None:
        yield from ((node.items, below, True) for below in elements(value))
    elif isinstance(value, dict):
        for name, child in node.fields.items():
            yield child, value.get(name, ABSENT), name in node.required


def _fault(node: Node, value: Any, required: bool) -> Fault | None:
    """The first check that a value fails; None if it passes all."""
    if value is ABSENT:
        return (Reason.MISSING_FIELD, node.path, "required") if required else None
    if value is None and node.nullable:
        unlisted = "const" if "const" in node.schema else "enum"
        return None if node.lists_null else (Reason.CONSTRAINT, node.path, unlisted)
    if not _is_of_kind(node.kind, value):
        return Reason.WRONG_TYPE, node.path, "type"
    if node.kind == "object":
        return _odd_member(node, value)
    broken = (
        name
        for name, holds in CHECKS.items()
        if name in node.schema and not holds(node.schema[name], value)
    )
    rule = next(broken, None)
    return None if rule is None else (Reason.CONSTRAINT, node.path, rule)


def _odd_member(node: Node, value: dict[str, Any]) -> Fault | None:
    """The fault of an object's first undeclared member that is misspelt or not allowed."""
    odd = sorted(value.keys() - node.fields.keys())
    lowered = {name.lower() for name in node.fields}
    for name in odd:
        if name.lower() in lowered:
            return Reason.WRONG_CASE_KEY, f"{node.path}.{name}", "properties"
    if odd and node.closed:
        return Reason.UNKNOWN_FIELD, f"{node.path}.{odd[0]}", "additionalProperties"
    return None


def _is_of_kind(kind: str, value: Any) -> bool:
    """Whether a value is of a kind, a number one that the kind holds."""
    if kind in ("integer", "number"):
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        return is_number and is_held(value, kind)
    return isinstance(value, PYTHON_TYPES[kind])


def _has_format(name: str, text: str) -> bool:
    """Whether a text is of a format."""
    try:
        return FORMATS[name](text)
    except ValueError:
        return False


PYTHON_TYPES = {"object": dict, "map": dict, "array": list, "string": str, "boolean": bool}
FORMATS = {"date-time": is_instant, "date": is_day}
CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "enum": lambda listed, value: value in listed,
    "const": lambda only, value: value == only,
    "minLength": lambda least, value: len(value) >= least,
    "maxLength": lambda most, value: len(value) <= most,
    "pattern": lambda pattern, value: re.search(portable(pattern), value) is not None,
    "format": _has_format,
    "minimum": lambda least, value: value >= least,
    "maximum": lambda most, value: value <= most,
    "exclusiveMinimum": lambda bound, value: value > bound,
    "exclusiveMaximum": lambda bound, value: value < bound,
    "multipleOf": lambda step, value: is_multiple(value, step),
    "minItems": lambda least, value: len(value) >= least,
    "maxItems": lambda most, value: len(value) <= most,
    "minProperties": lambda least, value: len(value) >= least,
    "maxProperties": lambda most, value: len(value) <= most,
}
