"""Known cases of compatibility: for each, whether the new schema reads the old and the reverse.

Verdicts are C compatible, B breaking, U undecided: backward, then forward, in strict mode. Each
kind of change that peers' registries list is here; where a peer answers otherwise, see PEERS.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from transforms.contracts.compatibility.comparison import Mode, accepts
from transforms.contracts.compatibility.outcomes import Verdict

LETTER = {Verdict.COMPATIBLE: "C", Verdict.BREAKING: "B", Verdict.UNDECIDED: "U"}
NUMBER, INTEGER, STRING = {"type": "number"}, {"type": "integer"}, {"type": "string"}
NULL, BOOLEAN = {"type": "null"}, {"type": "boolean"}


def obj(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def open_(more: Any, **properties: Any) -> dict[str, Any]:
    return {"properties": properties, "additionalProperties": more}


def tuple_(rest: Any, *prefix: Any) -> dict[str, Any]:
    return {"type": "array", "prefixItems": list(prefix), "items": rest}


def bounded(kind: str, **bounds: Any) -> dict[str, Any]:
    return {"type": kind, **bounds}


def defined(schema: dict[str, Any], **definitions: Any) -> dict[str, Any]:
    return {**schema, "$defs": definitions}


PERSON = obj({"name": STRING, "children": {"type": "array", "items": {"$ref": "#/$defs/person"}}})
OLDER_PERSON = obj(
    {
        "name": {"type": "string", "minLength": 1},
        "children": {"type": "array", "items": {"$ref": "#/$defs/person"}},
    }
)
LINKED = obj({"u": {"type": "string", "format": "uri"}})
PUBLISHED = obj({"u": {"type": "string", "format": "uri", "examples": ["https://example.org"]}})
CYRILLIC = {"type": "string", "pattern": r"\p{Cyrillic}"}
CIRCLE = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
TO_PERSON = {"$ref": "#/$defs/person"}
CASE = obj({"case": {"enum": ["lower", "upper"]}, "data": STRING})
LOWER = {"properties": {"case": {"const": "lower"}}}


def when(then: Any, otherwise: Any, met: Any = LOWER) -> dict[str, Any]:
    return {**CASE, "if": met, "then": then, "else": otherwise}


def data(**said: Any) -> dict[str, Any]:
    return {"properties": {"data": said}}


CASES: list[tuple[str, Any, Any, str]] = [
    # annotations
    ("title", {"title": "a"}, {"title": "b"}, "CC"),
    ("id", {"$id": "urn:a"}, {"$id": "urn:b"}, "CC"),
    ("default", {**STRING, "default": "a"}, {**STRING, "default": "b"}, "CC"),
    ("extension", {"x-unit": "s"}, {"x-unit": "ms"}, "CC"),
    ("unknown keyword added", STRING, {**STRING, "checksum": "crc"}, "UC"),
    ("unknown keyword kept", {**STRING, "checksum": 1}, {**STRING, "checksum": 1}, "CC"),
    ("content encoding changed", {"contentEncoding": "base64"}, {"contentEncoding": "hex"}, "UU"),
    # the whole and the empty
    ("to the empty schema", {"properties": {}}, {}, "CC"),
    ("to true", STRING, True, "CB"),
    ("from false", False, STRING, "CB"),
    ("empty enum", {"enum": []}, {"enum": ["a"]}, "CB"),
    # types
    ("type changed", {"type": "object"}, {"type": "array"}, "BB"),
    ("integer to number", INTEGER, NUMBER, "CB"),
    ("integer is a whole number", INTEGER, {"type": "number", "multipleOf": 1}, "CC"),
    ("single to list", STRING, {"type": ["string", "null"]}, "CB"),
    ("list of one", STRING, {"type": ["string"]}, "CC"),
    ("list reordered", {"type": ["string", "null"]}, {"type": ["null", "string"]}, "CC"),
    ("type dropped", BOOLEAN, {}, "CB"),
    (
        "all types named",
        {"type": ["null", "boolean", "number", "string", "array", "object"]},
        {},
        "CC",
    ),
    ("integer in a list", {"type": ["integer", "null"]}, {"type": ["number", "null"]}, "CB"),
    # enumerations
    ("enum grown", {"enum": ["a"]}, {"enum": ["a", "b"]}, "CB"),
    ("enum reordered", {"enum": ["a", "b"]}, {"enum": ["b", "a"]}, "CC"),
    ("enum dropped", {**STRING, "enum": ["a"]}, STRING, "CB"),
    ("enum changed", {"enum": ["a"]}, {"enum": ["b"]}, "BB"),
    ("const is an enum of one", {"const": "a"}, {"enum": ["a"]}, "CC"),
    ("const changed", {"const": 1}, {"const": 2}, "BB"),
    ("1 and 1.0 are one value", {"const": 1}, {"const": 1.0}, "CC"),
    ("1 and true are not", {"const": 1}, {"const": True}, "BB"),
    ("values that the type refuses", {**STRING, "enum": ["a", 1]}, {"const": "a"}, "CC"),
    ("values within bounds", {"enum": [1, 2]}, bounded("integer", minimum=1, maximum=2), "CC"),
    ("values by length", {"enum": ["a", "bb"]}, bounded("string", maxLength=2), "CB"),
    ("both booleans", BOOLEAN, {"enum": [True, False]}, "CC"),
    ("null", NULL, {"const": None}, "CC"),
    # numbers
    ("minimum lowered", bounded("number", minimum=10), bounded("number", minimum=5), "CB"),
    ("minimum dropped", bounded("number", minimum=10), NUMBER, "CB"),
    ("maximum raised", bounded("number", maximum=10), bounded("number", maximum=11), "CB"),
    ("bounds on other types", {"minimum": 5}, {"minimum": 4}, "CB"),
    ("open to closed", bounded("number", exclusiveMinimum=1), bounded("number", minimum=1), "CB"),
    (
        "open is closed for integers",
        bounded("integer", exclusiveMaximum=5),
        bounded("integer", maximum=4),
        "CC",
    ),
    ("open at another", bounded("number", exclusiveMaximum=5), bounded("number", maximum=9), "CB"),
    ("no number left", bounded("number", minimum=2, maximum=1), NULL, "CB"),
    ("divisor reduced", bounded("number", multipleOf=10), bounded("number", multipleOf=5), "CB"),
    ("divisor changed", bounded("number", multipleOf=10), bounded("number", multipleOf=11), "BB"),
    ("half steps", bounded("number", multipleOf=0.5), bounded("number", multipleOf=0.25), "CB"),
    ("decimal steps", bounded("number", multipleOf=0.2), bounded("number", multipleOf=0.1), "UB"),
    (
        "two divisors make a third",
        bounded("integer", allOf=[{"multipleOf": 2}, {"multipleOf": 3}]),
        bounded("integer", multipleOf=6),
        "CC",
    ),
    # texts
    ("minLength lowered", bounded("string", minLength=11), bounded("string", minLength=10), "CB"),
    ("maxLength raised", bounded("string", maxLength=5), bounded("string", maxLength=10), "CB"),
    ("minLength 0", bounded("string", minLength=0), STRING, "CC"),
    ("pattern dropped", bounded("string", pattern="^a"), STRING, "CB"),
    ("pattern changed", bounded("string", pattern="date"), bounded("string", pattern="uuid"), "BB"),
    ("pattern same", bounded("string", pattern="^a"), bounded("string", pattern="^a"), "CC"),
    (
        "pattern that no example tells",
        bounded("string", pattern="^[p-q]{3,9}$"),
        bounded("string", pattern="^(p|q){3,9}$"),
        "UU",
    ),
    (
        "pattern that only ECMA reads",
        bounded("string", pattern="^\\p{L}$"),
        bounded("string", pattern="^\\p{L}+$"),
        "UU",
    ),
    (
        "pattern property that only ECMA reads",
        {"patternProperties": {"^\\p{L}$": STRING}},
        {"patternProperties": {"^\\p{L}$": NUMBER}},
        "UU",
    ),
    ("format dropped", bounded("string", format="date-time"), STRING, "CB"),
    (
        "format changed",
        bounded("string", format="date-time"),
        bounded("string", format="date"),
        "BB",
    ),
    ("format nobody checks", bounded("string", format="iban"), STRING, "CU"),
    # required
    ("required dropped", {"required": ["a", "b"]}, {"required": ["a"]}, "CB"),
    ("required reordered", {"required": ["a", "b"]}, {"required": ["b", "a"]}, "CC"),
    ("required changed", {"required": ["a"]}, {"required": ["b"]}, "BB"),
    (
        "a default does not stand in",
        obj({"a": STRING}),
        obj({"a": {**STRING, "default": ""}}, required=["a"]),
        "BC",
    ),
    ("required on other types", {"required": ["a"]}, {"minProperties": 1}, "CB"),
    (
        "dependent required dropped",
        {"dependentRequired": {"a": ["b", "c"]}},
        {"dependentRequired": {"a": ["b"]}},
        "CB",
    ),
    (
        "dependent required turned",
        {"dependentRequired": {"a": ["b"]}},
        {"dependentRequired": {"b": ["a"]}},
        "BB",
    ),
    (
        "required for dependent required",
        {"required": ["b"]},
        {"dependentRequired": {"a": ["b"]}},
        "CB",
    ),
    ("dependent schema dropped", {"dependentSchemas": {"a": {"required": ["b"]}}}, {}, "CB"),
    (
        "dependent schema as dependent required",
        {"dependentSchemas": {"a": {"required": ["b"]}}},
        {"dependentRequired": {"a": ["b"]}},
        "CC",
    ),
    # members
    ("property type changed", obj({"a": STRING}), obj({"a": NUMBER}), "BB"),
    ("property widened", obj({"a": INTEGER}), obj({"a": NUMBER}), "CB"),
    ("optional added, open", obj({"a": STRING}), obj({"a": STRING, "b": NUMBER}), "BC"),
    ("anything added, open", obj({"a": STRING}), obj({"a": STRING, "b": True}), "CC"),
    ("optional added, closed", open_(False, a=STRING), open_(False, a=STRING, b=NUMBER), "CB"),
    ("removed, closed to open", open_(False, a=STRING, b=NUMBER), open_(True, a=STRING), "CB"),
    (
        "removed for another, open",
        {"properties": {"a": STRING}},
        {"properties": {"b": STRING}},
        "BB",
    ),
    ("never added to closed", open_(False), open_(False, a=False), "CC"),
    ("never for sometimes", {"properties": {"a": False}}, {"properties": {"a": STRING}}, "CB"),
    ("opened", open_(False), open_(True), "CB"),
    ("partly opened", open_(False, a=STRING), open_(STRING, a=STRING), "CB"),
    ("rest narrowed", open_(True), open_(NUMBER), "BC"),
    ("rest changed", open_(STRING), open_(NUMBER), "BB"),
    ("rest loosened", open_({**STRING, "minLength": 9}), open_({**STRING, "minLength": 5}), "CB"),
    ("added as the rest is", open_(STRING, a=STRING), open_(STRING, a=STRING, b=STRING), "CC"),
    ("added unlike the rest", open_(STRING, a=STRING), open_(STRING, a=STRING, b=NUMBER), "BB"),
    ("removed into the rest", open_(False, a=STRING, b=STRING), open_(STRING, a=STRING), "CB"),
    ("removed unlike the rest", open_(False, a=STRING, b=NUMBER), open_(STRING, a=STRING), "BB"),
    (
        "removed into a wider rest",
        open_(False, b=STRING),
        open_({"oneOf": [NULL, STRING]}),
        "CB",
    ),
    (
        "required added as the rest is",
        open_(STRING, a=STRING),
        {**open_(STRING, a=STRING, b=STRING), "required": ["b"]},
        "BC",
    ),
    (
        "covered by a pattern",
        open_(False, I_1=INTEGER),
        {**open_(False), "patternProperties": {"^S_": STRING, "^I_": NUMBER}},
        "CB",
    ),
    (
        "listed beside a pattern that covers it",
        {**open_(False), "patternProperties": {"^S_": STRING, "^I_": INTEGER}},
        {**open_(False, I_1=NUMBER), "patternProperties": {"^S_": STRING, "^I_": INTEGER}},
        "CC",
    ),
    ("pattern property dropped", {"patternProperties": {"^S_": STRING}}, {}, "CB"),
    (
        "pattern properties swapped",
        {"patternProperties": {"^S_": STRING, "^I_": NUMBER}},
        {"patternProperties": {"^S_": NUMBER, "^I_": STRING}},
        "BB",
    ),
    (
        "pattern against property",
        {"patternProperties": {"^a": STRING}},
        {"properties": {"a": STRING}},
        "CB",
    ),
    (
        "names loosened",
        {"propertyNames": {"minLength": 9}},
        {"propertyNames": {"minLength": 5}},
        "CB",
    ),
    ("names listed", {"propertyNames": {"enum": ["a", "b"]}}, open_(False, a=True, b=True), "CC"),
    ("maxProperties raised", {"maxProperties": 1}, {"maxProperties": 2}, "CB"),
    ("minProperties lowered", {"minProperties": 2}, {"minProperties": 1}, "CB"),
    ("closed and counted", open_(False, a=True, b=True), {"maxProperties": 2}, "CB"),
    ("required and counted", {"required": ["a", "b"]}, {"minProperties": 2}, "CB"),
    (
        "unevaluated as additional",
        open_(False, a=STRING),
        {"properties": {"a": STRING}, "unevaluatedProperties": False},
        "CC",
    ),
    (
        "unevaluated beside allOf",
        {"allOf": [{"properties": {"a": STRING}}], "unevaluatedProperties": False},
        open_(False, a=STRING),
        "UU",
    ),
    ("unevaluated true", {}, {"unevaluatedProperties": True, "unevaluatedItems": True}, "CC"),
    ("nested member", obj({"a": obj({"b": INTEGER})}), obj({"a": obj({"b": NUMBER})}), "CB"),
    ("nested required", obj({"a": obj({}, required=["b"])}), obj({"a": obj({})}), "CB"),
    # items
    ("items added", {"type": "array"}, {"type": "array", "items": STRING}, "BC"),
    ("items widened", {"items": INTEGER}, {"items": NUMBER}, "CB"),
    ("items of objects", {"items": obj({"a": INTEGER})}, {"items": obj({"a": NUMBER})}, "CB"),
    ("prefix dropped", {"prefixItems": [STRING, NUMBER]}, {}, "CB"),
    ("prefix changed", {"prefixItems": [STRING]}, {"prefixItems": [NUMBER]}, "BB"),
    ("prefix grown, closed", tuple_(False, STRING), tuple_(False, STRING, NUMBER), "CB"),
    ("prefix grown, opened", tuple_(False, STRING), tuple_(True, STRING, NUMBER), "CB"),
    ("prefix grown as the rest is", tuple_(STRING, NUMBER), tuple_(STRING, NUMBER, STRING), "CC"),
    ("prefix grown unlike the rest", tuple_(STRING, NUMBER), tuple_(STRING, NUMBER, NUMBER), "BB"),
    ("prefix shrunk into the rest", tuple_(False, STRING, NUMBER), tuple_(NUMBER, STRING), "CB"),
    ("prefix shrunk unlike the rest", tuple_(False, STRING, NUMBER), tuple_(STRING, STRING), "BB"),
    ("never at the end", tuple_(False, NUMBER), tuple_(False, NUMBER, False), "CC"),
    ("anything at the end", tuple_(True, NUMBER), tuple_(True, NUMBER, True), "CC"),
    ("closed tuple is counted", tuple_(False, STRING), {"type": "array", "maxItems": 1}, "CB"),
    ("maxItems raised", {"maxItems": 1}, {"maxItems": 2}, "CB"),
    ("minItems lowered", {"minItems": 2}, {"minItems": 1}, "CB"),
    ("unique dropped", {"uniqueItems": True}, {}, "CB"),
    ("unique false", {"uniqueItems": False}, {}, "CC"),
    ("one is unique", {"maxItems": 1}, {"uniqueItems": True}, "CB"),
    ("contains loosened", {"contains": {"minimum": 9}}, {"contains": {"minimum": 5}}, "CB"),
    (
        "contains counted",
        {"contains": NULL, "minContains": 3},
        {"contains": NULL, "minContains": 2},
        "CB",
    ),
    (
        "contains at most",
        {"contains": NULL, "maxContains": 1},
        {"contains": NULL, "maxContains": 2},
        "CB",
    ),
    ("contains needs an item", {"contains": {}}, {"minItems": 1}, "CC"),
    # combined schemas
    (
        "allOf reordered",
        {"allOf": [STRING, {"maxLength": 5}]},
        {"allOf": [{"maxLength": 5}, STRING]},
        "CC",
    ),
    (
        "allOf as siblings",
        {"allOf": [STRING, {"maxLength": 5}]},
        bounded("string", maxLength=5),
        "CC",
    ),
    ("allOf part dropped", {"allOf": [STRING, {"enum": ["a"]}]}, {"allOf": [STRING]}, "CB"),
    ("allOf part that says nothing new", {"allOf": [STRING, STRING]}, {"allOf": [STRING]}, "CC"),
    ("allOf that contradicts itself", {"allOf": [STRING, NUMBER]}, STRING, "CB"),
    ("anyOf part added", {"anyOf": [STRING]}, {"anyOf": [STRING, NUMBER]}, "CB"),
    (
        "anyOf part loosened",
        {"anyOf": [STRING, {"maxLength": 5}]},
        {"anyOf": [STRING, {"maxLength": 9}]},
        "CC",
    ),
    ("anyOf as types", {"anyOf": [STRING, NULL]}, {"type": ["string", "null"]}, "CC"),
    (
        "anyOf of halves is the whole",
        INTEGER,
        bounded("integer", anyOf=[{"minimum": 0}, {"maximum": 0}]),
        "CC",
    ),
    ("anyOf of values", {"enum": ["a", 1]}, {"anyOf": [STRING, NUMBER]}, "CB"),
    ("oneOf part added", {"oneOf": [STRING]}, {"oneOf": [NUMBER, STRING]}, "CB"),
    ("oneOf part changed", {"oneOf": [STRING]}, {"oneOf": [NUMBER]}, "BB"),
    ("plain to oneOf", bounded("string", maxLength=3), {"oneOf": [NUMBER, STRING]}, "CB"),
    ("null to optional", NULL, {"oneOf": [NUMBER, NULL]}, "CB"),
    (
        "oneOf to anyOf",
        {"oneOf": [{"minimum": 1}, {"maximum": 5}]},
        {"anyOf": [{"minimum": 1}, {"maximum": 5}]},
        "CB",
    ),
    (
        "allOf to anyOf",
        bounded("number", allOf=[{"maximum": 9}, {"multipleOf": 6}]),
        bounded("number", anyOf=[{"maximum": 9}, {"multipleOf": 6}, {"minimum": 20}]),
        "CB",
    ),
    (
        "anyOf to oneOf of what overlaps",
        {"anyOf": [INTEGER, NUMBER]},
        {"oneOf": [INTEGER, NUMBER]},
        "BC",
    ),
    (
        "anyOf to oneOf of what does not",
        {"anyOf": [STRING, NUMBER]},
        {"oneOf": [STRING, NUMBER]},
        "CC",
    ),
    (
        "tagged union grown",
        {"oneOf": [obj({"t": {"const": "a"}}, required=["t"])]},
        {
            "oneOf": [
                obj({"t": {"const": "a"}}, required=["t"]),
                obj({"t": {"const": "b"}}, required=["t"]),
            ]
        },
        "CB",
    ),
    ("not narrowed", {"not": NUMBER}, {"not": INTEGER}, "CB"),
    (
        "not of bounds",
        {"not": bounded("string", minLength=5, maxLength=20)},
        {"not": bounded("string", minLength=9, maxLength=15)},
        "CB",
    ),
    ("not of not", {"not": {"not": STRING}}, STRING, "CC"),
    ("not of a member", {"not": {"required": ["a"]}}, {"properties": {"a": False}}, "CB"),
    (
        "not of a member, objects",
        {"type": "object", "not": {"required": ["a"]}},
        obj({"a": False}),
        "CC",
    ),
    (
        "condition kept",
        when(data(maxLength=3), data(minLength=9)),
        when(data(maxLength=3), data(minLength=9)),
        "CC",
    ),
    (
        "then loosened",
        when(data(maxLength=3), data(minLength=9)),
        when(data(maxLength=4), data(minLength=9)),
        "CB",
    ),
    (
        "else dropped",
        when(data(maxLength=3), data(minLength=9)),
        when(data(maxLength=3), True),
        "CB",
    ),
    ("condition widened", when(data(maxLength=3), True), when(data(maxLength=3), True, {}), "BC"),
    (
        "condition as a choice",
        {"if": STRING, "then": {"maxLength": 3}},
        {"anyOf": [{"not": STRING}, {"maxLength": 3}]},
        "CC",
    ),
    ("then without if", {"then": STRING}, {}, "CC"),
    # references
    ("to a reference", STRING, defined({"$ref": "#/$defs/text"}, text=STRING), "CC"),
    (
        "target changed",
        defined({"$ref": "#/$defs/x"}, x=STRING),
        defined({"$ref": "#/$defs/x"}, x=NUMBER),
        "BB",
    ),
    (
        "target loosened",
        defined({"items": {"$ref": "#/$defs/x"}}, x=INTEGER),
        defined({"items": {"$ref": "#/$defs/x"}}, x=NUMBER),
        "CB",
    ),
    ("by anchor", defined({"$ref": "#x"}, x={"$anchor": "x", **STRING}), STRING, "CC"),
    (
        "reference and sibling",
        defined({"$ref": "#/$defs/x", "minLength": 2}, x=STRING),
        bounded("string", minLength=2),
        "CC",
    ),
    (
        "recursive, same",
        defined(TO_PERSON, person=PERSON),
        defined({"allOf": [TO_PERSON]}, person=PERSON),
        "CC",
    ),
    (
        "recursive, loosened",
        defined(TO_PERSON, person=OLDER_PERSON),
        defined(TO_PERSON, person=PERSON),
        "CB",
    ),
    (
        "recursive, unrolled",
        defined(TO_PERSON, person=PERSON),
        defined(PERSON, person=PERSON),
        "CC",
    ),
    ("remote", {"$ref": "https://example.org/a"}, {"$ref": "https://example.org/b"}, "UU"),
    ("remote, same", {"allOf": [{"$ref": "urn:a"}]}, {"anyOf": [{"$ref": "urn:a"}]}, "UU"),
    ("dynamic", {"$dynamicRef": "#a"}, STRING, "UU"),
    # a new required member beside what the library does not judge
    ("unjudged, optional", LINKED, {**LINKED, "required": ["e"]}, "BC"),
    (
        "unjudged, published",
        {**PUBLISHED, "required": ["u"]},
        {**PUBLISHED, "required": ["u", "e"]},
        "BC",
    ),
    (
        "unjudged, no example",
        {**LINKED, "required": ["u"]},
        {**LINKED, "required": ["u", "e"]},
        "UC",
    ),
    ("unjudged pattern", obj({"u": CYRILLIC}), obj({"u": CYRILLIC}, required=["e"]), "BC"),
    ("unjudged word", {"sort": "up"}, {"sort": "up", "required": ["e"]}, "UC"),
    ("refers to itself", {"$ref": "#"}, obj({}), "UU"),
    ("refers in a circle", defined({"$ref": "#/$defs/a"}, **CIRCLE), obj({}), "UU"),
    # words of earlier drafts
    (
        "draft 7 tuple",
        {"items": [STRING], "additionalItems": False},
        {"prefixItems": [STRING], "items": False},
        "CC",
    ),
    (
        "draft 7 dependencies",
        {"dependencies": {"a": ["b"]}},
        {"dependentRequired": {"a": ["b"]}},
        "CC",
    ),
    (
        "draft 4 exclusive bound",
        bounded("number", minimum=1, exclusiveMinimum=True),
        bounded("number", exclusiveMinimum=1),
        "CC",
    ),
    ("definitions", {"$ref": "#/definitions/x", "definitions": {"x": STRING}}, STRING, "CC"),
    (
        "additionalItems beside no tuple",
        {"additionalItems": True},
        {"additionalItems": False},
        "UU",
    ),
]

Peer = tuple[str, Any, Any, str, str]
PEERS: list[Peer] = [
    (
        "Confluent: oneOf of one to allOf of one is another combination; it accepts the same",
        {"oneOf": [STRING]},
        {"allOf": [STRING]},
        "CC",
        "B",
    ),
    (
        "Confluent: required is looked up among the properties only; a document may lack it",
        obj({"a": STRING}, required=["a"]),
        obj({"a": STRING}, required=["b"]),
        "BB",
        "C",
    ),
    (
        "Confluent: schemas of dependencies are compared; no object is a string or a number",
        {"dependentSchemas": {"a": STRING}},
        {"dependentSchemas": {"a": NUMBER}},
        "CC",
        "B",
    ),
    (
        "Apicurio: parts of oneOf are compared one by one; a longer maxLength excludes more",
        {"oneOf": [STRING, {"maxLength": 5}]},
        {"oneOf": [STRING, {"maxLength": 10}]},
        "BC",
        "C",
    ),
    (
        "Apicurio: a part added to oneOf widens; here it excludes short texts",
        {"oneOf": [STRING]},
        {"oneOf": [STRING, {"maxLength": 5}]},
        "BB",
        "C",
    ),
    (
        "Apicurio: another const breaks; a text is never an array, so neither accepts anything",
        {**STRING, "const": ["a"]},
        {**STRING, "const": ["b"]},
        "CC",
        "B",
    ),
]
TOLERANT: list[tuple[str, Any, Any, str]] = [
    ("optional added", obj({"a": STRING}), obj({"a": STRING, "b": NUMBER}), "CC"),
    ("optional added to closed", open_(False, a=STRING), open_(False, a=STRING, b=NUMBER), "CC"),
    ("optional removed", obj({"a": STRING, "b": NUMBER}), obj({"a": STRING}), "CC"),
    ("optional for another", obj({"a": STRING}), obj({"b": STRING}), "CC"),
    (
        "optional added inside",
        obj({"a": obj({"b": STRING})}),
        obj({"a": obj({"b": STRING, "c": NUMBER})}),
        "CC",
    ),
    (
        "optional added in items",
        {"items": obj({"b": STRING})},
        {"items": obj({"b": STRING, "c": NULL})},
        "CC",
    ),
    ("required added", obj({"a": STRING}), obj({"a": STRING, "b": NUMBER}, required=["b"]), "BC"),
    ("type changed", obj({"a": STRING}), obj({"a": NUMBER}), "BB"),
    ("enum grown", obj({"a": {"enum": ["x"]}}), obj({"a": {"enum": ["x", "y"]}}), "CB"),
    ("added to a free form", {"type": "object"}, obj({"a": STRING}), "BC"),
    ("added to a map", open_(NUMBER), open_(NUMBER, a=STRING), "BB"),
    (
        "required but not described",
        obj({"a": STRING}, required=["b"]),
        obj({"a": STRING, "b": STRING}),
        "BB",
    ),
    (
        "described by a part",
        {"allOf": [obj({"a": STRING}), obj({"b": STRING})]},
        obj({"a": STRING, "b": NUMBER}),
        "BB",
    ),
    (
        "described by an alternative",
        {"anyOf": [obj({"a": STRING}), obj({"b": STRING})]},
        obj({"b": NUMBER}),
        "BC",
    ),
    (
        "described by a definition",
        defined({"$ref": "#/$defs/x"}, x=obj({"a": STRING})),
        obj({"a": NUMBER}),
        "BB",
    ),
    (
        "a closed reader inside a choice",
        obj({"a": STRING, "b": STRING}),
        {"anyOf": [open_(False, a=STRING)]},
        "CB",
    ),
]


def decided(old: Any, new: Any, mode: Mode = Mode.STRICT) -> str:
    return LETTER[accepts(new, old, mode).verdict] + LETTER[accepts(old, new, mode).verdict]


def named(cases: list[tuple[Any, ...]]) -> list[str]:
    numbers = count(1)
    return [f"{next(numbers)}: {case[0]}" for case in cases]


@pytest.mark.parametrize(("name", "old", "new", "expected"), CASES, ids=named(CASES))
def test_strict(name: str, old: Any, new: Any, expected: str):
    assert decided(old, new) == expected, f"{name}: decided wrongly"


@pytest.mark.parametrize(("name", "old", "new", "ours", "theirs"), PEERS, ids=named(PEERS))
def test_where_peers_answer_otherwise(name: str, old: Any, new: Any, ours: str, theirs: str):
    assert decided(old, new) == ours, f"{name}: our answer changed"
    assert ours[0] != theirs, "this is no difference: move it to CASES"


@pytest.mark.parametrize(("name", "old", "new", "expected"), TOLERANT, ids=named(TOLERANT))
def test_tolerant(name: str, old: Any, new: Any, expected: str):
    assert decided(old, new, Mode.TOLERANT) == expected, f"{name}: decided wrongly"
