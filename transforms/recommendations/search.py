"""The search for better settings: which to try next, given what those tried came to.

First the settings as they are, then some drawn at random, then steps from the best along one
setting at a time, halved when none helps any more (compass search). What is proposed follows from
the seed and the values sent back alone, so a search that was interrupted goes the same way again
through what it has tried, and on from there.

References:
    J. Bergstra and Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012.
    T. Kolda, R. Lewis and V. Torczon, "Optimization by direct search", SIAM Review 45(3), 2003.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from math import exp, log
from typing import Literal

import numpy as np

Point = Mapping[str, float]
"""Settings by name."""

Search = Generator[Point, float, None]
"""Yields settings to try, takes what they came to; the greater the better."""

HALVINGS = 3
"""How often steps are halved before a search ends."""


@dataclass(frozen=True)
class Axis:
    """One setting that is searched.

    Attributes:
        lower: least value.
        upper: greatest value.
        step: first step: added on a linear scale, a factor on a logarithmic one.
        scale: whether steps are added or multiplied.
    """

    lower: float
    upper: float
    step: float
    scale: Literal["linear", "log"] = "linear"

    def draw(self, generator: np.random.Generator) -> float:
        """Draw a value, uniform on the axis's scale."""
        if self.scale == "log":
            return self._within(exp(generator.uniform(log(self.lower), log(self.upper))))
        return self._within(generator.uniform(self.lower, self.upper))

    def move(self, value: float, steps: float) -> float:
        """Move a value by so many steps, within the bounds."""
        if self.scale == "log":
            return self._within(value * self.step**steps)
        return self._within(value + self.step * steps)

    def _within(self, value: float) -> float:
        return float(f"{min(max(value, self.lower), self.upper):.3g}")


def search(
    space: Mapping[str, Axis], start: Point, *, draws: int, generator: np.random.Generator
) -> Search:
    """Propose settings until no step helps.

    Args:
        space: settings that are searched, by name; the order is that of the steps.
        start: settings to begin with, each inside its axis or not.
        draws: number of settings that are drawn at random.
        generator: source of randomness, the caller's.
    """
    best, value = start, (yield start)
    for _ in range(draws):
        drawn = {name: axis.draw(generator) for name, axis in space.items()}
        reached = yield drawn
        if reached > value:
            best, value = drawn, reached
    for halving in range(HALVINGS + 1):
        improved = True
        while improved:
            before = value
            for name, axis in space.items():
                best, value = yield from _along(axis, name, best, value, 0.5**halving)
            improved = value > before


def _along(
    axis: Axis, name: str, best: Point, value: float, steps: float
) -> Generator[Point, float, tuple[Point, float]]:
    """Step up while that helps, else down while that helps."""
    for direction in (steps, -steps):
        moved = False
        for candidate in _line(axis, name, best, direction):
            reached = yield candidate
            if reached <= value:
                break
            best, value, moved = candidate, reached, True
        if moved:
            break
    return best, value


def _line(axis: Axis, name: str, start: Point, steps: float) -> Iterator[Point]:
    """The points in one direction, to the end of the axis."""
    here = start[name]
    while (there := axis.move(here, steps)) != here:
        yield {**start, name: there}
        here = there
