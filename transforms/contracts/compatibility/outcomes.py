"""Outcomes of solving claims: whether a value can satisfy them all, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """Verdict of a comparison, from best to worst."""

    COMPATIBLE = "compatible"
    UNDECIDED = "undecided"
    BREAKING = "breaking"


@dataclass(frozen=True)
class Finding:
    """One reason why a schema refuses what another allows, or why that is not known.

    Attributes:
        verdict: breaking or undecided.
        path: JSONPath of the place in a document, `[*]` any item, `.*` any member.
        keyword: keyword that refuses, or could not be decided.
        reason: explanation, one sentence.
        example: for a breaking change, a list of one value at the path that the one schema
            allows and the other refuses; else empty.
    """

    verdict: Verdict
    path: str
    keyword: str
    reason: str
    example: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Whether some value satisfies all claims.

    Attributes:
        impossible: whether it is proven that none does.
        witness: list of one value that does, by the jsonschema library; empty if none is known.
        findings: differences of the compared schemas in the possible cases.
    """

    impossible: bool = False
    witness: tuple[Any, ...] = ()
    findings: tuple[Finding, ...] = ()


IMPOSSIBLE = Outcome(impossible=True)


def merge_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """Combine the outcomes of several cases of which one suffices.

    Returns:
        Impossible if all are, else the first witness and all findings.
    """
    possible = [outcome for outcome in outcomes if not outcome.impossible]
    if not possible:
        return IMPOSSIBLE
    witness = next((outcome.witness for outcome in possible if outcome.witness), ())
    return Outcome(False, witness, told_once(f for outcome in possible for f in outcome.findings))


def told_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Deduplicate findings by path and keyword.

    Returns:
        The worst of each, in the order of first occurrence.
    """
    told: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = finding.path, finding.keyword
        if key not in told or told[key].verdict is Verdict.UNDECIDED:
            told[key] = finding
    return tuple(told.values())
