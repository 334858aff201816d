"""What is found out about claims: whether a value can meet them all, and what that tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a comparison says, from best to worst."""

    COMPATIBLE = "compatible"
    UNDECIDED = "undecided"
    BREAKING = "breaking"


@dataclass(frozen=True)
class Finding:
    """One reason why a schema does not take what another allows, or why that is not known.

    Attributes:
        verdict: breaking or undecided.
        path: JSONPath of the place in a document, `[*]` any item, `.*` any member.
        keyword: the keyword that refuses, or could not be decided.
        reason: a sentence.
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
    """Whether some value meets all claims.

    Attributes:
        impossible: proven that none does.
        witness: a list of one value that does, by the jsonschema library; empty if none is known.
        findings: what the possible cases tell about the schemas compared.
    """

    impossible: bool = False
    witness: tuple[Any, ...] = ()
    findings: tuple[Finding, ...] = ()


IMPOSSIBLE = Outcome(impossible=True)


def merge_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of several cases of which one suffices."""
    possible = [outcome for outcome in outcomes if not outcome.impossible]
    if not possible:
        return IMPOSSIBLE
    witness = next((outcome.witness for outcome in possible if outcome.witness), ())
    return Outcome(False, witness, told_once(f for outcome in possible for f in outcome.findings))


def told_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding a path and keyword, the worst, in the order of first mention."""
    told: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = finding.path, finding.keyword
        if key not in told or told[key].verdict is Verdict.UNDECIDED:
            told[key] = finding
    return tuple(told.values())
