"""Meaning of keywords for values of any kind: types, listed values, combined schemas."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from transforms.contracts.compatibility.claims import Among, Divisible, Fact
from transforms.contracts.compatibility.terms import FALSE, Alternatives, Keyword


def _type(of: Keyword) -> Alternatives:
    """Alternatives of `type`."""
    allowed = {of.value} if isinstance(of.value, str) else set(of.value)
    if of.kind == "number" and "number" not in allowed and "integer" in allowed:
        return [[Divisible(*of.facts, Fraction(1), of.holds)]]
    return [[Fact(*of.facts)]] if (of.kind in allowed) is of.holds else FALSE


def _enum(of: Keyword) -> Alternatives:
    """Alternatives of `enum` and `const`."""
    values = of.value if of.keyword == "enum" else [of.value]
    return [[Among(*of.facts, tuple(values), of.holds)]]


def _ref(of: Keyword) -> Alternatives:
    """Alternatives of `$ref`; opaque if it leads out of the document."""
    target = of.claim.document.target(of.value)
    return of.opaque() if target is None else [[of.here(target, of.holds)]]


def _all_of(of: Keyword) -> Alternatives:
    """Alternatives of `allOf`."""
    if of.holds:
        return [[of.here(schema, True) for schema in of.value]]
    return [[of.here(schema, False)] for schema in of.value]


def _any_of(of: Keyword) -> Alternatives:
    """Alternatives of `anyOf`."""
    if of.holds:
        return [[of.here(schema, True)] for schema in of.value]
    if len(of.value) == 1:
        return [[of.here(of.value[0], False)]]
    return [[of.here(schema, False, of.combined) for schema in of.value]]


def _one_of(of: Keyword) -> Alternatives:
    """Alternatives of `oneOf`."""
    if len(of.value) == 1:
        return [[of.here(of.value[0], of.holds)]]
    each = range(len(of.value))
    if of.holds:
        return [[of.here(of.value[i], i == chosen) for i in each] for chosen in each]
    none = [of.here(schema, False, of.combined) for schema in of.value]
    pairs = [
        [of.here(of.value[i], True, of.combined), of.here(of.value[j], True, of.combined)]
        for i in each
        for j in each
        if i < j
    ]
    return [none, *pairs]


def _not(of: Keyword) -> Alternatives:
    """Alternatives of `not`."""
    return [[of.here(of.value, not of.holds, of.combined)]]


def _if(of: Keyword) -> Alternatives:
    """Alternatives of `if` with its `then` and `else`."""
    assert isinstance(of.claim.schema, Mapping)
    return [
        [
            of.here(of.value, met, of.origin),
            of.here(of.claim.schema.get(branch, True), of.holds),
        ]
        for branch, met in (("then", True), ("else", False))
    ]


ANY_KIND = {
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "$ref": _ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
}
