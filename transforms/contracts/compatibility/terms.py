"""One keyword of a schema, and the words in which its meaning is put: alternatives of facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from transforms.contracts.compatibility.claims import (
    Claim,
    Every,
    Fact,
    Indices,
    Names,
    Opaque,
    Origin,
    Some,
    refers,
)
from transforms.contracts.compatibility.documents import Schema, canonical

Kind = Literal["null", "boolean", "number", "string", "array", "object"]
KINDS: tuple[Kind, ...] = ("null", "boolean", "number", "string", "array", "object")


@dataclass(frozen=True)
class Choice:
    """One of the alternatives holds, each a conjunction."""

    alternatives: Alternatives


Item: TypeAlias = "Claim | Fact | Choice"
Alternatives: TypeAlias = "Sequence[Sequence[Item]]"
TRUE: Alternatives = [[]]
FALSE: Alternatives = []


def truth(claim: Claim, is_true: bool) -> Alternatives:
    """A keyword that is kept, or broken, by every value; as the claim says it is."""
    return TRUE if is_true is claim.holds else FALSE


@dataclass(frozen=True)
class Keyword:
    """One keyword of a claim's schema, and the makers of what it comes to.

    Attributes:
        claim: what holds, or does not.
        keyword: the keyword's name.
        value: what the schema says under it.
        kind: of the value that the claim is about.
    """

    claim: Claim
    keyword: str
    value: Any
    kind: Kind

    @property
    def holds(self) -> bool:
        """Whether the keyword is claimed to be kept."""
        return self.claim.holds

    @cached_property
    def origin(self) -> Origin:
        """What is blamed for what the keyword asserts."""
        above = self.claim.origin
        return above if above.fixed else Origin(above.path, self.keyword, self.value)

    @cached_property
    def combined(self) -> Origin:
        """The origin of parts that fail only together, so that none can be blamed alone."""
        above = self.claim.origin
        return above if above.fixed else Origin(above.path, self.keyword, self.value, fixed=True)

    @property
    def facts(self) -> tuple[Origin, bool]:
        """The first two attributes of a fact."""
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
        """A fact that is only compared by its text, that of `context` included."""
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
