"""The first place where a document of type VARIANT breaks its contract.

All contracts are laid out as one table of places, and generic lambdas walk a parsed document
down that table, level by level. So the plan stays as small for a hundred contracts as for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract, Node
from transforms.contracts.numbers import MAX_SAFE_INTEGER, MOST_DIGITS
from transforms.events.reasons import Reason
from transforms.events.variants import elements_of, members_of, type_of

DECIMAL = "decimal(38, 22)"  # holds MAX_SAFE_INTEGER, and 17 digits of numbers down to 1e-6
LOCATION = (
    "struct<path: string, step: string, kind: string, types: array<string>, required: boolean, "
    "nullable: boolean, closed: boolean, members: array<int>, items: int, names: array<string>, "
    "lowered: array<string>, listsNull: boolean, enum: array<string>, const: string, "
    "pattern: string, format: string, minLength: int, maxLength: int, minItems: int, "
    "maxItems: int, minProperties: int, maxProperties: int, "
    f"minimum: {DECIMAL}, maximum: {DECIMAL}, exclusiveMinimum: {DECIMAL}, "
    f"exclusiveMaximum: {DECIMAL}, multipleOf: {DECIMAL}>"
)
TYPES = {
    "object": ("OBJECT",),
    "map": ("OBJECT",),
    "array": ("ARRAY",),
    "string": ("STRING",),
    "boolean": ("BOOLEAN",),
    "integer": ("BIGINT", "DECIMAL", "DOUBLE"),
    "number": ("BIGINT", "DECIMAL", "DOUBLE"),
}
DATE = r"^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
KEYWORDS = (  # constraints that a place holds under the contract's own names
    *("const", "format", "minLength", "maxLength", "multipleOf"),
    *("minItems", "maxItems", "minProperties", "maxProperties"),
)
ITEMS = f"array<struct<place: {LOCATION}, value: variant, within: boolean>>"
Lambda = Callable[[Column], Column]


def first_fault(
    value: Column, rounded: Column, contract: Column, contracts: Iterable[Contract]
) -> Column:
    """The first place where a document breaks its contract, outer places before inner ones.

    Args:
        value: variant, the document.
        rounded: array of strings, the `rounded_numbers` of its text.
        contract: string, the name of the contract to check it against.
        contracts: all contracts.

    Returns:
        Struct (reason, path, rule) of strings; null where the document satisfies its contract.
    """
    rows, roots, depth = _table(contracts)
    places = F.from_json(F.lit(json.dumps(rows)), f"array<{LOCATION}>")
    root = F.element_at(F.from_json(F.lit(json.dumps(roots)), "map<string, int>"), contract)
    top = _with_types(F.array(_item(F.get(places, root), value, F.lit(True))), rounded)
    walked = F.aggregate(
        F.sequence(F.lit(1), F.lit(depth)),
        F.struct(F.slice(top, 1, 0).alias("above"), top.alias("level")),
        lambda state, _: F.struct(
            F.concat(state["above"], state["level"]).alias("above"),
            _with_types(
                F.flatten(F.transform(state["level"], lambda item: _below(item, places))), rounded
            ).alias("level"),
        ),
        lambda state: state["above"],
    )
    faults = F.filter(F.transform(walked, _fault), lambda fault: fault.isNotNull())
    return F.get(faults, F.lit(0))


def _item(place: Column, value: Column, within: Column) -> Column:
    """Struct (place, value, within) of a value to check.

    Args:
        place: struct LOCATION.
        value: variant; null if absent.
        within: boolean, whether the parent is of a kind that can hold the place.
    """
    return F.struct(place.alias("place"), value.alias("value"), within.alias("within"))


def _below(item: Column, places: Column) -> Column:
    """Items one level below an item: the members that its place declares, or all its elements.

    Args:
        item: struct from `_with_types`.
        places: array of LOCATION, the table of all places.

    Returns:
        Array ITEMS; empty for a scalar.
    """
    place, value = item["place"], item["value"]
    members = F.transform(
        F.transform(place["members"], lambda index: F.get(places, index)),
        lambda member: _item(
            member,
            F.try_variant_get(value, member["step"], "variant"),
            item["type"] == "OBJECT",
        ),
    )
    elements = F.when(
        place["items"].isNotNull(),
        F.transform(
            F.coalesce(elements_of(value), F.map_values(members_of(value))),
            lambda element: _item(F.get(places, place["items"]), element, F.lit(True)),
        ),
    )
    return F.coalesce(members, elements, F.array().cast(ITEMS))


def _table(contracts: Iterable[Contract]) -> tuple[list[dict[str, Any]], dict[str, int], int]:
    """Lay all contracts out as one table of places.

    Returns:
        The rows of the table as LOCATION, the index of each contract's root by name, and the
        number of levels of the deepest contract.
    """
    rows: list[dict[str, Any]] = []

    def add(node: Node, step: str | None, required: bool) -> tuple[int, int]:
        """Append a node and all below it to the rows.

        Returns:
            The index of the node's row, and the number of levels from it down.
        """
        index = len(rows)
        row: dict[str, Any] = {"path": node.path, "kind": node.kind, "required": required}
        rows.append(row)
        below = [
            add(child, f'$["{name}"]', name in node.required) for name, child in node.fields.items()
        ]
        if node.fields:
            row |= {"members": [child for child, _ in below], "closed": node.closed}
            row |= {"names": [*node.fields], "lowered": [name.lower() for name in node.fields]}
        if node.items is not None:
            below = [add(node.items, None, True)]
            row["items"] = below[0][0]
        row |= {"step": step, "types": TYPES[node.kind], "nullable": node.nullable}
        row |= _constraints(node)
        return index, 1 + max((levels for _, levels in below), default=0)

    laid = {contract.name: add(contract.root, None, True) for contract in contracts}
    roots = {name: index for name, (index, _) in laid.items()}
    return rows, roots, max(levels for _, levels in laid.values())


def _constraints(node: Node) -> dict[str, Any]:
    """Constraints of a node under the names of LOCATION."""
    schema = node.schema
    told = {keyword: schema[keyword] for keyword in KEYWORDS if keyword in schema}
    if "enum" in schema:
        told["enum"] = node.listed
    beyond = MAX_SAFE_INTEGER + 1
    told |= {word: min(max(schema[word], -beyond), beyond) for word in BOUNDS if word in schema}
    return told | {"pattern": node.pattern, "listsNull": node.lists_null}


def _with_types(level: Column, rounded: Column) -> Column:
    """Add type, text, written, exact, number, keys and size to each item of a level.

    Args:
        level: array ITEMS.
        rounded: array of strings, the `rounded_numbers` of the text.

    Returns:
        Array of structs, as from `_with_measures`.
    """
    typed = F.transform(
        level,
        lambda item: F.struct(
            item["place"].alias("place"),
            item["value"].alias("value"),
            item["within"].alias("within"),
            type_of(item["value"]).alias("type"),
        ),
    )
    return F.transform(typed, lambda item: _with_measures(item, rounded))


def _with_measures(item: Column, rounded: Column) -> Column:
    """Add text, written, exact, number, keys and size to a typed item.

    Args:
        item: struct (place, value, within, type).
        rounded: array of strings, the `rounded_numbers` of the text.

    Returns:
        Struct (place, value, within, type, text string, written string, exact decimal, number
        double, keys array of strings, size int); null in what the item's type lacks.
    """
    value, is_type = item["value"], item["type"]
    keys = F.map_keys(members_of(value))
    number = F.when(is_type.isin(*TYPES["number"]), value.try_cast("double"))
    same = F.filter(rounded, lambda text: text.try_cast("double") == number)
    written = F.when(is_type == "DOUBLE", F.get(same, F.lit(0))).when(
        number.isNotNull(), value.try_cast("string")
    )
    return F.struct(
        item["place"].alias("place"),
        value.alias("value"),
        item["within"].alias("within"),
        is_type.alias("type"),
        F.when(is_type == "STRING", value.try_cast("string")).alias("text"),
        written.alias("written"),
        written.try_cast(DECIMAL).alias("exact"),
        number.alias("number"),
        F.when(is_type == "OBJECT", keys).alias("keys"),
        F.when(is_type == "ARRAY", F.size(elements_of(value)))
        .when(is_type == "OBJECT", F.size(keys))
        .alias("size"),
    )


def _fault(item: Column) -> Column:
    """The first check that an item fails.

    Returns:
        Struct (reason, path, rule) of strings; null if the item passes all.
    """
    place = item["place"]
    enum, const = (_fault_of(item, Reason.CONSTRAINT, word) for word in ("enum", "const"))
    found = F.when(
        item["value"].isNull(),
        F.when(
            place["required"] & item["within"],
            _fault_of(item, Reason.MISSING_FIELD, "required"),
        ),
    ).when(
        item["type"] == "VOID",
        F.when(~place["nullable"], _fault_of(item, Reason.WRONG_TYPE, "type"))
        .when(~place["listsNull"] & place["const"].isNotNull(), const)
        .when(~place["listsNull"], enum),
    )
    for reason, keyword, broken in CHECKS:
        found = found.when(broken(item), _fault_of(item, reason, keyword))
    return found


def _fault_of(item: Column, reason: Reason, keyword: str) -> Column:
    """Struct (reason, path, rule) of an item's fault, the path extended by an odd key if it is one.

    Args:
        item: struct from `_with_measures`.
        reason: reason code.
        keyword: keyword of the contract.
    """
    odd = ODD_KEYS[reason](item) if reason in ODD_KEYS else None
    path = item["place"]["path"]
    return F.struct(
        F.lit(str(reason)).alias("reason"),
        (path if odd is None else F.concat_ws(".", path, F.get(odd, F.lit(0)))).alias("path"),
        F.lit(keyword).alias("rule"),
    )


def _odd_keys(item: Column) -> Column:
    """Keys of an object that its place does not declare, sorted."""
    return F.sort_array(F.array_except(item["keys"], item["place"]["names"]))


def _misspelt_keys(item: Column) -> Column:
    """Undeclared keys that differ from a declared one in letter case only, sorted."""
    lowered = item["place"]["lowered"]
    return F.filter(_odd_keys(item), lambda key: F.array_contains(lowered, F.lower(key)))


def _has_odd_case(item: Column) -> Column:
    """Whether an undeclared key differs from a declared one in letter case only."""
    return F.size(_misspelt_keys(item)) > 0


ODD_KEYS = {Reason.WRONG_CASE_KEY: _misspelt_keys, Reason.UNKNOWN_FIELD: _odd_keys}


def _has_unknown(item: Column) -> Column:
    """Whether a closed object has undeclared keys."""
    return item["place"]["closed"] & (F.size(_odd_keys(item)) > 0)


def _has_wrong_type(item: Column) -> Column:
    """Whether a value is not of the kind of its place, or a number that the kind cannot hold.

    The number is judged as it is written, as `transforms.contracts.numbers.is_held` does.
    """
    kind, exact = item["place"]["kind"], item["exact"]
    fits = F.array_contains(item["place"]["types"], item["type"])
    mantissa = F.regexp_replace(item["written"], "[eE].*", "")
    digits = F.length(F.btrim(F.translate(mantissa, "-.", ""), F.lit("0")))
    safe = F.coalesce(F.abs(exact) <= MAX_SAFE_INTEGER, F.lit(False))
    held = safe & (digits <= MOST_DIGITS)
    whole = held & (exact == F.floor(exact)) & ((exact != 0) | (digits == 0))
    near = held & ((item["number"] != 0) | (digits == 0))
    return ~fits | ((kind == "integer") & ~whole) | ((kind == "number") & ~near)


def _has_wrong_format(item: Column) -> Column:
    """Whether a text breaks the `format` of its place.

    Returns:
        Boolean; null without a format.
    """
    text = item["text"]
    date = text.rlike(DATE + r"\z") & text.try_cast("date").isNotNull()
    moment = text.rlike(DATE + TIME + r"\z") & F.upper(text).try_cast("timestamp").isNotNull()
    return F.when(item["place"]["format"] == "date", ~date).when(
        item["place"]["format"] == "date-time", ~moment
    )


def _either(item: Column, holds: Callable[[Column, Column], Column], bound: str) -> Column:
    """Whether a relation to a bound holds of a number, as its decimal or its double shows.

    The decimal ends at 22 digits and the double at 53 bits: neither shows a relation that is not
    there, one of them shows each that is.

    Args:
        item: struct from `_with_measures`.
        holds: relation of a number and a bound, strict.
        bound: name of the bound in LOCATION.
    """
    place = item["place"][bound]
    return holds(item["exact"], place) | holds(item["number"], place.cast("double"))


CHECKS: tuple[tuple[Reason, str, Lambda], ...] = (
    (Reason.WRONG_TYPE, "type", _has_wrong_type),
    (Reason.WRONG_CASE_KEY, "properties", _has_odd_case),
    (Reason.UNKNOWN_FIELD, "additionalProperties", _has_unknown),
    *(
        (Reason.CONSTRAINT, keyword, broken)
        for keyword, broken in {
            "enum": lambda item: ~F.array_contains(item["place"]["enum"], item["text"]),
            "const": lambda item: item["text"] != item["place"]["const"],
            "minLength": lambda item: F.length(item["text"]) < item["place"]["minLength"],
            "maxLength": lambda item: F.length(item["text"]) > item["place"]["maxLength"],
            "pattern": lambda item: ~F.rlike(item["text"], item["place"]["pattern"]),
            "format": _has_wrong_format,
            "minimum": lambda item: _either(item, lambda n, bound: n < bound, "minimum"),
            "maximum": lambda item: _either(item, lambda n, bound: n > bound, "maximum"),
            "exclusiveMinimum": lambda item: (
                ~_either(item, lambda n, bound: n > bound, "exclusiveMinimum")
            ),
            "exclusiveMaximum": lambda item: (
                ~_either(item, lambda n, bound: n < bound, "exclusiveMaximum")
            ),
            "multipleOf": lambda item: _either(item, lambda n, step: n % step != 0, "multipleOf"),
            "minItems": lambda item: item["size"] < item["place"]["minItems"],
            "maxItems": lambda item: item["size"] > item["place"]["maxItems"],
            "minProperties": lambda item: item["size"] < item["place"]["minProperties"],
            "maxProperties": lambda item: item["size"] > item["place"]["maxProperties"],
        }.items()
    ),
)
