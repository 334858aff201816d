"""Numbers and texts: whether the facts of a branch allow one, and candidates to test."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from transforms.contracts.compatibility.claims import AtLeast, AtMost, Divisible, Fact

FEW = 1000
COMMON_TEXTS = ("", "a", "A", "0", " ", "_", "-", "é", "aA0", "2024-01-15", "2024-01-15T10:30:00Z")


@dataclass(frozen=True)
class Candidates:
    """Values to test.

    Attributes:
        values: the values.
        all: whether there are no others.
    """

    values: Sequence[Any]
    all: bool = False


@dataclass(frozen=True)
class Range:
    """The bounds that the facts of a branch set.

    Attributes:
        low: lower bound; None for none.
        low_strict: whether the lower bound is excluded.
        high: upper bound; None for none.
        high_strict: whether the upper bound is excluded.
    """

    low: Fraction | None
    low_strict: bool
    high: Fraction | None
    high_strict: bool

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Range:
        """The narrowest range of all bounds among the facts."""
        lows = [(f.bound, f.strict) for f in facts if isinstance(f, AtLeast)]
        highs = [(-f.bound, f.strict) for f in facts if isinstance(f, AtMost)]
        low, low_strict = max(lows, default=(None, False))
        high, high_strict = max(highs, default=(None, False))
        return cls(low, low_strict, None if high is None else -high, high_strict)

    def holds(self, number: Fraction) -> bool:
        """Whether a number is in the range."""
        above = (
            self.low is None or number > self.low or (number == self.low and not self.low_strict)
        )
        below = (
            self.high is None
            or number < self.high
            or (number == self.high and not self.high_strict)
        )
        return above and below

    @property
    def is_empty(self) -> bool:
        """Whether no number is in the range."""
        if self.low is None or self.high is None:
            return False
        strict = self.low_strict or self.high_strict
        return self.low > self.high or (self.low == self.high and strict)


def sizes(facts: Sequence[Fact]) -> tuple[int, int | None]:
    """Least and greatest whole size that the facts allow.

    Returns:
        Both from 0; None for no greatest.
    """
    bounds = Range.of(facts)
    low = Fraction(0) if bounds.low is None else bounds.low
    least = math.floor(low) + 1 if bounds.low_strict else math.ceil(low)
    if bounds.high is None:
        return max(0, least), None
    most = math.ceil(bounds.high) - 1 if bounds.high_strict else math.floor(bounds.high)
    return max(0, least), most


def numbers(facts: Sequence[Fact]) -> Candidates | None:
    """Numbers that the facts allow.

    Returns:
        Candidates; None if no number is possible.
    """
    bounds = Range.of(facts)
    if bounds.is_empty:
        return None
    steps = [f.step for f in facts if isinstance(f, Divisible) and f.holds]
    barred = [f.step for f in facts if isinstance(f, Divisible) and not f.holds]
    if not steps:
        found = [x for x in _spread(bounds) if bounds.holds(x)]
        return Candidates(_plain(found), all=bounds.low is not None and bounds.low == bounds.high)
    step = _common_multiple(steps)
    if any((step / other).denominator == 1 for other in barred):
        return None
    return _multiples(step, bounds)


def _multiples(step: Fraction, bounds: Range) -> Candidates | None:
    """Multiples of a step within bounds.

    Returns:
        All of them if they are few, else some near 0 and the bounds; None if there is none.
    """
    low = None if bounds.low is None else math.ceil(bounds.low / step)
    high = None if bounds.high is None else math.floor(bounds.high / step)
    if low is not None and high is not None and high - low <= FEW:
        inside = [step * k for k in range(low, high + 1) if bounds.holds(step * k)]
        return Candidates(_plain(inside), all=True) if inside else None
    near = {0, low or 0, high or 0}
    tried = sorted({k + d for k in near for d in range(-6, 7)}, key=abs)
    return Candidates(_plain([step * k for k in tried if bounds.holds(step * k)]))


def _spread(bounds: Range) -> list[Fraction]:
    """Numbers near 0, the bounds and their middle."""
    near = [x for x in (bounds.low, bounds.high) if x is not None] or [Fraction(0)]
    if bounds.low is not None and bounds.high is not None:
        near.append((bounds.low + bounds.high) / 2)
    moves = [Fraction(n, 4) for n in (0, 4, -4, 8, -8, 2, -2, 1, -1, 12, -12, 28, -28)]
    return [Fraction(0), *(x + move for move in moves for x in near)]


def _common_multiple(steps: Sequence[Fraction]) -> Fraction:
    """The least common multiple of steps."""
    denominator = math.lcm(*(step.denominator for step in steps))
    return Fraction(math.lcm(*(int(step * denominator) for step in steps)), denominator)


def _plain(found: Iterable[Fraction]) -> list[int | float]:
    """Fractions as JSON numbers."""
    return [int(x) if x.denominator == 1 else float(x) for x in found]


def texts(facts: Sequence[Fact], seeds: Iterable[str]) -> Candidates | None:
    """Texts to test, made from seeds of fitting length.

    Args:
        facts: facts of the branch.
        seeds: texts worth trying.

    Returns:
        Candidates; None if no length is possible.
    """
    low, high = sizes(facts)
    if high is not None and low > high:
        return None
    if high == 0:
        return Candidates([""], all=True)
    made = [seed + (seed[-1:] or "a") * (low - len(seed)) for seed in (*COMMON_TEXTS, *seeds)]
    made += ["a" * high] if high is not None and high < FEW else ["a" * (low + n) for n in (1, 30)]
    return Candidates([text for text in made if high is None or len(text) <= high])
