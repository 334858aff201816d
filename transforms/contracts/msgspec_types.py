"""The msgspec types of contracts: what a compiled decoder checks while it parses.

A type takes no event that the contract refuses. It refuses some that the contract takes, such as
an integer written 7.0 or an event of February 29, and it rounds numbers: `strict_lane` judges such
texts place by place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from types import GenericAlias
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from transforms.contracts.contract import Contract, Node
from transforms.contracts.formats import USUAL
from transforms.contracts.numbers import MAX_SAFE_INTEGER


def struct_of(contract: Contract) -> type[msgspec.Struct]:
    """The struct of a contract's events, its members in the order of the file.

    The attribute of a member is `attribute(name)`. An absent optional member is UNSET, and is left
    out when the struct is encoded.
    """
    return _struct(contract.root)


def attribute(name: str) -> str:
    """The attribute of a struct that holds a member; no name of it is a word of Python's."""
    return f"{name}_"


def _type(node: Node) -> Any:
    """The type of a node's values."""
    declared = _TYPES[node.kind](node)
    return declared | None if node.nullable and node.lists_null else declared


def _struct(node: Node) -> type[msgspec.Struct]:
    """The struct of an object node."""
    members: list[Any] = [
        (attribute(name), _type(child))
        if name in node.required
        else (attribute(name), _type(child) | UnsetType, UNSET)
        for name, child in node.fields.items()
    ]
    return msgspec.defstruct(
        "Event",
        members,
        kw_only=True,
        rename={attribute(name): name for name in node.fields},
        forbid_unknown_fields=node.closed,
        gc=False,
    )


def _string(node: Node) -> Any:
    """The type of a string: one of the listed values, or a text within its constraints."""
    if node.listed is not None:
        return Literal[tuple(node.listed)]
    return Annotated[
        str,
        Meta(
            min_length=_length(node, "minLength"),
            max_length=_length(node, "maxLength"),
            pattern=_pattern(node),
        ),
    ]


def _pattern(node: Node) -> str | None:
    """Regular expression of the texts that a string's pattern and format both take, if any."""
    pattern, usual = node.pattern, USUAL.get(node.schema.get("format", ""))
    if usual is None or pattern is None:
        return pattern if usual is None else rf"\A{usual}\Z"
    return rf"\A(?={usual}\Z)[\s\S]*?(?:{pattern})"


def _integer(node: Node) -> Any:
    """The type of a whole number, its bounds those of the contract and of MAX_SAFE_INTEGER."""
    schema = node.schema
    above = math.floor(schema.get("exclusiveMinimum", -MAX_SAFE_INTEGER - 1)) + 1
    below = math.ceil(schema.get("exclusiveMaximum", MAX_SAFE_INTEGER + 1)) - 1
    step = schema.get("multipleOf", 1)
    return Annotated[
        int,
        Meta(
            ge=max(math.ceil(schema.get("minimum", above)), above, -MAX_SAFE_INTEGER),
            le=min(math.floor(schema.get("maximum", below)), below, MAX_SAFE_INTEGER),
            multiple_of=int(step) if step > 1 else None,
        ),
    ]


def _number(node: Node) -> Any:
    """The type of a number, its bounds those of the contract and of MAX_SAFE_INTEGER."""
    schema = node.schema
    least = max(float(schema.get("minimum", -MAX_SAFE_INTEGER)), float(-MAX_SAFE_INTEGER))
    most = min(float(schema.get("maximum", MAX_SAFE_INTEGER)), float(MAX_SAFE_INTEGER))
    above, below = (
        schema.get("exclusiveMinimum", -math.inf),
        schema.get("exclusiveMaximum", math.inf),
    )
    step = schema.get("multipleOf")
    bounds = [
        Meta(ge=least) if least > above else Meta(gt=float(above)),
        Meta(le=most) if most < below else Meta(lt=float(below)),
        *([] if step is None else [Meta(multiple_of=float(step))]),
    ]
    number: Any = float
    return reduce(lambda declared, bound: Annotated[declared, bound], bounds, number)


def _array(node: Node) -> Any:
    """The type of an array."""
    assert node.items is not None
    least, most = _length(node, "minItems"), _length(node, "maxItems")
    array = GenericAlias(list, (_type(node.items),))
    return Annotated[array, Meta(min_length=least, max_length=most)]


def _map(node: Node) -> Any:
    """The type of a map."""
    assert node.items is not None
    least, most = _length(node, "minProperties"), _length(node, "maxProperties")
    members = GenericAlias(dict, (str, _type(node.items)))
    return Annotated[members, Meta(min_length=least, max_length=most)]


def _length(node: Node, keyword: str) -> int | None:
    """A constraint on length or size, as an integer; None without it."""
    value = node.schema.get(keyword)
    return None if value is None else int(value)


_TYPES: dict[str, Callable[[Node], Any]] = {
    "object": _struct,
    "map": _map,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: bool,
}
