"""A JSON Schema document prepared for comparison: one dialect, references that resolve.

Schemas of drafts 4 to 7 are read by their own rules and rewritten in the terms of 2020-12.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend

from transforms.contracts.compatibility.vocabulary import (
    IGNORED,
    KNOWN,
    STRING,
    SUBSCHEMA,
    SUBSCHEMA_LIST,
    SUBSCHEMA_MAP,
)
from transforms.contracts.formats import FORMAT_CHECKER

Schema = Mapping[str, Any] | bool

DEFINITIONS = frozenset({"$defs", "definitions"})
EXTENSIONS = ("x-", "connect.")  # prefixes of OpenAPI and others, and of Kafka Connect
NAMING = DEFINITIONS | {"$id", "$anchor"}
JUDGED_IN_PART = ("format", "pattern", "patternProperties", "$ref")
NO_FORMATS = FormatChecker(())  # a pattern may be valid in ECMA and not in Python
OLD_DRAFT = re.compile(r"draft-0[3467]")
LOCAL_ANCHOR = re.compile(r"#[A-Za-z_][-A-Za-z0-9._]*")


class SchemaDocumentError(ValueError):
    """A document is not a JSON Schema.

    The message says where and why.
    """


class SchemaDocument:
    """A whole schema document.

    Args:
        schema: document as parsed from JSON.
        sends_declared: whether a producer by this schema sends only members that it declares.
        ignore_undeclared: whether a reader by this schema ignores members that it does not declare.

    Raises:
        SchemaDocumentError: not a valid JSON Schema.
    """

    def __init__(
        self, schema: Schema, *, sends_declared: bool = False, ignore_undeclared: bool = False
    ) -> None:
        self.root = modernize(schema)
        self.sends_declared = sends_declared
        self.ignore_undeclared = ignore_undeclared
        try:
            Draft202012Validator.check_schema(self.root, format_checker=NO_FORMATS)
        except SchemaError as error:
            raise SchemaDocumentError(f"{error.json_path}: {error.message}") from None
        self._doubtful = False
        self._published = _published(schema)
        reader = self._judging(TolerantValidator if ignore_undeclared else Draft202012Validator)
        self._validator = reader(self.root, format_checker=FORMAT_CHECKER)

    @cached_property
    def context(self) -> str:
        """Canonical text that references depend on: that of the definitions, or of the document."""
        if not isinstance(self.root, Mapping):
            return canonical(self.root)
        text = canonical(self.root)
        local = sum(text.count(f'"$ref":"#/{where}/') for where in DEFINITIONS)
        if local < text.count('"$ref"') or '"$dynamicRef"' in text or self._has_inner_resources:
            return text
        return canonical([self.root.get(where) for where in sorted(DEFINITIONS)])

    def decides(self, schema: Schema, value: Any) -> bool | None:
        """Whether a value is valid under a schema of this document, by the jsonschema library.

        Returns:
            None if it depends on a keyword that the library does not judge.
        """
        self._doubtful = False
        valid = bool(self._validator.evolve(schema=schema).is_valid(value))
        return None if self._doubtful else valid

    def target(self, reference: str) -> Schema | None:
        """Resolve a `$ref` within the document.

        Returns:
            The schema; None if the reference leads out of the document or nowhere.
        """
        if self._has_inner_resources or not isinstance(self.root, Mapping):
            return None
        identifier = str(self.root.get("$id", ""))
        pointer = reference.removeprefix(identifier) if identifier else reference
        if pointer in ("", "#"):
            return self.root
        if pointer.startswith("#/"):
            return self._at(pointer[2:].split("/"))
        return self._anchors.get(pointer.removeprefix("#")) if pointer.startswith("#") else None

    def _judging(self, reader: Any) -> Any:
        """Extend a validator to note what it does not judge, but in values that are published.

        An example that is published beside a format or pattern is taken to satisfy it.
        """
        judged = {name: reader.VALIDATORS[name] for name in JUDGED_IN_PART}

        def either(keyword: str) -> Any:
            """Validate a keyword that the library judges; note one that it does not."""

            def check(validator: Any, said: Any, value: Any, schema: Any) -> Iterator[Any]:
                if self._judges(keyword, said):
                    yield from judged[keyword](validator, said, value, schema)
                elif isinstance(value, str) or keyword not in STRING:
                    self._doubtful |= value not in self._published.get((keyword, str(said)), ())

            return check

        unknown = {
            keyword
            for schema in _all(self.root)
            for keyword in schema
            if keyword not in KNOWN and not is_annotation(keyword)
        }
        return extend(reader, {keyword: either(keyword) for keyword in (*judged, *unknown)})  # type: ignore[no-untyped-call]

    def _judges(self, keyword: str, value: Any) -> bool:
        """Whether the library judges a keyword with the given value."""
        if keyword == "format":
            return value in FORMAT_CHECKER.checkers
        if keyword == "pattern":
            return compiles(value)
        if keyword == "patternProperties":
            return all(compiles(pattern) for pattern in value)
        return keyword == "$ref" and self.target(value) is not None

    def _at(self, parts: list[str]) -> Schema | None:
        """Resolve a JSON pointer, split into its parts.

        Returns:
            The schema; None if there is none.
        """
        found: Any = self.root
        for part in parts:
            name = part.replace("%25", "%").replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found if isinstance(found, Mapping | bool) else None

    @cached_property
    def _anchors(self) -> dict[str, Schema]:
        """Schemas of the document by their `$anchor`."""
        return {s["$anchor"]: s for s in _all(self.root) if "$anchor" in s}

    @cached_property
    def _has_inner_resources(self) -> bool:
        """Whether a schema below the root has an `$id` of its own."""
        return any("$id" in schema for schema in _all(self.root) if schema is not self.root)


def canonical(value: Any) -> str:
    """JSON text that equal values share."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def compiles(pattern: str) -> bool:
    """Whether a pattern is valid in Python as well as in ECMA."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def is_annotation(keyword: str) -> bool:
    """Whether a keyword asserts nothing."""
    return keyword in IGNORED or keyword.startswith(EXTENSIONS)


def _published(value: Any) -> dict[tuple[str, str], list[Any]]:
    """Collect the examples in a document by the formats and patterns that they stand beside.

    Returns:
        The examples by keyword and its value.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    below: list[Any] = [value]
    while below:
        schema = below.pop()
        if isinstance(schema, Mapping):
            examples = schema.get("examples")
            for keyword in ("format", "pattern"):
                if isinstance(examples, list) and isinstance(schema.get(keyword), str):
                    found.setdefault((keyword, schema[keyword]), []).extend(examples)
            below.extend(schema.values())
        elif isinstance(schema, list):
            below.extend(schema)
    return found


def subschemas(schema: Mapping[str, Any]) -> Iterator[Schema]:
    """Yield the schemas directly below the known keywords of a schema, definitions excepted."""
    for keyword, value in schema.items():
        if keyword in SUBSCHEMA:
            yield value
        elif keyword in SUBSCHEMA_LIST:
            yield from value
        elif keyword in SUBSCHEMA_MAP:
            yield from value.values()


def _all(schema: Schema) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all below it, definitions included, without boolean schemas."""
    if isinstance(schema, bool):
        return
    yield schema
    for below in subschemas(schema):
        yield from _all(below)
    for keyword in DEFINITIONS:
        for below in schema.get(keyword, {}).values():
            yield from _all(below)


def modernize(schema: Schema) -> Schema:
    """Rewrite a schema in the terms of 2020-12, without annotations."""
    if not isinstance(schema, Mapping):
        return schema
    declared = str(schema.get("$schema", ""))
    modern: Schema = _modern(schema, bool(OLD_DRAFT.search(declared)), not declared)
    return modern


def _modern(schema: Any, old: bool, unmarked: bool) -> Any:
    """Rewrite a schema and all below it.

    Args:
        schema: schema of any supported draft.
        old: whether the document declares draft 4, 6 or 7.
        unmarked: whether the document declares no draft.
    """
    if not isinstance(schema, Mapping):
        return schema
    new = {k: v for k, v in schema.items() if k in NAMING or not is_annotation(k)}
    if old and "$ref" in new:
        new = {k: new[k] for k in ("$ref", "$defs", "definitions", "$id") if k in new}
    if LOCAL_ANCHOR.fullmatch(str(new.get("$id", ""))):
        new["$anchor"] = new.pop("$id")[1:]
    _bounds(new)
    _tuples(new)
    if old or unmarked:
        _dependencies(new)
    return {keyword: _modern_value(keyword, value, old, unmarked) for keyword, value in new.items()}


def _modern_value(keyword: str, value: Any, old: bool, unmarked: bool) -> Any:
    """Rewrite the schemas in the value of a keyword."""
    if keyword in SUBSCHEMA:
        return _modern(value, old, unmarked)
    if keyword in SUBSCHEMA_LIST and isinstance(value, list):
        return [_modern(below, old, unmarked) for below in value]
    if keyword in SUBSCHEMA_MAP | DEFINITIONS and isinstance(value, Mapping):
        return {name: _modern(below, old, unmarked) for name, below in value.items()}
    return value


def _bounds(schema: dict[str, Any]) -> None:
    """Replace boolean exclusive bounds (draft 4) by numeric ones, in place."""
    for plain, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(strict), bool) and schema.pop(strict) and plain in schema:
            schema[strict] = schema.pop(plain)


def _tuples(schema: dict[str, Any]) -> None:
    """Replace `items` lists and `additionalItems` by `prefixItems` and `items`, in place."""
    if isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema.pop("items")
        if "additionalItems" in schema:
            schema["items"] = schema.pop("additionalItems")
        if not schema["prefixItems"]:
            del schema["prefixItems"]


def _dependencies(schema: dict[str, Any]) -> None:
    """Replace `dependencies` by `dependentRequired` and `dependentSchemas`, in place."""
    parts = [
        {"dependentRequired" if isinstance(needed, list) else "dependentSchemas": {name: needed}}
        for name, needed in schema.pop("dependencies", {}).items()
    ]
    if parts:
        schema["allOf"] = [*schema.get("allOf", ()), *parts]


def _declared_only(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[Any]:
    """Validate `additionalProperties` as jsonschema does, but ignore the value false."""
    if allowed is not False:
        yield from Draft202012Validator.VALIDATORS["additionalProperties"](
            validator, allowed, value, schema
        )


def _evaluated_only(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[Any]:
    """Validate `unevaluatedProperties` as jsonschema does, but ignore the value false."""
    if allowed is not False:
        yield from Draft202012Validator.VALIDATORS["unevaluatedProperties"](
            validator, allowed, value, schema
        )


TolerantValidator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"additionalProperties": _declared_only, "unevaluatedProperties": _evaluated_only},
)
