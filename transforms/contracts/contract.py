"""An event contract: one JSON Schema 2020-12 document, parsed once into a tree of typed nodes.

Everything that is derived from a contract (Spark schema, row rules, producer validation,
example, documentation) is derived from this tree. A contract may use a subset of JSON Schema
that a typed row can hold and a Column can check; any other keyword is refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

Kind = Literal["object", "map", "array", "string", "integer", "number", "boolean"]
Schema = Mapping[str, Any]

HEADING = ("eventType", "version")
MAX_SAFE_INTEGER = 2**53 - 1
HALF = 0.5  # the mantissa of a power of two

ANNOTATIONS = {"$comment", "title", "description", "examples", "default", "deprecated", "type"}
DOCUMENT_KEYWORDS = {"$schema", "$id", "$defs"}
CONSTRAINTS: dict[Kind, set[str]] = {
    "object": {"properties", "required", "additionalProperties"},
    "map": {"additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "const", "minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": set(),
}
FORMATS = {"date-time", "date"}
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# same meaning in ECMA, Java and Python: no classes by letter, look-around or back-references
PORTABLE_PATTERN = re.compile(r"(?:[^\\(]|\\[^A-Za-z0-9]|\((?!\?)|\(\?:)*(?:\(\?!\[\\s\\S\]\))?")
END = r"(?![\s\S])"  # end of a text in a pattern, as $ in ECMA
LINE_END = re.compile(r"(?<!\\)\$$")  # in Java and Python also matches before a final line break
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)")


class ContractError(ValueError):
    """A contract is invalid, does not exist, or uses JSON Schema that playhead cannot check."""


@dataclass(frozen=True)
class Node:
    """One place in an event: its kind, its constraints and the nodes below it.

    Attributes:
        path: JSONPath of the place, `[*]` for any element and `.*` for any member of a map.
        kind: kind of value; a map is an object whose members share one node.
        nullable: whether JSON null is a valid value.
        schema: JSON Schema of the place with references resolved.
        fields: known members of an object, by name, in the order of the file.
        required: names of an object's required members.
        closed: whether an object may have no other members.
        items: node of an array's elements or of a map's members; None for other kinds.
    """

    path: str
    kind: Kind
    nullable: bool
    schema: Schema
    fields: Mapping[str, Node] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    closed: bool = False
    items: Node | None = None

    @property
    def listed(self) -> list[str] | None:
        """Values that a string is limited to by `const` or `enum`.

        Returns:
            The values; None if the contract lists none.
        """
        if "const" in self.schema:
            return [self.schema["const"]]
        return list(self.schema["enum"]) if "enum" in self.schema else None

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, parents first, in the order of the file."""
        yield self
        for child in self.fields.values():
            yield from child.walk()
        if self.items is not None:
            yield from self.items.walk()


@dataclass(frozen=True)
class Contract:
    """One version of one event type.

    Args:
        event_type: event type, the folder's name; the `const` of the event's `eventType`.
        version: version, `major.minor`; the `const` of the event's `version`.
        schema: JSON Schema document.

    Raises:
        ContractError: the document is not a contract; the message names the place and the keyword.
    """

    event_type: str
    version: str
    schema: Schema

    def __post_init__(self) -> None:
        self._check_heading()
        self._check_names()

    @property
    def name(self) -> str:
        """Event type and version, separated by a space, as messages name the contract."""
        return f"{self.event_type} {self.version}"

    @property
    def major_minor(self) -> tuple[int, int]:
        """The version as two numbers, which sort as versions do.

        Raises:
            ContractError: the version is not `major.minor`.
        """
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
        """Name of the top-level field whose value is the Kafka key."""
        return str(self.schema["x-key"])

    @property
    def family(self) -> str:
        """Name of the event's silver family."""
        return str(self.schema["x-family"])

    @cached_property
    def root(self) -> Node:
        """Tree of the whole event, envelope included."""
        return _node(self.schema, self.schema, "$", self.name)

    @cached_property
    def body(self) -> Node:
        """Tree of the event without eventType and version, which the contract's name implies."""
        fields = {name: node for name, node in self.root.fields.items() if name not in HEADING}
        return replace(self.root, fields=fields, required=self.root.required.difference(HEADING))

    def _check_heading(self) -> None:
        """Refuse missing x- keywords, wrong constants and optional fields of the envelope.

        Raises:
            ContractError: a rule is broken.
        """
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

    def _check_names(self) -> None:
        """Refuse a timestamp, eventId or key that cannot serve as such.

        Raises:
            ContractError: one of them is no string, the key is a constant, or eventId may be empty.
        """
        if self.key in HEADING:
            raise ContractError(f"{self.name}: x-key must name a field that varies, not {self.key}")
        for name in ("timestamp", "eventId", self.key):
            if name in self.root.fields and self.root.fields[name].kind != "string":
                raise ContractError(f"{self.name}: {name} must be a string")
        if "eventId" in self.root.fields and not self.root.fields["eventId"].schema.get(
            "minLength"
        ):
            raise ContractError(f"{self.name}: eventId must have a minLength of 1 or more")


def _node(schema: Schema, document: Schema, path: str, where: str) -> Node:
    """Parse a schema, and all below it, into a node.

    Args:
        schema: JSON Schema of the place.
        document: the whole document, in which references are resolved.
        path: JSONPath of the place.
        where: name of the contract, for messages.

    Raises:
        ContractError: the schema is outside of the supported subset.
    """
    schema = resolve(schema, document)
    here = f"{where} at {path}"
    kind, nullable = _kind(schema, here)
    _check_keywords(schema, kind, here, DOCUMENT_KEYWORDS if schema is document else set())
    node = Node(path, kind, nullable, schema)
    if kind == "object":
        return _object(node, document, where, here)
    if kind == "map":
        below = _node(schema["additionalProperties"], document, f"{path}.*", where)
        return replace(node, items=below)
    if kind == "array":
        if "items" not in schema:
            raise ContractError(f"{here}: an array needs items")
        return replace(node, items=_node(schema["items"], document, f"{path}[*]", where))
    if kind == "string":
        _check_string(schema, here)
    return node


def _object(node: Node, document: Schema, where: str, here: str) -> Node:
    """Complete a node of kind object with its fields.

    Args:
        node: node without fields.
        document: the whole document, in which references are resolved.
        where: name of the contract, for messages.
        here: name of the contract and path of the place, for messages.

    Raises:
        ContractError: no properties, an unknown required one, or names that cannot be columns.
    """
    members = node.schema.get("properties", {})
    required = frozenset(node.schema.get("required", ()))
    closed = node.schema.get("additionalProperties", True) is False
    if not members:
        raise ContractError(f"{here}: an object needs properties or additionalProperties")
    if required - members.keys():
        raise ContractError(f"{here}: required, but not among the properties")
    odd = [name for name in members if not FIELD_NAME.fullmatch(name)]
    if odd:
        raise ContractError(f"{here}: '{odd[0]}' cannot be a column's name")
    if len({name.lower() for name in members}) < len(members):
        raise ContractError(f"{here}: two properties differ only in case")
    fields = {
        name: _node(below, document, f"{node.path}.{name}", where)
        for name, below in members.items()
    }
    return replace(node, fields=fields, required=required, closed=closed)


def resolve(schema: Schema, document: Schema) -> Schema:
    """Replace the local `$ref` of a schema by its target, under the keywords beside it.

    Args:
        schema: JSON Schema, with or without `$ref`.
        document: the document that references point into.

    Returns:
        The schema without `$ref`; where target and schema share a keyword, the schema's own value.

    Raises:
        ContractError: the reference is not local, points to nothing or is circular.
    """
    seen: set[str] = set()
    while "$ref" in schema:
        reference = schema["$ref"]
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part) if isinstance(target, Mapping) else None
        if target is None or not reference.startswith("#/") or reference in seen:
            raise ContractError(f"$ref {reference}: names nothing in the file")
        seen.add(reference)
        siblings = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = {**target, **siblings}
    return schema


def _kind(schema: Schema, here: str) -> tuple[Kind, bool]:
    """Determine the kind of a schema.

    Returns:
        The kind, and whether null is a valid value.

    Raises:
        ContractError: the schema does not declare one supported type besides null.
    """
    declared = schema.get("type", "string" if isinstance(schema.get("const"), str) else None)
    types = [declared] if isinstance(declared, str) else list(declared or [])
    nullable = "null" in types
    types = [name for name in types if name != "null"]
    if len(types) != 1 or types[0] not in CONSTRAINTS:
        raise ContractError(f"{here}: needs one type, found {declared!r}")
    if types[0] == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return "map", nullable
    return types[0], nullable


def _check_keywords(schema: Schema, kind: Kind, here: str, more: set[str]) -> None:
    """Refuse unsupported keywords and steps.

    Args:
        schema: JSON Schema of the place.
        kind: its kind.
        here: name of the contract and path of the place, for messages.
        more: further keywords that are allowed here.

    Raises:
        ContractError: a keyword is unsupported, or multipleOf neither whole nor a power of two.
    """
    known = CONSTRAINTS[kind] | ANNOTATIONS | more
    unknown = sorted(k for k in schema if k not in known and not k.startswith("x-"))
    if unknown:
        raise ContractError(
            f"{here}: {', '.join(unknown)} is not supported for {kind}; "
            f"supported: {', '.join(sorted(CONSTRAINTS[kind])) or 'nothing'}"
        )
    step = schema.get("multipleOf", 1)
    if step <= 0 or not (float(step).is_integer() or math.frexp(step)[0] == HALF):
        raise ContractError(f"{here}: multipleOf must be whole or a power of two")


def _check_string(schema: Schema, here: str) -> None:
    """Refuse constraints of a string that cannot be checked alike everywhere.

    Raises:
        ContractError: enum, format or pattern is outside of the supported subset.
    """
    if "enum" in schema and schema.keys() & (CONSTRAINTS["string"] - {"enum"}):
        raise ContractError(f"{here}: enum says all; drop the other constraints")
    if not all(isinstance(value, str) for value in schema.get("enum", ())):
        raise ContractError(f"{here}: enum must list strings")
    if schema.get("format", "date") not in FORMATS:
        raise ContractError(f"{here}: format must be one of {', '.join(sorted(FORMATS))}")
    if not PORTABLE_PATTERN.fullmatch(schema.get("pattern", "")):
        raise ContractError(
            f"{here}: a pattern may use character classes in brackets, groups and repetition; "
            "no escapes of letters or digits, look-around or back-references"
        )
