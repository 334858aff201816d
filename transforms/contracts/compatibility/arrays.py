"""Arrays: whether the facts of a branch allow one, position by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from transforms.contracts.compatibility.claims import Claim, Every, Fact, Few, Indices, Opaque, Some
from transforms.contracts.compatibility.documents import canonical
from transforms.contracts.compatibility.objects import Inside, Solve
from transforms.contracts.compatibility.outcomes import Finding, Outcome, told_once
from transforms.contracts.compatibility.scalars import Candidates, sizes

LONGEST_MADE = 200
COMMON = (None, True, False, *range(10), "a", "b", [], {})
UNIQUE = '["uniqueItems",true]'


@dataclass
class _Items:
    """The items of an array under the facts of a branch.

    Attributes:
        solve: function that decides whether some value satisfies all claims.
        facts: facts about the array.
    """

    solve: Solve
    facts: Sequence[Fact]

    @cached_property
    def every(self) -> list[Every]:
        """The claims on all items in a range, a maximum of 0 items as the contradicted claim."""
        nowhere: list[Every] = [
            Every(f.origin, f.blamed, Indices(), f.claim.contradiction)
            for f in self.facts
            if isinstance(f, Few) and f.most == 0
        ]
        return nowhere + [fact for fact in self.facts if isinstance(fact, Every)]

    @cached_property
    def some(self) -> list[Some]:
        """The claims on a minimum number of items in a range."""
        return [fact for fact in self.facts if isinstance(fact, Some)]

    @cached_property
    def tail(self) -> int:
        """The position from which on all positions are under the same facts."""
        facts: list[Every | Some] = [*self.every, *self.some]
        places = [fact.places for fact in facts]
        ends = [p.start if p.stop is None else p.stop for p in places if isinstance(p, Indices)]
        return max(ends, default=0)

    @cached_property
    def each(self) -> list[Outcome]:
        """The outcome of an item at each position, the last one for all that follow."""
        return [self.outcome(position, ()) for position in range(self.tail + 1)]

    def outcome(self, position: int, more: Sequence[Claim]) -> Outcome:
        """Whether an item can be at a position, with further claims on it."""
        return self.solve({*self.claims(position), *more})

    def unlike(self, others: Sequence[Any], position: int, value: Any) -> Any:
        """The value, or one in its place that differs from the others if all items must.

        Args:
            others: items chosen so far.
            position: position of the item, from 0.
            value: preferred value.
        """
        if not any(isinstance(f, Opaque) and f.text == UNIQUE and f.holds for f in self.facts):
            return value
        taken = {canonical(other) for other in others}
        claims = self.claims(position)
        free = (v for v in (value, *COMMON) if canonical(v) not in taken)
        return next((v for v in free if all(c.accepts(v) for c in claims)), value)

    def claims(self, position: int) -> set[Claim]:
        """The claims on every item that cover a position."""
        return {fact.claim for fact in self.every if _covers(fact.places, position)}


def arrays(solve: Solve, claims: Sequence[Claim], facts: Sequence[Fact]) -> Inside | None:
    """Arrays that the facts allow.

    Args:
        solve: function that decides whether some value satisfies all claims.
        claims: claims about the array.
        facts: facts of the branch.

    Returns:
        Candidates and findings; None if no array is possible.
    """
    items = _Items(solve, facts)
    least, most = _lengths(items, facts)
    if most is not None and least > most:
        return None
    if any(_too_many(solve, some, few) for some in items.some for few in _few(facts)):
        return None
    findings: list[Finding] = []
    chosen: list[tuple[int, Some, Outcome]] = []
    for some in items.some:
        options = _options(items, some, most)
        if not options:
            return None
        findings += [finding for outcome in options.values() for finding in outcome.findings]
        position = min(options, key=lambda p, options=options: not options[p].witness)  # type: ignore[misc]
        chosen.append((position, some, options[position]))
    made = _made(items, chosen, least, most)
    return Inside(Candidates(made), told_once(findings))


def _lengths(items: _Items, facts: Sequence[Fact]) -> tuple[int, int | None]:
    """Least and greatest length that the facts allow.

    Returns:
        Both in items; None for no greatest.
    """
    least, most = sizes(facts)
    repeats = any(isinstance(f, Opaque) and f.text == UNIQUE and not f.holds for f in facts)
    needed = [_start(some) + some.least for some in items.some]
    least = max(least, 2 if repeats else 0, *needed, 0)
    closed = [position for position, outcome in enumerate(items.each) if outcome.impossible]
    ends = [*closed[:1], *([] if most is None else [most])]
    return least, min(ends, default=None)


def _start(some: Some) -> int:
    """The first position of a fact's range."""
    assert isinstance(some.places, Indices)
    return some.places.start


def _few(facts: Sequence[Fact]) -> list[Few]:
    """The facts that limit the number of items."""
    return [fact for fact in facts if isinstance(fact, Few)]


def _too_many(solve: Solve, some: Some, few: Few) -> bool:
    """Whether one fact demands more items than another allows of the same claim."""
    if some.least <= few.most:
        return False
    return solve({some.claim, few.claim.contradiction}).impossible


def _options(items: _Items, some: Some, most: int | None) -> dict[int, Outcome]:
    """The positions at which a demanded item is possible, with the outcome there.

    Args:
        items: items of the array.
        some: demand for items.
        most: greatest length; None for no limit.
    """
    found = {}
    for position in range(items.tail + 1):
        if _covers(some.places, position) and (most is None or position < most):
            outcome = items.outcome(position, (some.claim,))
            if not outcome.impossible:
                found[position] = outcome
    return found


def _covers(places: Any, position: int) -> bool:
    """Whether a range covers a position."""
    return places.start <= position and (places.stop is None or position < places.stop)


def _made(
    items: _Items, chosen: Sequence[tuple[int, Some, Outcome]], least: int, most: int | None
) -> list[list[Any]]:
    """Arrays with the demanded items in place, of the shortest and some other lengths.

    Args:
        items: items of the array.
        chosen: position, demand and outcome of each demanded item.
        least: least length.
        most: greatest length; None for no limit.

    Returns:
        The arrays; none if an item has no witness.
    """
    made: dict[int, Any] = {}
    for position, some, outcome in chosen:
        if not outcome.witness:
            return []
        at = (p for p in range(position, LONGEST_MADE) if p not in made)
        for place in islice(at, some.least):
            made[place] = outcome.witness[0]
    shortest = max(least, *(place + 1 for place in made), 0)
    lengths = [n for n in (shortest, shortest + 1, most or 0) if shortest <= n < LONGEST_MADE]
    return [array for n in lengths if (array := _filled(items, made, n)) is not None]


def _filled(items: _Items, made: dict[int, Any], length: int) -> list[Any] | None:
    """An array of a length with items made for some positions.

    Returns:
        The array; None if another item has no witness.
    """
    array: list[Any] = []
    for position in range(length):
        if position in made:
            array.append(made[position])
            continue
        outcome = items.each[min(position, items.tail)]
        if not outcome.witness:
            return None
        array.append(items.unlike(array, position, outcome.witness[0]))
    return array
