"""The solver: whether some value satisfies all claims; each branch is refuted or has a witness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from transforms.contracts.compatibility.arrays import arrays
from transforms.contracts.compatibility.branches import Budget, branches
from transforms.contracts.compatibility.claims import Among, Claim, Fact, Opaque, Origin
from transforms.contracts.compatibility.objects import objects
from transforms.contracts.compatibility.outcomes import (
    IMPOSSIBLE,
    Finding,
    Outcome,
    Verdict,
    merge_outcomes,
)
from transforms.contracts.compatibility.scalars import Candidates, numbers, texts
from transforms.contracts.compatibility.terms import KINDS, Kind

MOST_EXAMPLE_TRIES = 400
LONGEST_TOLD = 60


class Solver:
    """Decides whether claims about one value can all be true.

    Args:
        steps: number of steps before TooManyCasesError.
        seeds: texts worth trying as values and names.
    """

    def __init__(self, steps: int, seeds: Sequence[str]) -> None:
        self.budget = Budget(steps)
        self.seeds = seeds
        self._open: set[frozenset[Claim]] = set()

    def solve(self, claims: Iterable[Claim]) -> Outcome:
        """Decide whether some value satisfies all claims.

        A value nested inside one that must satisfy the same claims cannot be needed: the smallest
        value that satisfies them has none. So a problem that is being solved counts as impossible.

        Args:
            claims: claims about one value.

        Returns:
            The outcome.

        Raises:
            TooManyCasesError: the steps are used up.
        """
        problem = frozenset(claims)
        if problem in self._open or _contradict(problem):
            return IMPOSSIBLE
        self._open.add(problem)
        try:
            return self._solve(sorted(problem, key=lambda claim: (claim.text, claim.holds)))
        finally:
            self._open.remove(problem)

    def _solve(self, claims: Sequence[Claim]) -> Outcome:
        """Solve all branches of all kinds, or up to the first witness if no claim is blamed."""
        all_told = any(claim.blamed for claim in claims)
        outcomes = []
        for kind in KINDS:
            for facts in branches(claims, kind, self.budget):
                outcomes.append(self._branch(claims, kind, facts))
                if outcomes[-1].witness and not all_told:
                    return outcomes[-1]
        return merge_outcomes(outcomes)

    def _branch(self, claims: Sequence[Claim], kind: Kind, facts: tuple[Fact, ...]) -> Outcome:
        """The outcome of one conjunction of facts about a value of one kind."""
        if _contradictory(facts):
            return IMPOSSIBLE
        listed = [fact.values for fact in facts if isinstance(fact, Among) and fact.holds]
        if listed:
            values = [value for value in listed[0] if _is(kind, value)]
            return self._tried(claims, facts, Candidates(values, all=True))
        if kind in ("array", "object"):
            inside = (
                arrays(self.solve, claims, facts)
                if kind == "array"
                else objects(self.solve, self.seeds, claims, facts)
            )
            if inside is None:
                return IMPOSSIBLE
            outcome = self._tried(claims, facts, inside.candidates)
            if outcome.impossible or not inside.findings:
                return outcome
            sure = outcome.witness or not any(isinstance(fact, Opaque) for fact in facts)
            told = inside.findings if sure else tuple(map(undecided, inside.findings))
            return Outcome(False, outcome.witness, told)
        candidates = self._scalars(kind, facts)
        return IMPOSSIBLE if candidates is None else self._tried(claims, facts, candidates)

    def _scalars(self, kind: Kind, facts: Sequence[Fact]) -> Candidates | None:
        """Candidates of a kind that is neither array nor object.

        Returns:
            The candidates; None if the facts allow no value.
        """
        if kind == "null":
            return Candidates([None], all=True)
        if kind == "boolean":
            return Candidates([True, False], all=True)
        return numbers(facts) if kind == "number" else texts(facts, self.seeds)

    def _tried(
        self, claims: Sequence[Claim], facts: Sequence[Fact], candidates: Candidates
    ) -> Outcome:
        """The outcome of testing candidates against all claims.

        Args:
            claims: claims about the value.
            facts: facts of the branch.
            candidates: values to test.
        """
        if not candidates.values and candidates.all:
            return IMPOSSIBLE
        all_refused = candidates.all
        for value in islice(candidates.values, None if candidates.all else MOST_EXAMPLE_TRIES):
            self.budget.spend()
            if all(claim.accepts(value) for claim in claims):
                return Outcome(False, (value,), _findings(claims, facts, (value,)))
            all_refused = all_refused and any(claim.refuses(value) for claim in claims)
        if all_refused:
            return IMPOSSIBLE
        return Outcome(False, (), _findings(claims, facts, ()))


def _contradict(claims: Iterable[Claim]) -> bool:
    """Whether two of the claims contradict each other."""
    told: dict[str, list[Claim]] = {}
    for claim in claims:
        if any(claim.contradicts(other) for other in told.get(claim.text, ())):
            return True
        told.setdefault(claim.text, []).append(claim)
    return False


def _contradictory(facts: Sequence[Fact]) -> bool:
    """Whether an opaque fact both holds and does not."""
    held = {fact.text for fact in facts if isinstance(fact, Opaque) and fact.holds}
    return any(isinstance(f, Opaque) and not f.holds and f.text in held for f in facts)


def _is(kind: Kind, value: Any) -> bool:
    """Whether a JSON value is of a kind."""
    if isinstance(value, bool) or value is None:
        return kind == ("null" if value is None else "boolean")
    names: dict[type, Kind] = {int: "number", float: "number", str: "string", list: "array"}
    return kind == names.get(type(value), "object")


def _findings(
    claims: Sequence[Claim], facts: Sequence[Fact], witness: tuple[Any, ...]
) -> tuple[Finding, ...]:
    """The finding of a branch that is possible, by its first blamed origin.

    Args:
        claims: claims about the value.
        facts: facts of the branch.
        witness: list of one value that satisfies them; empty if none is known.

    Returns:
        One finding; none if nothing is blamed.
    """
    origins = [f.origin for f in facts if f.blamed] or [c.origin for c in claims if c.blamed]
    return (finding(origins[0], witness),) if origins else ()


def finding(origin: Origin, witness: tuple[Any, ...]) -> Finding:
    """The finding of a possible branch: breaking if a witness shows it, else undecided.

    Args:
        origin: part of the schema that is blamed.
        witness: list of one value that shows it; empty if none is known.
    """
    said = f"{origin.keyword} {short(origin.value)}"
    if witness:
        reason = f"{said} refuses {short(witness[0])}, which was allowed"
        return Finding(Verdict.BREAKING, origin.path, origin.keyword, reason, witness)
    reason = f"not known whether {said} takes all that was allowed"
    return Finding(Verdict.UNDECIDED, origin.path, origin.keyword, reason)


def undecided(found: Finding) -> Finding:
    """A finding as undecided, for lack of a whole document that shows it."""
    reason = f"not known whether {found.keyword} takes all that was allowed"
    return Finding(Verdict.UNDECIDED, found.path, found.keyword, reason)


def short(value: Any) -> str:
    """JSON text of a value for a message, cut to LONGEST_TOLD characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_TOLD else text[: LONGEST_TOLD - 3] + "..."
