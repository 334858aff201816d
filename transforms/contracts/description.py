"""A contract as documentation: its fields as rows of a table, and the changes between versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.contracts.contract import Contract, Node
from transforms.contracts.patterns import END

BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "in steps of {}",
    "format": "{}",
    "const": "always {}",
}
SIZES = {"Length": "characters", "Items": "items", "Properties": "members"}


@dataclass(frozen=True)
class FieldRow:
    """One field of a contract, as documentation shows it.

    Attributes:
        path: JSONPath, without the leading `$.`.
        kind: type, with `or null` where null is a valid value.
        required: whether it must be present when its parent is.
        unit: unit of a number; empty if it has none.
        values: values of its enum; empty without one.
        limits: bounds in words; empty without any.
        description: meaning.
        example: JSON text; empty if the contract gives none.
    """

    path: str
    kind: str
    required: bool
    unit: str
    values: tuple[Any, ...]
    limits: str
    description: str
    example: str


def field_rows(contract: Contract) -> tuple[FieldRow, ...]:
    """Describe the fields of a contract, parents first, in the order of the file."""
    return tuple(_rows(contract.root))


def changes(old: Contract, new: Contract) -> tuple[str, ...]:
    """Describe the differences between two versions of a contract.

    Args:
        old: the older version.
        new: the newer version.

    Returns:
        One sentence for each field added, dropped or changed, in this order.
    """
    before, after = ({row.path: row for row in field_rows(c)} for c in (old, new))
    added = [f"{path} was added" for path in after if path not in before]
    dropped = [f"{path} was dropped" for path in before if path not in after]
    both = [path for path in after if path in before and path != "version"]
    said = [text for path in both if (text := _difference(before[path], after[path]))]
    return (*added, *dropped, *said)


def _rows(node: Node) -> Iterator[FieldRow]:
    """Yield the rows of all fields below a node.

    Elements that are scalars have a row of their own.
    """
    for name, below in node.fields.items():
        yield _row(below, required=name in node.required)
        yield from _rows(below)
    if node.items is not None:
        if node.items.kind not in {"object", "array", "map"}:
            yield _row(node.items, required=False)
        yield from _rows(node.items)


def _row(node: Node, *, required: bool) -> FieldRow:
    """Describe one node as a row."""
    schema = node.schema
    examples = schema.get("examples", ())
    return FieldRow(
        path=node.path.removeprefix("$."),
        kind=node.kind + (" or null" if node.nullable and node.lists_null else ""),
        required=required,
        unit=str(schema.get("x-unit", "")),
        values=tuple(_names(schema)),
        limits=_limits(schema),
        description=str(schema.get("description", "")),
        example=json.dumps(examples[0], ensure_ascii=False) if examples else "",
    )


def _limits(schema: Mapping[str, Any]) -> str:
    """Describe the bounds of a schema in words.

    Returns:
        Phrases joined by semicolons; empty without bounds.
    """
    said = [words.format(schema[word]) for word, words in BOUNDS.items() if word in schema]
    said += [size for what, unit in SIZES.items() if (size := _size(schema, what, unit))]
    if "pattern" in schema:
        said.append(f"matches {schema['pattern'].replace(END, '$')}")
    if "enum" in schema:
        said.append("one of " + ", ".join(_names(schema)))
    return "; ".join(said)


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values of `enum`, null as JSON writes it."""
    return ("null" if value is None else str(value) for value in schema.get("enum", ()))


def _size(schema: Mapping[str, Any], what: str, unit: str) -> str:
    """Describe the bounds of a size in words.

    Args:
        schema: JSON Schema of the place.
        what: ending of the keywords: Length, Items or Properties.
        unit: plural of what is counted.

    Returns:
        A phrase; empty without bounds.
    """
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    if most is None:
        return f"{least} {unit} or more" if least else ""
    return f"{least} to {most} {unit}" if least else f"up to {most} {unit}"


def _difference(old: FieldRow, new: FieldRow) -> str:
    """Describe changes of a field's type, unit, limits and requiredness.

    Returns:
        The path and a phrase for each change; empty without any.
    """
    parts = [
        f"{word} {was or 'nothing'} became {now or 'nothing'}"
        for word, was, now in (
            ("type", old.kind, new.kind),
            ("unit", old.unit, new.unit),
            ("limits", old.limits, new.limits),
            ("required", old.required, new.required),
        )
        if was != now
    ]
    return f"{new.path}: {'; '.join(parts)}" if parts else ""
