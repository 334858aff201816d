"""Whether the documents valid under one JSON Schema are valid under another."""

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
    """What may be in a document besides what its schema declares.

    strict: whatever the schema accepts, open content included; every document counts.
    tolerant: a producer sends what its schema declares, a reader leaves out what its own does not.
    """

    STRICT = "strict"
    TOLERANT = "tolerant"


@dataclass(frozen=True)
class Comparison:
    """Whether what one schema accepts, another does, and if not, why."""

    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; compatible if there are none."""
        verdicts = {finding.verdict for finding in self.findings}
        return next((v for v in (Verdict.BREAKING, Verdict.UNDECIDED) if v in verdicts), COMPATIBLE)


COMPATIBLE = Verdict.COMPATIBLE


def accepts(reader: Schema, writer: Schema, mode: Mode = Mode.STRICT) -> Comparison:
    """Whether every document valid under `writer` is valid under `reader`.

    Decided by refutation: a document valid under the one and invalid under the other is sought;
    compatible means that every way to one ends in a contradiction, breaking that one was found
    and confirmed by the jsonschema library.

    Args:
        reader: the schema by which documents are read.
        writer: the schema by which documents are written.
        mode: what open content counts for.

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
    return Comparison((Finding(Verdict.UNDECIDED, "$", "schema", reason),))


def _seeds(*schemas: Schema) -> list[str]:
    found = {text for schema in schemas for text in _texts(schema)}
    plain = sorted(text for text in found if text)
    unanchored = [text.removeprefix("^").removesuffix("$") for text in plain]
    return list(dict.fromkeys((*plain, *unanchored)))[: 2 * MOST_SEEDS]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) < MOST_SEEDS:
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
