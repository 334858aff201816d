"""One keyword of a schema, and the terms of its meaning: alternatives of conjunctions of facts."""

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
    """A disjunction: one of the alternatives holds, each a conjunction.

    Attributes:
        alternatives: the alternatives.
    """

    alternatives: Alternatives


Item: TypeAlias = "Claim | Fact | Choice"
Alternatives: TypeAlias = "Sequence[Sequence[Item]]"
TRUE: Alternatives = [[]]
FALSE: Alternatives = []


def truth(claim: Claim, is_true: bool) -> Alternatives:
    """Alternatives of a keyword that every value satisfies, or violates.

    Args:
        claim: claim that the keyword belongs to.
        is_true: whether every value satisfies the keyword.

    Returns:
        TRUE if that agrees with the claim, else FALSE.
    """
    return TRUE if is_true is claim.holds else FALSE


@dataclass(frozen=True)
class Keyword:
    """One keyword of a claim's schema, with constructors for its alternatives.

    Attributes:
        claim: claim that the keyword belongs to.
        keyword: name of the keyword.
        value: value of the keyword in the schema.
        kind: kind of the value that the claim is about.
    """

    claim: Claim
    keyword: str
    value: Any
    kind: Kind

    @property
    def holds(self) -> bool:
        """Whether the claim is that the keyword is satisfied."""
        return self.claim.holds

    @cached_property
    def origin(self) -> Origin:
        """Origin that is blamed for what the keyword asserts."""
        above = self.claim.origin
        return above if above.fixed else Origin(above.path, self.keyword, self.value)

    @cached_property
    def combined(self) -> Origin:
        """Origin of parts that fail only together, so that none can be blamed alone."""
        above = self.claim.origin
        return above if above.fixed else Origin(above.path, self.keyword, self.value, fixed=True)

    @property
    def facts(self) -> tuple[Origin, bool]:
        """The first two attributes of a fact: origin and blamed."""
        return self.origin, self.claim.blamed

    def here(self, schema: Schema, holds: bool, origin: Origin | None = None) -> Claim:
        """A claim about the same value.

        Args:
            schema: schema that the claim is about.
            holds: True for valid, False for invalid.
            origin: origin of the claim; that of the keyword's claim by default.
        """
        return self.claim.on(schema, holds, origin or self.claim.origin)

    def below(self, schema: Schema, holds: bool, step: str) -> Claim:
        """A claim about a value one step further down.

        Args:
            schema: schema that the claim is about.
            holds: True for valid, False for invalid.
            step: step of the JSONPath, such as `.name` or `[*]`.
        """
        origin = Origin(
            self.claim.origin.path + step, self.keyword, self.value, self.claim.origin.fixed
        )
        if self.claim.origin.fixed:
            origin = self.claim.origin
        return self.claim.on(schema, holds, origin)

    def opaque(self, *context: Any) -> Alternatives:
        """A fact that is only compared by its text.

        Args:
            context: further values that the meaning depends on.
        """
        text = canonical([self.keyword, self.value, *context])
        if refers(text):
            text += self.claim.document.context
        return [[Opaque(*self.facts, text, self.holds)]]

    def every(self, *each: tuple[Names | Indices, Schema, str]) -> Alternatives:
        """Alternatives of: the value at every place is valid under the schema of the place.

        Args:
            each: places, their schema, and the step of the JSONPath.
        """
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
        """A fact: a member is present, or absent.

        Args:
            name: name of the member.
            holds: True for present.
        """
        places = Names(frozenset({name}))
        member = self.below(holds, True, f".{name}")
        return (Some if holds else Every)(member.origin, member.blamed, places, member)

    def all_or_any(self, *each: tuple[Alternatives, Alternatives]) -> Alternatives:
        """Alternatives of a conjunction of parts: all are true, or any is false.

        Args:
            each: alternatives of a part when it is true, and when it is false.
        """
        if self.holds:
            return [[Choice(true) for true, _ in each]]
        return [option for _, false in each for option in false]
