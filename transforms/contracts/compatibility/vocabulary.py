"""Keywords of JSON Schema 2020-12, by the form of their values and the kind they assert about."""

from __future__ import annotations

SUBSCHEMA = frozenset(
    {
        *("not", "if", "then", "else", "items", "contains", "additionalProperties"),
        *("propertyNames", "unevaluatedItems", "unevaluatedProperties"),
    }
)
SUBSCHEMA_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
SUBSCHEMA_MAP = frozenset({"properties", "patternProperties", "dependentSchemas"})
IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
STRING = frozenset({"minLength", "maxLength", "pattern", "format"})
ARRAY = frozenset(
    {
        *("minItems", "maxItems", "uniqueItems", "prefixItems", "items"),
        *("contains", "minContains", "maxContains", "unevaluatedItems"),
    }
)
OBJECT = frozenset(
    {
        *("minProperties", "maxProperties", "required", "dependentRequired", "dependentSchemas"),
        *("properties", "patternProperties", "additionalProperties", "propertyNames"),
        "unevaluatedProperties",
    }
)
KNOWN = (
    SUBSCHEMA
    | SUBSCHEMA_LIST
    | SUBSCHEMA_MAP
    | NUMBER
    | STRING
    | ARRAY
    | OBJECT
    | {
        *("type", "enum", "const", "$ref"),
    }
)
IGNORED = frozenset(
    {
        *("$schema", "$id", "id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary"),
        *("title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"),
    }
)
