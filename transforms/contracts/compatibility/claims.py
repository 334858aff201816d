"""Claims about one value, and the facts that follow from them.

A claim states that a value is valid under a schema, or that it is not. A fact states one simple
property of a value: a bound of a number, a claim on members of an object or items of an array.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from transforms.contracts.compatibility.documents import Schema, SchemaDocument, canonical


@dataclass(frozen=True)
class Origin:
    """The part of a schema that a claim or fact comes from.

    Attributes:
        path: JSONPath in the documents, `[*]` any item, `.*` any member.
        keyword: keyword of the schema.
        value: value of the keyword.
        fixed: whether all that follows from it is reported with this origin.
    """

    path: str
    keyword: str
    value: Any = field(compare=False)
    fixed: bool = False


@dataclass(frozen=True)
class Claim:
    """A statement that a value is valid, or invalid, under a schema of a document.

    Attributes:
        document: document of the schema.
        schema: schema that the claim is about.
        holds: True for valid, False for invalid.
        origin: part of the schema that the claim comes from.
        blamed: whether findings are reported for it.
        text: canonical text of the schema, set from `schema`.
    """

    document: SchemaDocument
    schema: Schema = field(compare=False)
    holds: bool
    origin: Origin = field(compare=False)
    blamed: bool
    text: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", canonical(self.schema))

    def accepts(self, value: Any) -> bool:
        """Whether the claim is known to be true of a value."""
        return self.document.decides(self.schema, value) is self.holds

    def refuses(self, value: Any) -> bool:
        """Whether the claim is known to be false of a value."""
        return self.document.decides(self.schema, value) is (not self.holds)

    @cached_property
    def contradiction(self) -> Claim:
        """The opposite claim."""
        return self.on(self.schema, not self.holds, self.origin)

    def contradicts(self, other: Claim) -> bool:
        """Whether two claims state that one schema holds and that it does not."""
        if self.holds is other.holds or self.text != other.text:
            return False
        return not refers(self.text) or self.document.context == other.document.context

    def on(self, schema: Schema, holds: bool, origin: Origin) -> Claim:
        """A claim on another schema of the same document.

        Args:
            schema: schema that the claim is about.
            holds: True for valid, False for invalid.
            origin: part of the schema that the claim comes from.
        """
        return Claim(self.document, schema, holds, origin, self.blamed)


def refers(text: str) -> bool:
    """Whether the meaning of a schema, given as canonical text, depends on its document."""
    return '"$ref"' in text or '"$dynamicRef"' in text


@dataclass(frozen=True)
class Names:
    """A set of member names: those listed and those that match a pattern, or all others.

    Attributes:
        names: listed names.
        patterns: regular expressions of names.
        others: whether the set is the complement of the two.
    """

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    others: bool = False


@dataclass(frozen=True)
class Indices:
    """A range of positions in an array.

    Attributes:
        start: first position, from 0.
        stop: position after the last; None for the end of the array.
    """

    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Fact:
    """A literal.

    By itself it only records the origin of a branch, its subclasses say more.

    Attributes:
        origin: part of the schema that it comes from.
        blamed: whether findings are reported for it.
    """

    origin: Origin = field(compare=False)
    blamed: bool = field(compare=False)


@dataclass(frozen=True)
class Bounded(Fact):
    """A number, length or size is on one side of a bound.

    Attributes:
        bound: the bound.
        strict: whether the bound itself is excluded.
    """

    bound: Fraction
    strict: bool = False


@dataclass(frozen=True)
class AtLeast(Bounded):
    """It is `bound` or more."""


@dataclass(frozen=True)
class AtMost(Bounded):
    """It is `bound` or less."""


@dataclass(frozen=True)
class Divisible(Fact):
    """A number is a multiple of a step, or is not.

    Attributes:
        step: the step.
        holds: False if it is not a multiple.
    """

    step: Fraction
    holds: bool


@dataclass(frozen=True)
class Opaque(Fact):
    """A condition that is only compared by its text holds, or does not.

    Attributes:
        text: text of the condition.
        holds: False if it does not hold.
    """

    text: str
    holds: bool


@dataclass(frozen=True)
class Among(Fact):
    """The value is one of those listed, or none of them.

    Attributes:
        values: listed values.
        holds: False if it is none of them.
    """

    values: tuple[Any, ...] = field(compare=False)
    holds: bool


@dataclass(frozen=True)
class Every(Fact):
    """The claim is true of each member or item at the places, if there is any.

    Attributes:
        places: names of members, or positions of items.
        claim: claim on each.
    """

    places: Names | Indices
    claim: Claim


@dataclass(frozen=True)
class Some(Fact):
    """The claim is true of at least `least` existing members or items at the places.

    Attributes:
        places: names of members, or positions of items.
        claim: claim on each.
        least: minimum of them.
    """

    places: Names | Indices
    claim: Claim
    least: int = 1


@dataclass(frozen=True)
class Few(Fact):
    """The claim is true of at most `most` items of an array.

    Attributes:
        most: maximum of them.
        claim: claim on each.
    """

    most: int
    claim: Claim


@dataclass(frozen=True)
class Named(Fact):
    """A claim on the names of members.

    Attributes:
        claim: the claim.
    """

    claim: Claim


@dataclass(frozen=True)
class EveryName(Named):
    """The claim is true of the names of all members."""


@dataclass(frozen=True)
class SomeName(Named):
    """The claim is true of the name of at least one member."""
