"""Claims about one value, and the facts that they come to.

A claim says that a value is valid under a schema, or that it is not. A fact says something plain
of a value: a bound of a number, what each member of an object is, what some item of an array is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from transforms.contracts.compatibility.documents import Schema, SchemaDocument, canonical


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
class Bounded(Fact):
    """A number, length or size is on one side of a bound, and not on it, if strict."""

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
class Named(Fact):
    """Something is claimed of the names of members."""

    claim: Claim


@dataclass(frozen=True)
class EveryName(Named):
    """The names of all members are as claimed."""


@dataclass(frozen=True)
class SomeName(Named):
    """The name of some member is as claimed."""
