"""Claims about one value, and what they come to for each kind of value.

A claim says that a value is valid under a schema, or that it is not. `branches` takes claims
apart into alternatives (the tableau method of logic): in each, a plain conjunction of literals,
which say something about a number, a text, the members of an object or the items of an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, TypeAlias

from transforms.events.compatibility.documents import (
    Schema,
    SchemaDocument,
    canonical,
    is_annotation,
)
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
class Origin:
    """Where a claim or literal comes from.

    Attributes:
        path: JSONPath in the documents, `[*]` any item, `.*` any member.
        keyword: the keyword of the schema.
        value: what the keyword says.
        fixed: whether all that follows from it is told as coming from here.
    """

    path: str
    keyword: str
    value: Any = field(compare=False)
    fixed: bool = False


@dataclass(frozen=True)
class Claim:
    """A value is valid (`holds`) or invalid under a schema of a document."""

    document: SchemaDocument
    schema: Schema = field(compare=False)
    holds: bool
    origin: Origin = field(compare=False)
    blamed: bool
    text: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", canonical(self.schema))

    def accepts(self, value: Any) -> bool:
        """Whether the claim is true of a value."""
        return self.document.accepts(self.schema, value) is self.holds

    @property
    def is_exact(self) -> bool:
        """Whether `accepts` judges all that the schema says."""
        return self.document.is_exact(self.schema)

    @cached_property
    def contradiction(self) -> Claim:
        """The opposite claim."""
        return self.on(self.schema, not self.holds, self.origin)

    def contradicts(self, other: Claim) -> bool:
        """Whether the one says that a schema holds, and the other that the same one does not."""
        if self.holds is other.holds or self.text != other.text:
            return False
        return not refers(self.text) or self.document.context == other.document.context

    def on(self, schema: Schema, holds: bool, origin: Origin) -> Claim:
        """A claim on another schema of the same document."""
        return Claim(self.document, schema, holds, origin, self.blamed)


def refers(text: str) -> bool:
    """Whether the canonical text of a schema means something by its document only."""
    return '"$ref"' in text or '"$dynamicRef"' in text


@dataclass(frozen=True)
class Names:
    """Some names of members: those listed and those that match a pattern, or all others."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    others: bool = False


@dataclass(frozen=True)
class Indices:
    """Positions in an array, from `start` to before `stop`; no `stop`: to the end."""

    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Fact:
    """A literal. By itself it only tells whence a branch comes; the others say more."""

    origin: Origin = field(compare=False)
    blamed: bool = field(compare=False)


@dataclass(frozen=True)
class AtLeast(Fact):
    """A number, length or size is `bound` or more; more, if strict."""

    bound: Fraction
    strict: bool = False


@dataclass(frozen=True)
class AtMost(Fact):
    """A number, length or size is `bound` or less; less, if strict."""

    bound: Fraction
    strict: bool = False


@dataclass(frozen=True)
class Divisible(Fact):
    """A number is a multiple of a step, or is not."""

    step: Fraction
    holds: bool


@dataclass(frozen=True)
class Opaque(Fact):
    """Something that is only compared by its text holds, or does not."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Among(Fact):
    """The value is one of those listed, or none of them."""

    values: tuple[Any, ...] = field(compare=False)
    holds: bool


@dataclass(frozen=True)
class Every(Fact):
    """Each member or item at the places, if there is any, is as claimed."""

    places: Names | Indices
    claim: Claim


@dataclass(frozen=True)
class Some(Fact):
    """At least so many members or items at the places are there and as claimed."""

    places: Names | Indices
    claim: Claim
    least: int = 1


@dataclass(frozen=True)
class Few(Fact):
    """At most so many items are as claimed."""

    most: int
    claim: Claim


@dataclass(frozen=True)
class EveryName(Fact):
    """The names of all members are as claimed."""

    claim: Claim


@dataclass(frozen=True)
class SomeName(Fact):
    """The name of some member is as claimed."""

    claim: Claim


@dataclass(frozen=True)
class Choice:
    """One of the alternatives holds, each a conjunction."""

    alternatives: Alternatives


Item: TypeAlias = "Claim | Fact | Choice"
Alternatives: TypeAlias = "Sequence[Sequence[Item]]"
TRUE: Alternatives = [[]]
FALSE: Alternatives = []


class TooManyCasesError(Exception):
    """The schemas leave more cases than the budget allows."""


@dataclass
class Budget:
    """How many steps may still be taken."""

    steps: int

    def spend(self) -> None:
        """Take one step; TooManyCasesError if none is left."""
        self.steps -= 1
        if self.steps < 0:
            raise TooManyCasesError


def branches(claims: Iterable[Claim], kind: Kind, budget: Budget) -> Iterator[tuple[Fact, ...]]:
    """The alternatives in which all claims are true of a value of one kind."""
    yield from _expand(tuple(claims), (), frozenset(), kind, budget)


def _expand(
    pending: tuple[Item, ...],
    facts: tuple[Fact, ...],
    seen: frozenset[Claim],
    kind: Kind,
    budget: Budget,
) -> Iterator[tuple[Fact, ...]]:
    budget.spend()
    if not pending:
        yield facts
        return
    item, rest = pending[0], pending[1:]
    if isinstance(item, Fact):
        yield from _expand(rest, (*facts, item), seen, kind, budget)
        return
    if isinstance(item, Claim):
        if item in seen:
            yield from _expand(rest, facts, seen, kind, budget)
            return
        seen = seen | {item}
        item = Choice(_alternatives(item, kind))
    options = [option for option in item.alternatives if Choice(FALSE) not in option]
    for option in options:
        # what needs no choice comes first, so that hopeless branches end early
        yield from _expand((*option, *rest), facts, seen, kind, budget)


def _alternatives(claim: Claim, kind: Kind) -> Alternatives:
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
