"""What each keyword of a claim comes to, by the kind of the value: alternatives of facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, TypeAlias

from transforms.events.compatibility.claims import (
    Among,
    AtLeast,
    AtMost,
    Claim,
    Divisible,
    Every,
    EveryName,
    Fact,
    Few,
    Indices,
    Names,
    Opaque,
    Origin,
    Some,
    SomeName,
    refers,
)
from transforms.events.compatibility.documents import Schema, canonical, is_annotation
from transforms.events.compatibility.vocabulary import (
    ARRAY,
    IN_PLACE,
    KNOWN,
    NUMBER,
    OBJECT,
    STRING,
)

Kind = Literal["null", "boolean", "number", "string", "array", "object"]
KINDS: tuple[Kind, ...] = ("null", "boolean", "number", "string", "array", "object")
ABOUT: Mapping[Kind, frozenset[str]] = {
    "null": frozenset(),
    "boolean": frozenset(),
    "number": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}


@dataclass(frozen=True)
class Choice:
    """One of the alternatives holds, each a conjunction."""

    alternatives: Alternatives


Item: TypeAlias = "Claim | Fact | Choice"
Alternatives: TypeAlias = "Sequence[Sequence[Item]]"
TRUE: Alternatives = [[]]
FALSE: Alternatives = []


def alternatives(claim: Claim, kind: Kind) -> Alternatives:
    """The alternatives in which a claim is true of a value of a kind."""
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
        return _truth(claim, True)
    value = claim.schema[keyword]
    if keyword in ANY_KIND:
        return ANY_KIND[keyword](_Keyword(claim, keyword, value, kind))
    if keyword not in KNOWN:
        return _Keyword(claim, keyword, value, kind).opaque()
    if keyword not in ABOUT[kind]:
        return _truth(claim, True)
    return OF_KIND[keyword](_Keyword(claim, keyword, value, kind))


def _truth(claim: Claim, is_true: bool) -> Alternatives:
    return TRUE if is_true is claim.holds else FALSE


@dataclass(frozen=True)
class _Keyword:
    """One keyword of a claim's schema, and the makers of what it comes to."""

    claim: Claim
    keyword: str
    value: Any
    kind: Kind

    @property
    def holds(self) -> bool:
        return self.claim.holds

    @cached_property
    def origin(self) -> Origin:
        above = self.claim.origin
        return above if above.fixed else Origin(above.path, self.keyword, self.value)

    @cached_property
    def combined(self) -> Origin:
        """The origin of parts that fail only together, so that none can be blamed alone."""
        above = self.claim.origin
        return above if above.fixed else Origin(above.path, self.keyword, self.value, fixed=True)

    @property
    def facts(self) -> tuple[Origin, bool]:
        return self.origin, self.claim.blamed

    def here(self, schema: Schema, holds: bool, origin: Origin | None = None) -> Claim:
        """A claim about the same value."""
        return self.claim.on(schema, holds, origin or self.claim.origin)

    def below(self, schema: Schema, holds: bool, step: str) -> Claim:
        """A claim about a value one step further down."""
        origin = Origin(
            self.claim.origin.path + step, self.keyword, self.value, self.claim.origin.fixed
        )
        if self.claim.origin.fixed:
            origin = self.claim.origin
        return self.claim.on(schema, holds, origin)

    def opaque(self, *context: Any) -> Alternatives:
        text = canonical([self.keyword, self.value, *context])
        if refers(text):
            text += self.claim.document.context
        return [[Opaque(*self.facts, text, self.holds)]]

    def every(self, *each: tuple[Names | Indices, Schema, str]) -> Alternatives:
        """Every place is valid under its schema; or some place is not."""
        if self.holds:
            return [
                [
                    Every(*self.facts, places, self.below(schema, True, step))
                    for places, schema, step in each
                ]
            ]
        return [
            [Some(*self.facts, places, self.below(schema, False, step))]
            for places, schema, step in each
        ]

    def present(self, name: str, holds: bool) -> Fact:
        """A member is there, or is not."""
        places = Names(frozenset({name}))
        member = self.below(holds, True, f".{name}")
        return (Some if holds else Every)(member.origin, member.blamed, places, member)

    def all_or_any(self, *each: tuple[Alternatives, Alternatives]) -> Alternatives:
        """Each part as it is when true, and as it is when false: all true, or any false."""
        if self.holds:
            return [[Choice(true) for true, _ in each]]
        return [option for _, false in each for option in false]


def _type(of: _Keyword) -> Alternatives:
    allowed = {of.value} if isinstance(of.value, str) else set(of.value)
    if of.kind == "number" and "number" not in allowed and "integer" in allowed:
        return [[Divisible(*of.facts, Fraction(1), of.holds)]]
    return [[Fact(*of.facts)]] if (of.kind in allowed) is of.holds else FALSE


def _enum(of: _Keyword) -> Alternatives:
    values = of.value if of.keyword == "enum" else [of.value]
    return [[Among(*of.facts, tuple(values), of.holds)]]


def _ref(of: _Keyword) -> Alternatives:
    target = of.claim.document.target(of.value)
    return of.opaque() if target is None else [[of.here(target, of.holds)]]


def _all_of(of: _Keyword) -> Alternatives:
    if of.holds:
        return [[of.here(schema, True) for schema in of.value]]
    return [[of.here(schema, False)] for schema in of.value]


def _any_of(of: _Keyword) -> Alternatives:
    if of.holds:
        return [[of.here(schema, True)] for schema in of.value]
    if len(of.value) == 1:
        return [[of.here(of.value[0], False)]]
    return [[of.here(schema, False, of.combined) for schema in of.value]]


def _one_of(of: _Keyword) -> Alternatives:
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


def _not(of: _Keyword) -> Alternatives:
    return [[of.here(of.value, not of.holds, of.combined)]]


def _if(of: _Keyword) -> Alternatives:
    assert isinstance(of.claim.schema, Mapping)
    return [
        [
            of.here(of.value, met, of.origin),
            of.here(of.claim.schema.get(branch, True), of.holds),
        ]
        for branch, met in (("then", True), ("else", False))
    ]


def _limit(of: _Keyword) -> Alternatives:
    bound = Fraction(str(of.value))
    lower = "inimum" in of.keyword or of.keyword.startswith("min")
    strict = of.keyword.startswith("exclusive")
    if of.holds:
        return [[(AtLeast if lower else AtMost)(*of.facts, bound, strict)]]
    return [[(AtMost if lower else AtLeast)(*of.facts, bound, not strict)]]


def _multiple_of(of: _Keyword) -> Alternatives:
    step = Fraction(str(of.value))
    if step.denominator > 1 and not (_is_power_of_two(step)):
        return of.opaque()  # implementations round differently
    return [[Divisible(*of.facts, step, of.holds)]]


def _is_power_of_two(step: Fraction) -> bool:
    return step.numerator == 1 and step.denominator.bit_count() == 1


def _text(of: _Keyword) -> Alternatives:
    return of.opaque()


def _unique(of: _Keyword) -> Alternatives:
    return of.opaque() if of.value else _truth(of.claim, True)


def _prefix_items(of: _Keyword) -> Alternatives:
    return of.every(*((Indices(i, i + 1), schema, f"[{i}]") for i, schema in enumerate(of.value)))


def _items(of: _Keyword) -> Alternatives:
    assert isinstance(of.claim.schema, Mapping)
    start = len(of.claim.schema.get("prefixItems", ()))
    return of.every((Indices(start), of.value, "[*]"))


def _contains(of: _Keyword) -> Alternatives:
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


def _unevaluated_items(of: _Keyword) -> Alternatives:
    assert isinstance(of.claim.schema, Mapping)
    schema = of.claim.schema
    if of.value is True or "items" in schema:
        return _truth(of.claim, True)
    if schema.keys() & (IN_PLACE | {"$ref", "contains"}):
        return of.opaque(schema)
    return _items(of)


def _properties(of: _Keyword) -> Alternatives:
    return of.every(
        *((Names(frozenset({name})), schema, f".{name}") for name, schema in of.value.items())
    )


def _pattern_properties(of: _Keyword) -> Alternatives:
    return of.every(
        *((Names(patterns=frozenset({p})), schema, ".*") for p, schema in of.value.items())
    )


def _additional_properties(of: _Keyword) -> Alternatives:
    assert isinstance(of.claim.schema, Mapping)
    tolerant = of.claim.blamed and of.claim.document.ignore_undeclared
    if of.value is False and tolerant and not of.holds:
        return FALSE
    names = frozenset(of.claim.schema.get("properties", ()))
    patterns = frozenset(of.claim.schema.get("patternProperties", ()))
    return of.every((Names(names, patterns, others=True), of.value, ".*"))


def _unevaluated_properties(of: _Keyword) -> Alternatives:
    assert isinstance(of.claim.schema, Mapping)
    schema = of.claim.schema
    if of.value is True or "additionalProperties" in schema:
        return _truth(of.claim, True)
    if schema.keys() & (IN_PLACE | {"$ref"}):
        return of.opaque(schema)
    return _additional_properties(of)


def _required(of: _Keyword) -> Alternatives:
    return of.all_or_any(
        *(([[of.present(name, True)]], [[of.present(name, False)]]) for name in of.value)
    )


def _dependent_required(of: _Keyword) -> Alternatives:
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


def _dependent_schemas(of: _Keyword) -> Alternatives:
    parts: list[tuple[Alternatives, Alternatives]] = []
    for name, schema in of.value.items():
        met: list[list[Item]] = [[of.present(name, False)], [of.here(schema, True)]]
        unmet: list[list[Item]] = [[of.present(name, True), of.here(schema, False)]]
        parts.append((met, unmet))
    return of.all_or_any(*parts)


def _property_names(of: _Keyword) -> Alternatives:
    claim = of.below(of.value, of.holds, "")
    return [[(EveryName if of.holds else SomeName)(*of.facts, claim)]]


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
