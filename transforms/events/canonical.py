"""Canonical texts: valid events that a regular expression alone recognises.

Almost every event is written by a serializer in the contract's own order, without unknown
fields, escapes or nulls. A contract has a pattern for such texts, with no gap or one space after
each comma and colon. A text that matches the pattern, and whose parsed values are `within` the
contract's bounds, is a valid event that from_json reads exactly: there is no room for a repeated
or unknown key, a value of another type, an escape, a byte outside printable ASCII, or anything
before or behind the document. The converse does not hold: a text that does not match may be as
valid, and `strict` decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as sf

from transforms.events.contract import MAX_SAFE_INTEGER, Contract, Node

GAPS = ("", " ")
PLAIN = r"[ !#-\[\]-~]"  # printable ASCII without quote and backslash
PLAIN_TEXT = re.compile(f"{PLAIN}*")
NEVER = "(?!)"
END = r"(?![\s\S])"
CLASS = r"\[(?:\\.|[^\]\\])*\]"
CHARACTERS = re.compile(rf"{CLASS}\+")
WHOLE = "(?:0|[1-9][0-9]{0,14})"  # below 2^53
MOST_REPEATS = 32
DATE = (
    "[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
FORMATS = {
    "date": DATE,
    "date-time": DATE + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?+Z",
}


def canonical(contract: Contract, gap: str) -> str:
    """The pattern of a contract's canonical texts, for Java.

    Args:
        contract: the contract.
        gap: what follows each comma and colon, one of GAPS.
    """
    return f"^{_object(contract.root, gap)}\\z"


def opening(contract: Contract, gap: str) -> str:
    """How every canonical text begins: the constants that the contract puts first."""
    text = "{"
    for name, node in contract.root.fields.items():
        if "const" not in node.schema:
            break
        text += f'"{name}":{gap}"{node.schema["const"]}",{gap}'
    return text.removesuffix(f",{gap}")


def within(node: Node, value: Column) -> Column:
    """Whether parsed values keep the bounds that a pattern cannot count.

    Args:
        node: an object of the contract.
        value: struct read by from_json from a text that matches the pattern.

    Returns:
        Boolean: lengths and numbers of all fields, those in arrays and maps excepted, are
        within their bounds. Absent fields are; null where `value` is null.
    """
    return reduce(lambda left, right: left & right, _bounds(node, value), value.isNotNull())


def _bounds(node: Node, value: Column) -> Iterator[Column]:
    for name, child in node.fields.items():
        yield from _bounds(child, value[name])
    if node.kind == "string" and "maxLength" in node.schema:
        # never fewer bytes than characters
        yield _holds(sf.octet_length(value) <= node.schema["maxLength"])
    for keyword, holds in NUMERIC.items():
        if keyword in node.schema:
            yield _holds(holds(value, sf.lit(node.schema[keyword])))


def _holds(condition: Column) -> Column:
    return sf.coalesce(condition, sf.lit(True))


NUMERIC: dict[str, Callable[[Column, Column], Column]] = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "multipleOf": lambda value, step: value % step == 0,
}


def _value(node: Node, gap: str, *, repeated: bool) -> str:
    if node.kind == "object":
        return _object(node, gap, repeated=repeated)
    if node.items is not None:
        return _map(node, gap) if node.kind == "map" else _array(node, gap)
    if node.kind == "boolean":
        return "(?:true|false)"
    if node.kind == "string":
        return f'"{_string(node, repeated=repeated)}"'
    return _number(node, repeated=repeated)


def _object(node: Node, gap: str, *, repeated: bool = False) -> str:
    members = [
        (f'"{name}":{gap}{_value(child, gap, repeated=repeated)}', name in node.required)
        for name, child in node.fields.items()
    ]
    first, *others = members
    if first[1]:
        tail = (f",{gap}{text}" if must else f"(?:,{gap}{text})?+" for text, must in others)
        return rf"\{{{first[0]}{''.join(tail)}\}}"
    # any member may be the last: a comma must lead to another, else the object ends
    ended = rf'(?:,{gap}(?=")|(?=\}}))'
    parts = (text + ended if must else f"(?:{text}{ended})?+" for text, must in members)
    return rf"\{{{''.join(parts)}\}}"


def _array(node: Node, gap: str) -> str:
    assert node.items is not None
    item = _value(node.items, gap, repeated=True)
    least = node.schema.get("minItems", 0)
    most = min(node.schema.get("maxItems", MOST_REPEATS), MOST_REPEATS)
    if most < max(least, 1):
        return NEVER
    some = f"{item}(?:,{gap}{item}){{{max(least - 1, 0)},{most - 1}}}+"
    return rf"\[{some}\]" if least else rf"\[(?:{some})?+\]"


def _map(node: Node, gap: str) -> str:
    """Of at most one member, as a pattern cannot tell that two keys differ."""
    assert node.items is not None
    if node.schema.get("minProperties", 0) > 1 or node.schema.get("maxProperties", 1) < 1:
        return NEVER
    one = f'"{PLAIN}*+":{gap}{_value(node.items, gap, repeated=True)}'
    return rf"\{{{one}\}}" if node.schema.get("minProperties", 0) else rf"\{{(?:{one})?+\}}"


def _string(node: Node, *, repeated: bool) -> str:
    schema = node.schema
    listed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if listed is not None:
        choices = (re.escape(value) for value in listed if PLAIN_TEXT.fullmatch(value))
        return f"(?:{'|'.join(choices) or NEVER})"
    shape = FORMATS.get(schema.get("format", ""))
    least = schema.get("minLength", 0)
    plain = PLAIN + _times(least, schema.get("maxLength") if repeated else None)
    if "pattern" not in schema:
        return shape or plain
    body = schema["pattern"].removeprefix("^").removesuffix(END).removesuffix("$")
    if CHARACTERS.fullmatch(body) and least <= 1 and not repeated and not shape:
        return f"{_plain_class(body)}+"
    if _may_match_quote(body):
        return NEVER
    return f'(?=(?:{body})"){shape or plain}'


def _times(least: int, most: int | None) -> str:
    if most is None and least <= 1:
        return "*+"[least]  # Java scans these, without bounds, several times as fast
    return f"{{{least},{'' if most is None else most}}}+"


def _plain_class(body: str) -> str:
    characters = (chr(code) for code in range(0x20, 0x7F))
    members = (c for c in characters if PLAIN_TEXT.fullmatch(c) and re.fullmatch(body, c))
    return f"[{''.join(re.escape(c) for c in members)}]"


def _may_match_quote(body: str) -> bool:
    classes = re.findall(CLASS, body)
    rest = re.sub(r"\\.", "", re.sub(CLASS, "", body))
    return any(re.fullmatch(found, '"') for found in classes) or any(c in rest for c in '."')


def _number(node: Node, *, repeated: bool) -> str:
    whole = _few_digits(node) if repeated else WHOLE
    return whole if node.kind == "integer" else whole + r"(?:\.[0-9]{1,17})?+"


def _few_digits(node: Node) -> str:
    """Whole parts so short that the bounds hold: below the greatest power of ten in them."""
    schema = node.schema
    least, most = schema.get("minimum", 0), schema.get("maximum", MAX_SAFE_INTEGER)
    if least > 0 or most < 1 or schema.keys() & {*NUMERIC} - {"minimum", "maximum"}:
        return NEVER
    digits = len(str(int(most))) - 1
    return f"(?:0|[1-9][0-9]{{0,{digits - 1}}})" if digits else "0"
