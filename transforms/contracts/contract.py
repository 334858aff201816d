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

from transforms.contracts.meta_schema import schema_fault
from transforms.contracts.patterns import PatternError, portable

Kind = Literal["object", "map", "array", "string", "integer", "number", "boolean"]
Schema = Mapping[str, Any]

HEADING = ("eventType", "version")
SIZES = ("Length", "Items", "Properties")  # of keywords, behind min and max
LARGEST_SIZE = 2**31 - 1
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
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)")


class ContractError(ValueError):
    """A contract is invalid, does not exist, or uses JSON Schema that playhead cannot check.

    Attributes:
        file: path of the contract's file in the folder of contracts; empty without one.
    """

    file = ""


@dataclass(frozen=True)
class Node:
    """One place in an event: its kind, its constraints and the nodes below it.

    Attributes:
        path: JSONPath of the place, `[*]` for any element and `.*` for any member of a map.
        kind: kind of value; a map is an object whose members share one node.
        nullable: whether JSON null is of a type that is allowed here.
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
        """Strings that a string is limited to by `const` or `enum`.

        Returns:
            The strings, without null; None if the contract lists none.
        """
        if not self.schema.keys() & {"const", "enum"}:
            return None
        return [value for value in _listed(self.schema) if value is not None]

    @property
    def pattern(self) -> str | None:
        """Pattern of a string as Java and Python read it; None if the contract has none."""
        return portable(self.schema["pattern"]) if "pattern" in self.schema else None

    @property
    def lists_null(self) -> bool:
        """Whether `const` and `enum` leave null as a value, if its type is allowed."""
        return self.listed is None or None in _listed(self.schema)

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
        try:
            self._check()
        except ContractError as error:
            error.file = f"{self.event_type}/{self.version}.json"
            raise

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
        return _Reader(self.name, self.schema).node(self.schema, "$")

    @cached_property
    def body(self) -> Node:
        """Tree of the event without eventType and version, which the contract's name implies."""
        fields = {name: node for name, node in self.root.fields.items() if name not in HEADING}
        return replace(self.root, fields=fields, required=self.root.required.difference(HEADING))

    def _check(self) -> None:
        """Refuse a document that is not a contract.

        Raises:
            ContractError: a rule is broken.
        """
        fault = schema_fault(self.schema)
        if fault is not None:
            raise ContractError(f"{self.name} at {fault}")
        _ = self.major_minor
        self._check_routing()
        self._check_heading()
        self._check_names()

    def _check_routing(self) -> None:
        """Refuse x- keywords that are missing or of another type, and a root that is a reference.

        Raises:
            ContractError: a rule is broken.
        """
        missing = {"x-topics", "x-key", "x-family"} - self.schema.keys()
        if missing:
            raise ContractError(f"{self.name} at $ {', '.join(sorted(missing))}: is missing")
        topics = self.schema["x-topics"]
        if (
            not isinstance(topics, list)
            or not topics
            or not all(isinstance(t, str) for t in topics)
        ):
            raise ContractError(f"{self.name} at $ x-topics: needs a list of topics' names")
        for keyword in ("x-key", "x-family"):
            if not isinstance(self.schema[keyword], str):
                raise ContractError(f"{self.name} at $ {keyword}: needs a name")
        if "$ref" in self.schema:
            raise ContractError(f"{self.name} at $ $ref: the root states its properties itself")

    def _check_heading(self) -> None:
        """Refuse wrong constants and optional fields of the envelope.

        Raises:
            ContractError: a rule is broken.
        """
        consts = {"eventType": self.event_type, "version": self.version}
        for name, value in consts.items():
            node = self.root.fields.get(name)
            if node is None or node.schema.get("const") != value:
                raise ContractError(f"{self.name} at $.{name} const: must be '{value}'")
        lacking = {"eventType", "version", "timestamp", self.key} - self.root.required
        if lacking:
            raise ContractError(
                f"{self.name} at $ required: {', '.join(sorted(lacking))} is missing"
            )

    def _check_names(self) -> None:
        """Refuse a timestamp, eventId or key that cannot serve as such.

        Raises:
            ContractError: one of them is no string, the key is a constant, timestamp or key may be
                null, timestamp may be no instant, or eventId may be empty.
        """
        if self.key in HEADING:
            raise ContractError(f"{self.name} at $ x-key: must name a field that varies")
        fields = self.root.fields
        for name in ("timestamp", "eventId", self.key):
            if name in fields and fields[name].kind != "string":
                raise ContractError(f"{self.name} at $.{name} type: must be string")
        for name in ("timestamp", self.key):
            if fields[name].nullable:
                raise ContractError(f"{self.name} at $.{name} type: must not be null")
        if fields["timestamp"].schema.get("format") != "date-time":
            raise ContractError(f"{self.name} at $.timestamp format: must be date-time")
        if "eventId" in fields and not fields["eventId"].schema.get("minLength"):
            raise ContractError(f"{self.name} at $.eventId minLength: must be 1 or more")


@dataclass(frozen=True)
class _Reader:
    """Reads the nodes of one document.

    Attributes:
        name: name of the contract, for messages.
        document: the whole document, in which references are resolved.
    """

    name: str
    document: Schema

    def node(self, schema: Any, path: str, above: frozenset[str] = frozenset()) -> Node:
        """Read a schema, and all below it, as a node.

        Args:
            schema: JSON Schema of the place.
            path: JSONPath of the place.
            above: references that were followed on the way to the place.

        Raises:
            ContractError: the schema is outside of the supported subset.
        """
        here = f"{self.name} at {path}"
        resolved, followed = self._resolve(schema, above, here)
        schema = _with_whole_sizes(resolved)
        kind, nullable = _kind(schema, here)
        _check_keywords(schema, kind, here, DOCUMENT_KEYWORDS if path == "$" else set())
        node = Node(path, kind, nullable, schema)
        if kind == "object":
            return self._object(node, followed, here)
        if kind == "map":
            below = self.node(schema["additionalProperties"], f"{path}.*", followed)
            return replace(node, items=below)
        if kind == "array":
            if "items" not in schema:
                raise ContractError(f"{here} items: an array needs items")
            return replace(node, items=self.node(schema["items"], f"{path}[*]", followed))
        if kind == "string":
            _check_string(schema, here)
        return node

    def _object(self, node: Node, above: frozenset[str], here: str) -> Node:
        """Complete a node of kind object with its fields.

        Args:
            node: node without fields.
            above: references that were followed on the way to the place.
            here: name of the contract and path of the place, for messages.

        Raises:
            ContractError: no properties, an unknown required one, or names that cannot be columns.
        """
        members = node.schema.get("properties", {})
        required = frozenset(node.schema.get("required", ()))
        closed = node.schema.get("additionalProperties", True) is False
        if not members:
            raise ContractError(f"{here} properties: an object needs some, or additionalProperties")
        if required - members.keys():
            lacking = ", ".join(sorted(required - members.keys()))
            raise ContractError(f"{here} required: {lacking} is not among the properties")
        odd = [name for name in members if not FIELD_NAME.fullmatch(name)]
        if odd:
            raise ContractError(f"{here} properties: '{odd[0]}' cannot be a column's name")
        if len({name.lower() for name in members}) < len(members):
            raise ContractError(f"{here} properties: two differ only in case")
        fields = {
            name: self.node(below, f"{node.path}.{name}", above) for name, below in members.items()
        }
        return replace(node, fields=fields, required=required, closed=closed)

    def _resolve(
        self, schema: Any, above: frozenset[str], here: str
    ) -> tuple[Schema, frozenset[str]]:
        """Replace the local `$ref` of a schema by its target, under the keywords beside it.

        Args:
            schema: JSON Schema, with or without `$ref`.
            above: references that were followed on the way to the place.
            here: name of the contract and path of the place, for messages.

        Returns:
            The schema without `$ref`, its own value where target and schema share a keyword; and
            the references followed so far.

        Raises:
            ContractError: the reference is not local, points to nothing or goes round, or the
                schema is a boolean.
        """
        followed = above
        while isinstance(schema, Mapping) and "$ref" in schema:
            reference = schema["$ref"]
            target = self._target(reference)
            if target is None:
                raise ContractError(f"{here} $ref: {reference} names no schema in the file")
            if reference in followed:
                raise ContractError(f"{here} $ref: {reference} goes round, and never ends")
            followed |= {reference}
            beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
            schema = _merged(target, beside, here) if isinstance(target, Mapping) else target
        if not isinstance(schema, Mapping):
            said = "anything" if schema else "nothing"
            raise ContractError(f"{here}: {str(schema).lower()} takes {said}; needs one type")
        return schema, followed

    def _target(self, reference: str) -> Any:
        """The schema that a local reference points to.

        Returns:
            A mapping or a boolean; None if there is none.
        """
        if not reference.startswith("#/"):
            return None
        target: Any = self.document
        for part in reference.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        return target if isinstance(target, Mapping | bool) else None


def _merged(target: Schema, beside: Schema, here: str) -> Schema:
    """Join the target of a `$ref` and the keywords beside it, which describe the place further.

    Raises:
        ContractError: both state a constraint, and not the same.
    """
    for keyword in sorted(target.keys() & beside.keys() - (ANNOTATIONS - {"type"})):
        if target[keyword] != beside[keyword] and not keyword.startswith("x-"):
            raise ContractError(f"{here} {keyword}: the $ref beside it says another; state it once")
    return {**target, **beside}


def _with_whole_sizes(schema: Schema) -> Schema:
    """Copy a schema with its sizes as integers, which JSON Schema lets be written as 2.0.

    A size above LARGEST_SIZE is cut to it: no event is so large.
    """
    sizes = {f"{bound}{size}" for bound in ("min", "max") for size in SIZES} & schema.keys()
    return {**schema, **{keyword: min(int(schema[keyword]), LARGEST_SIZE) for keyword in sizes}}


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
        raise ContractError(f"{here} type: needs one type, found {declared!r}")
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
            f"{here} {', '.join(unknown)}: not supported for {kind}; "
            f"supported: {', '.join(sorted(CONSTRAINTS[kind])) or 'nothing'}"
        )
    step = schema.get("multipleOf", 1)
    if step <= 0 or not (float(step).is_integer() or math.frexp(step)[0] == HALF):
        raise ContractError(f"{here} multipleOf: must be whole or a power of two")


def _listed(schema: Schema) -> list[Any]:
    """The values of `enum` and `const`; none without them."""
    return [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]


def _check_string(schema: Schema, here: str) -> None:
    """Refuse constraints of a string that cannot be checked alike everywhere.

    Raises:
        ContractError: enum, format or pattern is outside of the supported subset.
    """
    for keyword in ("enum", "const"):
        if keyword in schema and schema.keys() & (CONSTRAINTS["string"] - {keyword}):
            raise ContractError(f"{here} {keyword}: says all; drop the other constraints")
    if not all(isinstance(value, str | None) for value in _listed(schema)):
        keyword = "enum" if "enum" in schema else "const"
        raise ContractError(f"{here} {keyword}: may name strings, and null where it is a type")
    if schema.get("format", "date") not in FORMATS:
        raise ContractError(f"{here} format: must be one of {', '.join(sorted(FORMATS))}")
    try:
        portable(schema.get("pattern", ""))
    except PatternError as error:
        raise ContractError(f"{here} pattern: {error}") from None
