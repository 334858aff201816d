"""Expansion of a claim, by the kind of the value, to the combined alternatives of its keywords."""

from __future__ import annotations

from collections.abc import Mapping

from transforms.contracts.compatibility.assertions import OF_KIND
from transforms.contracts.compatibility.claims import Claim, Fact
from transforms.contracts.compatibility.combinations import ANY_KIND
from transforms.contracts.compatibility.documents import is_annotation
from transforms.contracts.compatibility.terms import (
    FALSE,
    Alternatives,
    Choice,
    Keyword,
    Kind,
    truth,
)
from transforms.contracts.compatibility.vocabulary import ARRAY, KNOWN, NUMBER, OBJECT, STRING

ABOUT: Mapping[Kind, frozenset[str]] = {
    "null": frozenset(),
    "boolean": frozenset(),
    "number": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}


def alternatives(claim: Claim, kind: Kind) -> Alternatives:
    """The alternatives in which a claim is true of a value of a kind.

    Args:
        claim: claim about a value.
        kind: kind of the value.

    Returns:
        Conjunctions, one of which must hold; none if the claim cannot be true.
    """
    if isinstance(claim.schema, bool):
        return [[Fact(claim.origin, claim.blamed)]] if claim.schema is claim.holds else FALSE
    each = [_keyword(claim, keyword, kind) for keyword in claim.schema]
    if not claim.holds:
        return [option for alternatives in each for option in alternatives]
    if FALSE in each:
        return FALSE
    each.sort(key=len)
    return [[item for part in each for item in (part[0] if len(part) == 1 else [Choice(part)])]]


def _keyword(claim: Claim, keyword: str, kind: Kind) -> Alternatives:
    """The alternatives in which one keyword holds, or fails, as the claim says."""
    assert isinstance(claim.schema, Mapping)
    if is_annotation(keyword) or keyword in {"then", "else", "minContains", "maxContains"}:
        return truth(claim, True)
    value = claim.schema[keyword]
    if keyword in ANY_KIND:
        return ANY_KIND[keyword](Keyword(claim, keyword, value, kind))
    if keyword not in KNOWN:
        return Keyword(claim, keyword, value, kind).opaque()
    if keyword not in ABOUT[kind]:
        return truth(claim, True)
    return OF_KIND[keyword](Keyword(claim, keyword, value, kind))
