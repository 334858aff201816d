"""The fast lane: regular expressions that recognise canonical texts, which are valid events.

Almost every event is written by a serializer in the contract's own order, without unknown
fields, escapes or nulls. A contract has two patterns for such texts: without gaps, and with one
space after each comma and colon. A text that matches is a valid event, whose values the groups of
the pattern capture for `fast_lane_values`: the pattern leaves no room for a repeated or unknown
key, a value of another type or out of bounds, an escape, a byte outside printable ASCII, or
anything before or behind the document. The converse does not hold: a text that does not match may
be as valid, and `strict_lane` decides.

Patterns are most of the cost of a record, so they are written for Java's engine: it matches a
literal faster than an optional space, and tries frequent alternatives first.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from transforms.contracts.contract import Contract, Node
from transforms.contracts.formats import USUAL
from transforms.contracts.numbers import MAX_SAFE_INTEGER
from transforms.contracts.patterns import END
from transforms.events import fast_lane_values

GAPS = ("", " ")  # white space after each comma and colon
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
NEVER = "(?!)"
NOTHING: Mapping[str, bool] = MappingProxyType({})
CLASS = r"\[(?:\\.|[^\]\\])*\]"
CHARACTERS = re.compile(rf"{CLASS}\+")
GROUP = re.compile(rf"\\.|{CLASS}|\((?!\?)")  # the start of a group, or text that resembles it
FRACTION = r"(?:\.[0-9]{1,17})?+"
AT_MOST_17_DIGITS = r"(?![1-9][0-9.]{18})"  # before a number with FRACTION
NO_FRACTION = r"(?:\.0)?+"
MOST_REPEATS = 32
LONGEST_KEY = 512
MOST_MULTIPLES = 100
FORMAT_HOLDS = {  # patterns of contracts that every text of the format's shape matches
    "date-time": (
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
        r"(\.[0-9]{1,9})?(Z|\+00:00)"
    ),
}


def canonical_pattern(contract: Contract, gap: str) -> str:
    """Regular expression, for Java, of a contract's canonical texts.

    Args:
        contract: the contract.
        gap: white space after each comma and colon, one of GAPS.

    Returns:
        The pattern; its groups capture the values of `captured_paths`, in that order.
    """
    return f"^{_object(contract.root, gap, fast_lane_values.captured_paths(contract))}\\z"


def opening(contract: Contract, gap: str) -> str:
    """The start that all canonical texts of a contract share: the constants of its first fields.

    Args:
        contract: the contract.
        gap: white space after each comma and colon, one of GAPS.

    Returns:
        JSON text without the closing brace, such as `{"eventType":"UserEngagement"`.
    """
    constants = {}
    for name, node in contract.root.fields.items():
        if "const" not in node.schema:
            break
        constants[name] = node.schema["const"]
    return json.dumps(constants, separators=(f",{gap}", f":{gap}")).removesuffix("}")


def _value(node: Node, gap: str, held: Mapping[str, bool] = NOTHING) -> str:
    """Pattern of any value of a node.

    Args:
        node: place in the contract.
        gap: white space after each comma and colon.
        held: `captured_paths`, the values to capture in groups; empty for none.
    """
    if node.kind == "object":
        return _object(node, gap, held)
    if node.kind == "string":
        text = _string(node)
        if node.path not in held:
            return f'"{text}"'
        return f'("{text})"' if held[node.path] else f'"({text})"'
    text = _unquoted(node, gap)
    return f"({text})" if node.path in held else text


def _unquoted(node: Node, gap: str) -> str:
    """Pattern of a value that is neither an object nor a string."""
    if node.items is not None:
        return _map(node, gap) if node.kind == "map" else _array(node, gap)
    return "(?:true|false)" if node.kind == "boolean" else _number(node)


def _object(node: Node, gap: str, held: Mapping[str, bool] = NOTHING) -> str:
    """Pattern of an object: its fields in the contract's order, optional ones may be absent.

    Args:
        node: object node.
        gap: white space after each comma and colon.
        held: `captured_paths`, the values to capture in groups.
    """
    opened = r"(\{)" if node.path in held else r"\{"
    members = [
        (f'"{name}":{gap}{_value(child, gap, held)}', name in node.required)
        for name, child in node.fields.items()
    ]
    first, *others = members
    if first[1]:
        tail = (f",{gap}{text}" if must else f"(?:,{gap}{text})?+" for text, must in others)
        return rf"{opened}{first[0]}{''.join(tail)}\}}"
    # any member may be the last: a comma must precede another, else the object ends
    ended = rf'(?:,{gap}(?=")|(?=\}}))'
    parts = (text + ended if must else f"(?:{text}{ended})?+" for text, must in members)
    return rf"{opened}{''.join(parts)}\}}"


def _array(node: Node, gap: str) -> str:
    """Pattern of an array of at most MOST_REPEATS elements.

    Returns:
        The pattern; NEVER if the array must be longer or can only be empty.
    """
    assert node.items is not None
    item = _value(node.items, gap)
    least = node.schema.get("minItems", 0)
    most = min(node.schema.get("maxItems", MOST_REPEATS), MOST_REPEATS)
    if most < max(least, 1):
        return NEVER
    some = f"{item}(?:,{gap}{item}){{{max(least - 1, 0)},{most - 1}}}+"
    return rf"\[{some}\]" if least else rf"\[(?:{some})?+\]"


def _map(node: Node, gap: str) -> str:
    """Pattern of a map of at most one member, as a pattern cannot tell that two keys differ.

    Returns:
        The pattern; NEVER if the map must hold more members, or none.
    """
    assert node.items is not None
    if node.schema.get("minProperties", 0) > 1 or node.schema.get("maxProperties", 1) < 1:
        return NEVER
    one = f'"{PLAIN}{{0,{LONGEST_KEY}}}+":{gap}{_value(node.items, gap)}'
    return rf"\{{{one}\}}" if node.schema.get("minProperties", 0) else rf"\{{(?:{one})?+\}}"


def _string(node: Node) -> str:
    """Pattern of a string without its quotes.

    Returns:
        The pattern; NEVER if none can express the constraints.
    """
    schema = node.schema
    if node.listed is not None:
        return _any_of(re.escape(value) for value in node.listed if _is_plain(value))
    times = _times(schema.get("minLength", 0), schema.get("maxLength"))
    shape = USUAL.get(schema.get("format", ""), PLAIN + times)
    if node.pattern is None:
        return shape
    body = node.pattern.removeprefix("^").removesuffix(END)
    if body == FORMAT_HOLDS.get(schema.get("format", "")):
        return shape
    if CHARACTERS.fullmatch(body) and "format" not in schema:
        return _plain_class(body) + times
    return NEVER if _may_match_quote(body) else f'(?=(?:{_without_groups(body)})"){shape}'


def _times(least: int, most: int | None) -> str:
    """Quantifier of plain characters, greedy and not possessive, which Java matches faster.

    Nothing is tried twice by that: a quote follows, and no plain character is one.

    Args:
        least: minimum of characters.
        most: maximum of characters; None for no limit.
    """
    if most is None and least < 2:
        return "*+"[least]
    return f"{{{least},{'' if most is None else most}}}"


def _is_plain(text: str) -> bool:
    """Whether a text consists of printable ASCII that JSON does not escape."""
    return all(character in PRINTABLE and character not in '"\\' for character in text)


def _plain_class(pattern: str) -> str:
    """Character class of the plain characters that a pattern matches.

    It lists them one by one: Java tests a list by one look-up.
    """
    return f"[{''.join(re.escape(c) for c in PRINTABLE if _is_plain(c) and re.match(pattern, c))}]"


PLAIN = _plain_class(".")


def _may_match_quote(body: str) -> bool:
    """Whether a contract's pattern might match a quote; true in cases of doubt."""
    classes = re.findall(CLASS, body)
    rest = re.sub(r"\\.", "", re.sub(CLASS, "", body))
    return any(re.fullmatch(found, '"') for found in classes) or any(c in rest for c in '."')


def _without_groups(body: str) -> str:
    """Make the groups of a pattern non-capturing, so that group numbers follow `captured_paths`."""
    return GROUP.sub(lambda found: "(?:" if found[0] == "(" else found[0], body)


def _number(node: Node) -> str:
    """Pattern of the numbers within a node's bounds, those below 0 excepted.

    Longer numbers come before shorter ones: an optional member never gives back what it matched.
    """
    schema = node.schema
    above = math.floor(schema.get("exclusiveMinimum", -1)) + 1
    below = math.ceil(schema.get("exclusiveMaximum", MAX_SAFE_INTEGER + 1)) - 1
    low = max(math.ceil(schema.get("minimum", 0)), above, 0)
    high = min(math.floor(schema.get("maximum", MAX_SAFE_INTEGER)), below)
    if "multipleOf" in schema:
        least = low if "exclusiveMinimum" in schema else max(schema.get("minimum", 0), 0)
        return _any_of(reversed(_multiples(least, high, schema["multipleOf"], node.kind)))
    if node.kind == "integer" or low > high:
        return _any_of(_whole(low, high))
    fractions = f"{AT_MOST_17_DIGITS}{_any_of(_whole(low, high - 1))}{FRACTION}"
    return f"(?:{high}{NO_FRACTION}|{fractions})"


def _multiples(low: float, high: int, step: float, kind: str) -> list[str]:
    """Patterns of the multiples of a step, ascending.

    Args:
        low: lower bound, inclusive.
        high: upper bound, inclusive.
        step: the contract's multipleOf.
        kind: `integer` for whole multiples only, or `number`.

    Returns:
        A pattern for each multiple; empty if there are more than about MOST_MULTIPLES.
    """
    first, last = math.ceil(low / step), math.floor(high / step)
    if last - first > MOST_MULTIPLES:
        return []
    values = (factor * step for factor in range(first, last + 1))
    if kind == "integer":
        return [str(int(value)) for value in values if value == int(value)]
    return [
        f"{int(value)}{NO_FRACTION}" if value == int(value) else re.escape(str(value))
        for value in values
    ]


def _any_of(patterns: Iterable[str]) -> str:
    """Pattern that matches any of the patterns.

    Returns:
        The pattern; NEVER without patterns.
    """
    return f"(?:{'|'.join(patterns) or NEVER})"


def _whole(low: int, high: int) -> list[str]:
    """Patterns that together match the whole numbers from low to high, low not below 0.

    The numbers whose every digit is free come first, as nearly all are of these.
    """
    free = [digits for digits in range(2, 17) if low <= 10 ** (digits - 1) and 10**digits <= high]
    if not free:
        return _ranges(low, high)[::-1]
    most, fewest = free[-1], free[0]
    frequent = f"[1-9][0-9]{{{fewest - 1},{most - 1}}}+(?![0-9])"
    others = _ranges(low, 10 ** (fewest - 1) - 1) + _ranges(10**most, high)
    return [frequent, *reversed(others)]


def _ranges(low: int, high: int) -> list[str]:
    """Patterns that together match the whole numbers from low to high, ascending.

    Returns:
        The patterns; empty if low exceeds high.
    """
    if low > high:
        return []
    if low // 10 == high // 10:
        return [f"{low // 10 or ''}[{low % 10}-{high % 10}]"]
    if low < 10 or low % 10:  # up to the next ten; a number has no leading zero
        return [f"{low // 10 or ''}[{low % 10}-9]", *_ranges(low // 10 * 10 + 10, high)]
    if high % 10 < 9:
        return [*_ranges(low, high // 10 * 10 - 1), f"{high // 10}[0-{high % 10}]"]
    return [f"{tens}[0-9]" for tens in _ranges(low // 10, high // 10)]
