"""Compatibility levels of a history of schemas, in the terms of Kafka's schema registries.

BACKWARD: the new schema reads what the one before wrote. FORWARD: the one before reads what the
new one writes. FULL: both. With _TRANSITIVE: all earlier schemas instead of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from transforms.contracts.compatibility.comparison import Comparison, Mode, accepts
from transforms.contracts.compatibility.documents import Schema
from transforms.contracts.compatibility.outcomes import Verdict


class Level(StrEnum):
    """Compatibility that is required of a new schema with the earlier ones."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions in which schemas are compared."""
        backward: tuple[Direction, ...] = ("backward",) if self.startswith(("BACK", "FULL")) else ()
        forward: tuple[Direction, ...] = ("forward",) if self.startswith(("FOR", "FULL")) else ()
        return backward + forward

    @property
    def is_transitive(self) -> bool:
        """Whether a new schema is compared with all earlier ones."""
        return self.endswith("_TRANSITIVE")


Direction = Literal["backward", "forward"]


@dataclass(frozen=True)
class Step:
    """One comparison of a new schema with an earlier one.

    Attributes:
        earlier: index of the earlier schema in the history, from 0.
        direction: backward if the new schema reads, forward if the earlier one does.
        comparison: result.
    """

    earlier: int
    direction: Direction
    comparison: Comparison


def check(
    new: Schema, history: Sequence[Schema], level: Level, mode: Mode = Mode.STRICT
) -> tuple[Step, ...]:
    """Compare a new schema with its history.

    Args:
        new: new schema.
        history: earlier schemas, oldest first.
        level: compatibility that is required.
        mode: treatment of members that a schema does not declare.

    Returns:
        The comparisons that are not compatible; none if the new schema may be published.

    Raises:
        SchemaDocumentError: a schema is not a valid JSON Schema.
    """
    owed = range(len(history)) if level.is_transitive else range(len(history))[-1:]
    steps = (
        Step(earlier, direction, _compared(new, history[earlier], direction, mode))
        for earlier in owed
        for direction in level.directions
    )
    return tuple(s for s in steps if s.comparison.verdict is not Verdict.COMPATIBLE)


def _compared(new: Schema, earlier: Schema, direction: Direction, mode: Mode) -> Comparison:
    """Compare two schemas in one direction."""
    reader, writer = (new, earlier) if direction == "backward" else (earlier, new)
    return accepts(reader, writer, mode)
