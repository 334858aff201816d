"""Objects: whether the facts of a branch allow one, name by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product
from typing import Any

from transforms.contracts.compatibility.claims import (
    Claim,
    Every,
    EveryName,
    Fact,
    Names,
    Some,
    SomeName,
)
from transforms.contracts.compatibility.outcomes import Finding, Outcome, told_once
from transforms.contracts.compatibility.scalars import Candidates, sizes
from transforms.contracts.compatibility.vocabulary import IN_PLACE

MOST_PATTERNS = 4
MOST_MEMBERS = 50


@dataclass(frozen=True)
class Inside:
    """Candidates for an array or object, and the findings about their content.

    Attributes:
        candidates: arrays or objects to test.
        findings: findings about items or members.
    """

    candidates: Candidates
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Unlisted:
    """The class of names that no fact lists and that match the same patterns.

    Attributes:
        matched: patterns that they match.
    """

    matched: frozenset[str]


Where = str | Unlisted
Solve = Callable[[Iterable[Claim]], Outcome]  # whether some value satisfies all claims


@dataclass
class _Members:
    """The members of an object under the facts of a branch.

    Attributes:
        solve: function that decides whether some value satisfies all claims.
        seeds: texts worth trying as names.
        facts: facts about the object.
        required: claims on the members that must be present, by name.
        known: outcomes computed so far, by name or class of names.
    """

    solve: Solve
    seeds: Sequence[str]
    facts: Sequence[Fact]
    required: dict[str, set[Claim]] = field(default_factory=dict)
    known: dict[Where, Outcome] = field(default_factory=dict)

    @cached_property
    def every(self) -> list[Every]:
        """The claims on all members at some places."""
        return [fact for fact in self.facts if isinstance(fact, Every)]

    @cached_property
    def name_claims(self) -> list[Claim]:
        """The claims on the names of all members."""
        return [fact.claim for fact in self.facts if isinstance(fact, EveryName)]

    @cached_property
    def listed(self) -> list[str]:
        """The names that facts list, sorted."""
        return sorted({name for places in self._places for name in places.names})

    @cached_property
    def patterns(self) -> list[str]:
        """The patterns of names in the facts, sorted."""
        return sorted({pattern for places in self._places for pattern in places.patterns})

    @cached_property
    def _places(self) -> list[Names]:
        """The places of all facts about members."""
        return [
            f.places
            for f in self.facts
            if isinstance(f, Every | Some) and isinstance(f.places, Names)
        ]

    @cached_property
    def unlisted(self) -> list[Unlisted]:
        """The classes of unlisted names, one for each combination of patterns."""
        return [
            Unlisted(frozenset(p for p, match in zip(self.patterns, matches, strict=True) if match))
            for matches in product((False, True), repeat=len(self.patterns))
        ]

    def covers(self, places: Any, where: Where) -> bool:
        """Whether a name, or each name of a class, is among the places."""
        if isinstance(where, Unlisted):
            inside = bool(places.patterns & where.matched)
        else:
            inside = where in places.names or any(_matches(p, where) for p in places.patterns)
        return inside is not places.others

    def claims(self, where: Where) -> set[Claim]:
        """The claims on the value of a member."""
        required = self.required.get(where, set()) if isinstance(where, str) else set()
        return required | {e.claim for e in self.every if self.covers(e.places, where)}

    def outcome(self, where: Where) -> Outcome:
        """Whether a member with a name, or with a name of a class, is possible."""
        if where not in self.known:
            self.known[where] = self._outcome(where, ())
        return self.known[where]

    def outcome_with(self, where: Where, claim: Claim) -> Outcome:
        """Whether such a member is possible under one more claim."""
        return self._outcome(where, (claim,))

    def _outcome(self, where: Where, more: Iterable[Claim]) -> Outcome:
        """Whether such a member is possible under further claims."""
        if isinstance(where, str) and not self._may_be_named(where):
            return Outcome(impossible=True)
        if isinstance(where, Unlisted) and not self._may_be_unlisted():
            return Outcome(impossible=True)
        return self.solve({*self.claims(where), *more})

    def _may_be_unlisted(self) -> bool:
        """Whether the claims on names allow an unlisted name."""
        if not self.name_claims:
            return True
        first = self.name_claims[0]
        unlisted = first.on({"enum": [*self.listed, None]}, False, first.origin)
        return not self.solve({unlisted, *self.name_claims}).impossible

    def _may_be_named(self, name: str) -> bool:
        """Whether the claims on names allow a name."""
        return not any(claim.refuses(name) for claim in self.name_claims)

    def name_for(self, where: Where, taken: Iterable[str]) -> str | None:
        """A name of the class that is not taken.

        Args:
            where: name, or class of names.
            taken: names that are taken.

        Returns:
            The name; None if no attempt fits.
        """
        if isinstance(where, str):
            return where
        barred = {*self.listed, *taken}
        return next((name for name in self._free_names(where) if name not in barred), None)

    def _free_names(self, where: Unlisted) -> Iterator[str]:
        """Yield attempted names that belong to a class."""
        made = (f"{seed}{n or ''}" for n in range(MOST_MEMBERS) for seed in ("other", "x", "_"))
        for name in (*self.seeds, *made):
            matched = {pattern for pattern in self.patterns if _matches(pattern, name)}
            if matched == where.matched and self._may_be_named(name):
                yield name


def objects(
    solve: Solve, seeds: Sequence[str], claims: Sequence[Claim], facts: Sequence[Fact]
) -> Inside | None:
    """Objects that the facts allow.

    Args:
        solve: function that decides whether some value satisfies all claims.
        seeds: texts worth trying as names.
        claims: claims about the object.
        facts: facts of the branch.

    Returns:
        Candidates and findings; None if no object is possible.
    """
    members = _Members(solve, seeds, [*facts, *_undeclared_absent(claims)])
    if len(members.patterns) > MOST_PATTERNS:
        return Inside(Candidates([]))
    open_places: list[Some] = []
    for fact in facts:
        if isinstance(fact, Some) and isinstance(fact.places, Names):
            if fact.places.patterns or fact.places.others:
                open_places.append(fact)
            else:
                members.required.setdefault(min(fact.places.names), set()).add(fact.claim)
    here = [members.outcome(name) for name in members.required]
    anywhere = [_options(members, fact) for fact in open_places]
    if any(outcome.impossible for outcome in here) or not all(anywhere):
        return None
    if not _countable(members, facts):
        return None
    told = [*here, *(outcome for options in anywhere for outcome in options.values())]
    made = _made(members, dict(_best(options) for options in anywhere), facts)
    findings = told_once(finding for outcome in told for finding in outcome.findings)
    return Inside(Candidates([] if made is None else [made]), findings)


def _countable(members: _Members, facts: Sequence[Fact]) -> bool:
    """Whether names and number of members can satisfy the facts."""
    if any(_no_such_name(members, fact) for fact in facts if isinstance(fact, SomeName)):
        return False
    least, most = sizes(facts)
    needed = len(members.required)
    if most is not None and max(least, needed) > most:
        return False
    return least <= needed or _capacity(members) >= least


def _options(members: _Members, fact: Some) -> dict[Where, Outcome]:
    """The names and classes under which a demanded member is possible, with the outcomes."""
    everywhere: list[Where] = [*members.listed, *members.unlisted]
    outcomes = {
        where: members.outcome_with(where, fact.claim)
        for where in everywhere
        if members.covers(fact.places, where)
    }
    return {where: outcome for where, outcome in outcomes.items() if not outcome.impossible}


def _best(options: Mapping[Where, Outcome]) -> tuple[Where, Outcome]:
    """The first option with a witness, else the first."""
    return min(options.items(), key=lambda option: not option[1].witness)


def _no_such_name(members: _Members, fact: SomeName) -> bool:
    """Whether no possible name of a member satisfies a claim on names."""
    claim = fact.claim
    listed = (name for name in members.listed if not claim.refuses(name))
    if any(not members.outcome(name).impossible for name in listed):
        return False
    free = any(not members.outcome(where).impossible for where in members.unlisted)
    return not free or members.solve({claim, *members.name_claims}).impossible


def _capacity(members: _Members) -> float:
    """The greatest possible number of members, infinite if an unlisted name is possible."""
    if any(not members.outcome(where).impossible for where in members.unlisted):
        return float("inf")
    return sum(not members.outcome(name).impossible for name in members.listed)


def _made(
    members: _Members, chosen: Mapping[Where, Outcome], facts: Sequence[Fact]
) -> dict[str, Any] | None:
    """An object with the demanded members.

    Args:
        members: members of the object.
        chosen: outcomes of demanded members, by name or class of names.
        facts: facts of the branch.

    Returns:
        The object; None if a member has no name or no witness.
    """
    made: dict[str, Any] = {}
    fixed: dict[Where, Outcome] = {name: members.outcome(name) for name in members.required}
    for where, outcome in {**fixed, **chosen}.items():
        name = members.name_for(where, made)
        if name is None or not outcome.witness:
            return None
        made[name] = outcome.witness[0]
    for fact in facts:
        if isinstance(fact, SomeName):
            named = members.solve({fact.claim, *members.name_claims})
            _add(members, made, [name for name in named.witness if isinstance(name, str)])
    least, _ = sizes(facts)
    if len(made) < least:
        free = (name for where in members.unlisted for name in members._free_names(where))
        _add(members, made, islice((*members.listed, *free), MOST_MEMBERS), least)
    return made


def _add(
    members: _Members, made: dict[str, Any], names: Iterable[str], least: int | None = None
) -> None:
    """Add members with witnesses, in place.

    Args:
        members: members of the object.
        made: object to add to.
        names: names to add.
        least: number of members at which to stop; None to add all.
    """
    for name in names:
        if least is not None and len(made) >= least:
            return
        outcome = members.outcome(name)
        if name not in made and outcome.witness:
            made[name] = outcome.witness[0]


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern matches anywhere in a name."""
    return re.search(pattern, name) is not None


def _undeclared_absent(claims: Sequence[Claim]) -> list[Every]:
    """Fact of a tolerant comparison: a producer sends no members but those its schema declares.

    A schema that declares no member by name is a free form, and stays open.

    Returns:
        One fact; none if the schema is open.
    """
    declared = Declared()
    sent = [c for c in claims if c.document.sends_declared and c.holds and not c.blamed]
    for claim in sent:
        declared.add(claim, claim.schema, set())
    if declared.open or not declared.names:
        return []
    places = Names(frozenset(declared.names), frozenset(declared.patterns), others=True)
    origin = sent[0].origin
    return [Every(origin, False, places, sent[0].on(False, True, origin))]


@dataclass
class Declared:
    """The members that a schema mentions, anywhere it applies to the same object.

    Attributes:
        names: names of members.
        patterns: patterns of names.
        open: whether the schema allows undeclared members explicitly.
    """

    names: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    open: bool = False

    def add(self, claim: Claim, schema: Any, seen: set[str]) -> None:
        """Add the members that a schema of the claim's document mentions.

        Args:
            claim: claim whose document resolves references.
            schema: schema to read.
            seen: references followed so far.
        """
        if not isinstance(schema, Mapping):
            return
        self.names.update(schema.get("properties", ()), schema.get("required", ()))
        self.patterns.update(schema.get("patternProperties", ()))
        for name, needed in schema.get("dependentRequired", {}).items():
            self.names.update((name, *needed))
        self.names.update(schema.get("dependentSchemas", ()))
        for keyword, value in schema.items():
            self._add_keyword(claim, keyword, value, seen)

    def _add_keyword(self, claim: Claim, keyword: str, value: Any, seen: set[str]) -> None:
        """Add the members that one keyword mentions."""
        if keyword in {"additionalProperties", "unevaluatedProperties"}:
            self.open |= isinstance(value, Mapping)
        elif keyword in {"propertyNames", "minProperties", "$dynamicRef"}:
            self.open = True
        elif keyword == "$ref":
            if value not in seen:
                self.add(claim, claim.document.target(value), {*seen, value})
        elif keyword in IN_PLACE:
            for below in _schemas(value, keyword):
                self.add(claim, below, seen)


def _schemas(value: Any, keyword: str) -> Iterable[Any]:
    """The schemas in the value of a keyword that applies in place."""
    if keyword == "dependentSchemas":
        return list(value.values())
    return value if isinstance(value, list) else [value]
