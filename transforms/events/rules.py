"""Row rules: what a contract demands of a value that already has the right type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as sf

from transforms.events.contract import Node
from transforms.events.reasons import Reason

Broken = Callable[[Column], Column]

DATE_TIME = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$"
DATE = r"^\d{4}-\d{2}-\d{2}$"


@dataclass(frozen=True)
class Rule:
    """One demand on one place of an event.

    Attributes:
        path: JSONPath of the place.
        keyword: the JSON Schema keyword that demands it.
        reason: the reason code of a record that breaks it.
        broken: from the Column that holds the value to a boolean Column that is true where the
            demand is not met; false or null where it is.
    """

    path: str
    keyword: str
    reason: Reason
    broken: Broken


def rules(node: Node) -> Iterator[Rule]:
    """The rules of a node and of all below it, each as a function of the node's value."""
    for keyword, check in CHECKS.items():
        if keyword in node.schema:
            broken = partial(check, node.schema[keyword])
            yield Rule(node.path, keyword, Reason.CONSTRAINT, broken)
    for name, child in node.fields.items():
        yield from _member_rules(name, child, name in node.required)
    if node.items is not None:
        yield from _item_rules(node.kind, node.items)


def _member_rules(name: str, child: Node, required: bool) -> Iterator[Rule]:
    if required:
        yield Rule(
            child.path,
            "required",
            Reason.MISSING_FIELD,
            lambda value: value.isNotNull() & value[name].isNull(),
        )
    for rule in rules(child):
        yield replace(rule, broken=_of_member(name, rule.broken))


def _item_rules(kind: str, items: Node) -> Iterator[Rule]:
    def elements(value: Column) -> Column:
        return value if kind == "array" else sf.map_values(value)

    if not items.nullable:
        yield Rule(
            items.path,
            "type",
            Reason.WRONG_TYPE,
            lambda value: sf.exists(elements(value), lambda item: item.isNull()),
        )
    for rule in rules(items):
        yield replace(rule, broken=_of_any(elements, rule.broken))


def _of_member(name: str, broken: Broken) -> Broken:
    return lambda value: broken(value[name])


def _of_any(elements: Broken, broken: Broken) -> Broken:
    return lambda value: sf.exists(elements(value), broken)


def _const(expected: Any, value: Column) -> Column:
    return value != sf.lit(expected)


def _enum(allowed: Any, value: Column) -> Column:
    return ~value.isin(allowed)


def _minimum(bound: float, value: Column) -> Column:
    return value < sf.lit(bound)


def _maximum(bound: float, value: Column) -> Column:
    return value > sf.lit(bound)


def _exclusive_minimum(bound: float, value: Column) -> Column:
    return value <= sf.lit(bound)


def _exclusive_maximum(bound: float, value: Column) -> Column:
    return value >= sf.lit(bound)


def _multiple_of(step: float, value: Column) -> Column:
    return value % sf.lit(step) != 0


def _min_length(bound: int, value: Column) -> Column:
    return sf.length(value) < bound


def _max_length(bound: int, value: Column) -> Column:
    return sf.length(value) > bound


def _pattern(pattern: str, value: Column) -> Column:
    return ~value.rlike(pattern)


def _format(name: str, value: Column) -> Column:
    shape, kind = (DATE_TIME, "timestamp") if name == "date-time" else (DATE, "date")
    return ~value.rlike(shape) | (value.isNotNull() & value.try_cast(kind).isNull())


def _min_size(bound: int, value: Column) -> Column:
    return sf.size(value) < bound


def _max_size(bound: int, value: Column) -> Column:
    return sf.size(value) > bound


CHECKS: dict[str, Callable[[Any, Column], Column]] = {
    "const": _const,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
    "minItems": _min_size,
    "maxItems": _max_size,
    "minProperties": _min_size,
    "maxProperties": _max_size,
}
