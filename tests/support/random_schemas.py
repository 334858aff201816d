"""Hypothesis strategies: small JSON Schemas of every keyword, pairs that are alike, documents.

Values, names and bounds come from few, so that two schemas and a document meet often.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

NAMES = ("a", "b", "ab", "c")
PATTERNS = ("^a", "b$", "c", "^[ab]+$")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
SCALARS = (None, True, False, 0, 1, 2, 3, 1.5, -1, 0.5, 10, "", "a", "b", "ab", "abc", "2024-01-15")

names = st.sampled_from(NAMES)
scalars = st.sampled_from(SCALARS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
INSIDE = (None, True, 0, 1, 3, 1.5, "", "a", "ab", [], {}, 10, [1], {"a": 1})


def pool(size: int, seed: int) -> list[Any]:
    """Documents of few names and values, the same in every run: scalars, objects and arrays."""
    random = Random(seed)
    several = (1, 1, 2, 2, 3, 4)
    objects = [
        {
            name: random.choice(INSIDE)
            for name in random.sample((*NAMES, "d"), random.choice(several))
        }
        for _ in range(size)
    ]
    arrays = [random.choices(INSIDE, k=random.choice(several)) for _ in range(size // 2)]
    return [*SCALARS, {}, [], *objects, *arrays]


counts = st.integers(0, 3)
numbers = st.sampled_from((-1, 0, 1, 2, 3, 0.5, 1.5, 10))
steps = st.sampled_from((1, 2, 3, 0.5, 6, 4))


def _keywords(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    by_name = st.dictionaries(names, inner, max_size=2)
    some_names = st.lists(names, max_size=2, unique=True)
    return {
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True),
        "enum": st.lists(values, min_size=1, max_size=3),
        "const": values,
        "minimum": numbers,
        "maximum": numbers,
        "exclusiveMinimum": numbers,
        "exclusiveMaximum": numbers,
        "multipleOf": steps,
        "minLength": counts,
        "maxLength": counts,
        "pattern": st.sampled_from(PATTERNS),
        "format": st.sampled_from(("date", "uuid", "no-such-format")),
        "minItems": counts,
        "maxItems": counts,
        "uniqueItems": st.booleans(),
        "prefixItems": several,
        "items": inner,
        "contains": inner,
        "minContains": counts,
        "maxContains": counts,
        "unevaluatedItems": inner,
        "minProperties": counts,
        "maxProperties": counts,
        "required": some_names,
        "properties": by_name,
        "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
        "additionalProperties": inner,
        "unevaluatedProperties": inner,
        "propertyNames": inner,
        "dependentRequired": st.dictionaries(names, some_names, max_size=2),
        "dependentSchemas": by_name,
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.sampled_from(("#/$defs/one", "#/$defs/two")),
        "x-note": scalars,
        "unknownKeyword": scalars,
    }


@st.composite
def _combined(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    keywords = _keywords(inner)
    chosen = draw(st.lists(st.sampled_from(sorted(keywords)), min_size=1, max_size=4, unique=True))
    return {keyword: draw(keywords[keyword]) for keyword in chosen}


parts = st.recursive(st.booleans() | st.just({}), _combined, max_leaves=5)


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """A document with the definitions that its references may name."""
    return {**draw(_combined(parts)), "$defs": {"one": draw(parts), "two": draw(parts)}}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas, the second mostly the first with a part changed, added or taken away."""
    first = draw(schemas())
    if draw(st.integers(0, 3)) == 0:
        return first, draw(schemas())
    second = draw(_changed(first).filter(_is_schema))
    return (first, second) if draw(st.booleans()) else (second, first)


def _is_schema(document: Any) -> bool:
    """A change may put a schema where the specification wants a map of schemas."""
    try:
        Draft202012Validator.check_schema(document)
    except SchemaError:
        return False
    return True


@st.composite
def _changed(draw: st.DrawFn, schema: Any) -> Any:
    if not isinstance(schema, dict) or not schema:
        return draw(parts)
    changed = dict(schema)
    keyword = draw(st.sampled_from(sorted(schema)))
    change = draw(st.sampled_from(("drop", "replace", "add", "inside", "inside")))
    keywords = _keywords(parts)
    if change == "drop" and keyword != "$defs":
        del changed[keyword]
    elif change == "replace" and keyword in keywords:
        changed[keyword] = draw(keywords[keyword])
    elif change == "add":
        added = draw(st.sampled_from(sorted(keywords)))
        changed.setdefault(added, draw(keywords[added]))
    else:
        changed[keyword] = draw(_changed_value(schema[keyword]))
    return changed


@st.composite
def _changed_value(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        if isinstance(value[name], dict):
            return {**value, name: draw(_changed(value[name]))}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(_changed(value[at])), *value[at + 1 :]]
    return value


leaves = st.sampled_from(
    (
        {"type": "integer"},
        {"type": "number", "minimum": 1},
        {"type": ["string", "null"]},
        {"enum": ["a", "b"]},
        {"enum": ["a"]},
        {"type": "string", "maxLength": 2},
        {"type": "object"},
        {},
    )
)


@st.composite
def _plain_object(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(names, inner, min_size=1, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(properties)), max_size=2, unique=True))
    closed = draw(st.sampled_from(({}, {}, {"additionalProperties": False})))
    return {"type": "object", "properties": properties, "required": required, **closed}


contracts = _plain_object(
    st.recursive(
        leaves,
        lambda inner: _plain_object(inner) | st.builds(lambda items: {"items": items}, inner),
        max_leaves=3,
    )
)


def sample(draw: st.DrawFn, schema: Any) -> Any:
    """A document of a plain schema's declared members, mostly valid."""
    if "properties" in schema:
        chosen = [
            name
            for name in schema["properties"]
            if name in schema["required"] or draw(st.booleans())
        ]
        return {name: sample(draw, schema["properties"][name]) for name in chosen}
    if "items" in schema:
        return [sample(draw, schema["items"]) for _ in range(draw(st.integers(0, 2)))]
    return draw(st.sampled_from(INSIDE))


def _is_complete(document: Any) -> bool:
    """A plain schema has no definitions that a reference could name."""
    return _is_schema(document) and "'$ref'" not in str(document)


@st.composite
def sendings(draw: st.DrawFn) -> tuple[Any, Any, list[Any]]:
    """Two plain schemas, and documents with members that the first declares."""
    old = draw(contracts)
    new = draw(st.one_of(contracts, _changed(old).filter(_is_complete)))
    return old, new, [sample(draw, old) for _ in range(5)]
