"""Comparison of two JSON Schemas: whether one accepts every document that the other accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from transforms.contracts.compatibility.branches import TooManyCasesError
from transforms.contracts.compatibility.claims import Claim, Origin
from transforms.contracts.compatibility.documents import Schema, SchemaDocument
from transforms.contracts.compatibility.outcomes import Finding, Verdict
from transforms.contracts.compatibility.solver import Solver

STEPS = 50_000
MOST_SEEDS = 60


class Mode(StrEnum):
    """Treatment of members that a schema does not declare.

    strict: all that the schema accepts counts, open content included.
    tolerant: a producer sends the members its schema declares, a reader ignores undeclared ones.
    """

    STRICT = "strict"
    TOLERANT = "tolerant"


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison: whether one schema accepts all that another does.

    Attributes:
        findings: reasons why not, or why it is not known; empty if compatible.
    """

    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the findings, and compatible without any."""
        verdicts = {finding.verdict for finding in self.findings}
        return next((v for v in (Verdict.BREAKING, Verdict.UNDECIDED) if v in verdicts), COMPATIBLE)


COMPATIBLE = Verdict.COMPATIBLE


def accepts(reader: Schema, writer: Schema, mode: Mode = Mode.STRICT) -> Comparison:
    """Decide whether every document valid under `writer` is valid under `reader`.

    Decided by refutation: a document valid under the one and invalid under the other is sought;
    compatible means that every way to one ends in a contradiction, breaking that one was found
    and confirmed by the jsonschema library.

    Args:
        reader: schema by which documents are read.
        writer: schema by which documents are written.
        mode: treatment of members that a schema does not declare.

    Returns:
        The comparison; undecided also if the schemas leave too many cases.

    Raises:
        SchemaDocumentError: one of them is not a valid JSON Schema.
    """
    tolerant = mode is Mode.TOLERANT
    written = SchemaDocument(writer, sends_declared=tolerant)
    read = SchemaDocument(reader, ignore_undeclared=tolerant)
    origin = Origin("$", "schema", reader)
    solver = Solver(STEPS, _seeds(writer, reader))
    try:
        outcome = solver.solve(
            [
                Claim(written, written.root, True, origin, blamed=False),
                Claim(read, read.root, False, origin, blamed=True),
            ]
        )
    except (TooManyCasesError, RecursionError):
        return _undecided("the schemas leave too many cases to go through")
    except re.error as error:
        return _undecided(f"a pattern that Python cannot read: {error}")
    return Comparison(() if outcome.impossible else outcome.findings)


def _undecided(reason: str) -> Comparison:
    """Comparison with one undecided finding for the whole document."""
    return Comparison((Finding(Verdict.UNDECIDED, "$", "schema", reason),))


def _seeds(*schemas: Schema) -> list[str]:
    """Texts of the schemas worth trying as values and names, patterns also without their anchors.

    Returns:
        At most 2 * MOST_SEEDS texts, without duplicates.
    """
    found = {text for schema in schemas for text in _texts(schema)}
    plain = sorted(text for text in found if text)
    unanchored = [text.removeprefix("^").removesuffix("$") for text in plain]
    return list(dict.fromkeys((*plain, *unanchored)))[: 2 * MOST_SEEDS]


def _texts(value: Any) -> Iterator[str]:
    """Yield the names and the strings shorter than MOST_SEEDS characters in a JSON value."""
    if isinstance(value, str) and len(value) < MOST_SEEDS:
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
