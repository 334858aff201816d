"""An event contract: one JSON Schema 2020-12 document, read once into a tree of typed nodes.

Everything that is derived from a contract (Spark schema, row rules, producer validation,
example, documentation) is derived from this tree. A contract may use a subset of JSON Schema
that a typed row can hold and a Column can check; any other keyword is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["object", "map", "array", "string", "integer", "number", "boolean"]
Schema = Mapping[str, Any]

ENVELOPE = ("eventType", "version", "timestamp", "eventId")
MAX_SAFE_INTEGER = 2**53 - 1

ANNOTATIONS = {"title", "description", "examples", "default", "deprecated", "x-unit"}
DOCUMENT_KEYWORDS = {"$schema", "$id", "$defs", "$comment", "x-topics", "x-key", "x-family"}
CONSTRAINTS: dict[Kind, set[str]] = {
    "object": {"properties", "required"},
    "map": {"additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "const", "minLength", "maxLength", "pattern", "format"},
    "integer": {"enum", "minimum", "maximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": set(),
}
FORMATS = {"date-time", "date"}
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)")


class ContractError(ValueError):
    """A contract file says something that playhead cannot promise to check."""


@dataclass(frozen=True)
class Node:
    """One place in an event: its kind, its constraints and what lies below it.

    Attributes:
        path: JSONPath of the place, `[*]` for any element and `.*` for any member of a map.
        kind: what the value must be; a map is an object whose members share one node.
        nullable: whether JSON null is a value here.
        schema: the JSON Schema of the place with references resolved.
        fields: the known members of an object, by name.
        required: the members that must be there.
        items: the node of an array's elements or of a map's members.
    """

    path: str
    kind: Kind
    nullable: bool
    schema: Schema
    fields: Mapping[str, Node] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Node | None = None

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first, in the order of the file."""
        yield self
        for child in self.fields.values():
            yield from child.walk()
        if self.items is not None:
            yield from self.items.walk()


@dataclass(frozen=True)
class Contract:
    """One version of one event type.

    Args:
        event_type: the folder's name; the `const` of the event's `eventType`.
        version: `major.minor`; the `const` of the event's `version`.
        schema: the JSON Schema document.

    Raises:
        ContractError: the document is not a contract; names the place and the keyword.
    """

    event_type: str
    version: str
    schema: Schema

    def __post_init__(self) -> None:
        self._check_heading()

    @property
    def name(self) -> str:
        """How the contract is called in messages: type and version."""
        return f"{self.event_type} {self.version}"

    @property
    def major_minor(self) -> tuple[int, int]:
        """The version as numbers, in the order of versions."""
        found = VERSION.fullmatch(self.version)
        if found is None:
            raise ContractError(f"{self.name}: a version is major.minor, such as 2.1")
        return int(found[1]), int(found[2])

    @property
    def topics(self) -> tuple[str, ...]:
        """The Kafka topics that may carry the event."""
        return tuple(self.schema["x-topics"])

    @property
    def key(self) -> str:
        """The top-level field whose value is the Kafka key."""
        return str(self.schema["x-key"])

    @property
    def family(self) -> str:
        """The silver table the event belongs to."""
        return str(self.schema["x-family"])

    @cached_property
    def root(self) -> Node:
        """The tree of the whole event, envelope included."""
        return _node(self.schema, self.schema, "$", self.name)

    @cached_property
    def body(self) -> Node:
        """The tree without the envelope: what is particular to the event type."""
        fields = {name: node for name, node in self.root.fields.items() if name not in ENVELOPE}
        return Node(
            self.root.path,
            "object",
            False,
            self.schema,
            fields,
            self.root.required.difference(ENVELOPE),
        )

    def _check_heading(self) -> None:
        missing = {"x-topics", "x-key", "x-family"} - self.schema.keys()
        if missing:
            raise ContractError(f"{self.name}: {', '.join(sorted(missing))} is missing")
        consts = {"eventType": self.event_type, "version": self.version}
        for name, value in consts.items():
            node = self.root.fields.get(name)
            if node is None or node.schema.get("const") != value:
                raise ContractError(f"{self.name}: {name} must be the const '{value}'")
        lacking = {"eventType", "version", "timestamp", self.key} - self.root.required
        if lacking:
            raise ContractError(f"{self.name}: {', '.join(sorted(lacking))} must be required")


def _node(schema: Schema, document: Schema, path: str, name: str) -> Node:
    schema = resolve(schema, document)
    kind, nullable = _kind(schema, f"{name} at {path}")
    _check_keywords(schema, kind, f"{name} at {path}")
    if kind == "object":
        fields = {
            member: _node(below, document, f"{path}.{member}", name)
            for member, below in schema.get("properties", {}).items()
        }
        required = frozenset(schema.get("required", ()))
        if required - fields.keys():
            raise ContractError(f"{name} at {path}: required, but not among the properties")
        return Node(path, kind, nullable, schema, fields, required)
    if kind == "map":
        items = _node(schema["additionalProperties"], document, f"{path}.*", name)
        return Node(path, kind, nullable, schema, items=items)
    if kind == "array":
        items = _node(schema["items"], document, f"{path}[*]", name)
        return Node(path, kind, nullable, schema, items=items)
    return Node(path, kind, nullable, schema)


def resolve(schema: Schema, document: Schema) -> dict[str, Any]:
    """The schema with its local `$ref` replaced by what it names; siblings win.

    Raises:
        ContractError: the reference leads out of the document or nowhere.
    """
    merged = dict(schema)
    while "$ref" in merged:
        reference = merged.pop("$ref")
        target: Any = document
        if not reference.startswith("#/"):
            raise ContractError(f"$ref {reference}: only references within the file are followed")
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part) if isinstance(target, Mapping) else None
        if target is None:
            raise ContractError(f"$ref {reference}: names nothing in the file")
        merged = {**target, **merged}
    return merged


def _kind(schema: Schema, where: str) -> tuple[Kind, bool]:
    declared = schema.get("type", "string" if isinstance(schema.get("const"), str) else None)
    types = [declared] if isinstance(declared, str) else list(declared or [])
    nullable = "null" in types
    types = [name for name in types if name != "null"]
    if len(types) != 1 or types[0] not in CONSTRAINTS:
        raise ContractError(f"{where}: needs one type, found {declared!r}")
    if types[0] == "object" and "additionalProperties" in schema and "properties" not in schema:
        return "map", nullable
    return types[0], nullable


def _check_keywords(schema: Schema, kind: Kind, where: str) -> None:
    allowed = CONSTRAINTS[kind] | ANNOTATIONS | {"type"}
    unknown = schema.keys() - allowed - (DOCUMENT_KEYWORDS if where.endswith("$") else set())
    if unknown:
        raise ContractError(
            f"{where}: {', '.join(sorted(unknown))} not supported for {kind}; "
            f"supported: {', '.join(sorted(CONSTRAINTS[kind]))}"
        )
    if schema.get("format", "date") not in FORMATS:
        raise ContractError(f"{where}: format must be one of {', '.join(sorted(FORMATS))}")
    if kind == "array" and "items" not in schema:
        raise ContractError(f"{where}: an array needs items")
    if kind == "integer" and "enum" not in schema:
        bounds = (schema.get("minimum", "none"), schema.get("maximum", "none"))
        if not all(isinstance(b, int) and abs(b) <= MAX_SAFE_INTEGER for b in bounds):
            raise ContractError(f"{where}: an integer needs minimum and maximum within 2^53 - 1")
