"""Meaning of keywords for values of one kind: numbers, texts, arrays, objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from fractions import Fraction

from transforms.contracts.compatibility.claims import (
    AtLeast,
    AtMost,
    Divisible,
    EveryName,
    Few,
    Indices,
    Names,
    Some,
    SomeName,
)
from transforms.contracts.compatibility.terms import FALSE, Alternatives, Item, Keyword, truth
from transforms.contracts.compatibility.vocabulary import IN_PLACE


def _limit(of: Keyword) -> Alternatives:
    """Alternatives of bounds of numbers and sizes."""
    bound = Fraction(str(of.value))
    lower = "inimum" in of.keyword or of.keyword.startswith("min")
    strict = of.keyword.startswith("exclusive")
    if of.holds:
        return [[(AtLeast if lower else AtMost)(*of.facts, bound, strict)]]
    return [[(AtMost if lower else AtLeast)(*of.facts, bound, not strict)]]


def _multiple_of(of: Keyword) -> Alternatives:
    """Alternatives of `multipleOf`."""
    step = Fraction(str(of.value))
    if step.denominator > 1 and not (_is_power_of_two(step)):
        return of.opaque()  # implementations round differently
    return [[Divisible(*of.facts, step, of.holds)]]


def _is_power_of_two(step: Fraction) -> bool:
    """Whether a step is 1 over a power of two."""
    return step.numerator == 1 and step.denominator.bit_count() == 1


def _text(of: Keyword) -> Alternatives:
    """Alternatives of `pattern` and `format`, which are only compared by their text."""
    return of.opaque()


def _unique(of: Keyword) -> Alternatives:
    """Alternatives of `uniqueItems`."""
    return of.opaque() if of.value else truth(of.claim, True)


def _prefix_items(of: Keyword) -> Alternatives:
    """Alternatives of `prefixItems`."""
    return of.every(*((Indices(i, i + 1), schema, f"[{i}]") for i, schema in enumerate(of.value)))


def _items(of: Keyword) -> Alternatives:
    """Alternatives of `items`."""
    assert isinstance(of.claim.schema, Mapping)
    start = len(of.claim.schema.get("prefixItems", ()))
    return of.every((Indices(start), of.value, "[*]"))


def _contains(of: Keyword) -> Alternatives:
    """Alternatives of `contains` with its `minContains` and `maxContains`."""
    assert isinstance(of.claim.schema, Mapping)
    least = of.claim.schema.get("minContains", 1)
    most = of.claim.schema.get("maxContains")
    inside = of.below(of.value, True, "[*]")
    parts: list[tuple[Alternatives, Alternatives]] = []
    if least > 0:
        enough: list[Item] = [Some(*of.facts, Indices(), inside, int(least))]
        lacking: list[Item] = [Few(*of.facts, int(least) - 1, inside)]
        parts.append(([enough], [lacking]))
    if most is not None:
        within: list[Item] = [Few(*of.facts, int(most), inside)]
        beyond: list[Item] = [Some(*of.facts, Indices(), inside, int(most) + 1)]
        parts.append(([within], [beyond]))
    return of.all_or_any(*parts)


def _unevaluated_items(of: Keyword) -> Alternatives:
    """Alternatives of `unevaluatedItems`."""
    return _unevaluated(of, _items, "items", IN_PLACE | {"$ref", "contains"})


def _properties(of: Keyword) -> Alternatives:
    """Alternatives of `properties`."""
    return of.every(
        *((Names(frozenset({name})), schema, f".{name}") for name, schema in of.value.items())
    )


def _pattern_properties(of: Keyword) -> Alternatives:
    """Alternatives of `patternProperties`."""
    return of.every(
        *((Names(patterns=frozenset({p})), schema, ".*") for p, schema in of.value.items())
    )


def _additional_properties(of: Keyword) -> Alternatives:
    """Alternatives of `additionalProperties`."""
    assert isinstance(of.claim.schema, Mapping)
    tolerant = of.claim.blamed and of.claim.document.ignore_undeclared
    if of.value is False and tolerant and not of.holds:
        return FALSE
    names = frozenset(of.claim.schema.get("properties", ()))
    patterns = frozenset(of.claim.schema.get("patternProperties", ()))
    return of.every((Names(names, patterns, others=True), of.value, ".*"))


def _unevaluated_properties(of: Keyword) -> Alternatives:
    """Alternatives of `unevaluatedProperties`."""
    return _unevaluated(of, _additional_properties, "additionalProperties", IN_PLACE | {"$ref"})


def _unevaluated(
    of: Keyword, alone: Callable[[Keyword], Alternatives], rest: str, evaluating: Set[str]
) -> Alternatives:
    """Alternatives of an `unevaluated` keyword.

    Args:
        of: the keyword.
        alone: its alternatives where only plain keywords beside it evaluate.
        rest: keyword beside it that leaves it nothing to evaluate.
        evaluating: keywords beside it whose evaluation is not followed, which make it opaque.
    """
    assert isinstance(of.claim.schema, Mapping)
    schema = of.claim.schema
    if of.value is True or rest in schema:
        return truth(of.claim, True)
    return of.opaque(schema) if schema.keys() & evaluating else alone(of)


def _required(of: Keyword) -> Alternatives:
    """Alternatives of `required`."""
    return of.all_or_any(
        *(([[of.present(name, True)]], [[of.present(name, False)]]) for name in of.value)
    )


def _dependent_required(of: Keyword) -> Alternatives:
    """Alternatives of `dependentRequired`."""
    return of.all_or_any(
        *(
            (
                [[of.present(name, False)], [of.present(needed, True)]],
                [[of.present(name, True), of.present(needed, False)]],
            )
            for name, others in of.value.items()
            for needed in others
        )
    )


def _dependent_schemas(of: Keyword) -> Alternatives:
    """Alternatives of `dependentSchemas`."""
    parts: list[tuple[Alternatives, Alternatives]] = []
    for name, schema in of.value.items():
        met: list[list[Item]] = [[of.present(name, False)], [of.here(schema, True)]]
        unmet: list[list[Item]] = [[of.present(name, True), of.here(schema, False)]]
        parts.append((met, unmet))
    return of.all_or_any(*parts)


def _property_names(of: Keyword) -> Alternatives:
    """Alternatives of `propertyNames`."""
    claim = of.below(of.value, of.holds, "")
    return [[(EveryName if of.holds else SomeName)(*of.facts, claim)]]


OF_KIND = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _limit),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _limit),
    **dict.fromkeys(("minProperties", "maxProperties"), _limit),
    "multipleOf": _multiple_of,
    "pattern": _text,
    "format": _text,
    "uniqueItems": _unique,
    "prefixItems": _prefix_items,
    "items": _items,
    "contains": _contains,
    "unevaluatedItems": _unevaluated_items,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "required": _required,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "propertyNames": _property_names,
}
