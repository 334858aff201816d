"""Expansion of claims into alternatives, each a plain conjunction of facts (method of tableaux)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transforms.contracts.compatibility.claims import Claim, Fact
from transforms.contracts.compatibility.keywords import alternatives
from transforms.contracts.compatibility.terms import FALSE, Choice, Item, Kind


class TooManyCasesError(Exception):
    """The schemas leave more cases than the budget allows."""


@dataclass
class Budget:
    """A limit on the number of steps.

    Attributes:
        steps: number of steps that are left.
    """

    steps: int

    def spend(self) -> None:
        """Use up one step.

        Raises:
            TooManyCasesError: none is left.
        """
        self.steps -= 1
        if self.steps < 0:
            raise TooManyCasesError


def branches(claims: Iterable[Claim], kind: Kind, budget: Budget) -> Iterator[tuple[Fact, ...]]:
    """Yield the alternatives in which all claims are true of a value of one kind.

    Args:
        claims: claims about one value.
        kind: kind of the value.
        budget: limit on the steps taken.

    Yields:
        The facts of one alternative.

    Raises:
        TooManyCasesError: the budget is used up.
    """
    yield from _expand(tuple(claims), (), frozenset(), kind, budget)


def _expand(
    pending: tuple[Item, ...],
    facts: tuple[Fact, ...],
    seen: frozenset[Claim],
    kind: Kind,
    budget: Budget,
) -> Iterator[tuple[Fact, ...]]:
    """Yield the conjunctions of facts that follow from pending items.

    Args:
        pending: items still to expand.
        facts: facts found so far.
        seen: claims expanded so far.
        kind: kind of the value.
        budget: limit on the steps taken.
    """
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
        item = Choice(alternatives(item, kind))
    options = [option for option in item.alternatives if Choice(FALSE) not in option]
    for option in options:
        # items without a choice come first, so that contradictory branches end early
        yield from _expand((*option, *rest), facts, seen, kind, budget)
