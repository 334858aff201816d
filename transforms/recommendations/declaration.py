"""A declaration: the settings that make a model what it is, by name, and what they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from transforms.recommendations.histories import Reading
from transforms.recommendations.solvers import Ease, Edlae, Solver, SquaredSpectrum
from transforms.recommendations.views import DAY_S
from transforms.recommendations.weighting import Weighting

DECLARED = (
    *("algorithm", "l2", "l2_per", "dropout", "popularity_exponent", "damping", "half_star"),
    *("factors", "confidence", "factor_l2"),
    *("prior_weight", "views_half_life_days", "history_half_life_days"),
    *("next_weight", "next_half_life_days"),
)


def declared_solver(declared: Mapping[str, Any]) -> Solver:
    """The solver that a declaration names, with its settings.

    A declaration without `l2_per` is of a model from when there was one unit.
    """
    l2, dropout, per = declared["l2"], declared["dropout"], declared.get("l2_per", "title")
    match declared["algorithm"]:
        case "ease":
            return Ease(l2, per)
        case "edlae":
            return Edlae(l2, dropout, per)
        case _:
            return SquaredSpectrum(l2, dropout, declared["popularity_exponent"], per)


def declared_weighting(declared: Mapping[str, Any]) -> Weighting:
    """What signals are worth; of a rating as declared, of the others as `Weighting` has them.

    A declaration without `half_star` is of a model from when it was 1.
    """
    return Weighting(half_star=declared.get("half_star", 1))


def declared_reading(declared: Mapping[str, Any]) -> Reading:
    """How histories are read; a declaration from before sittings were has none of their age."""
    sitting_s = declared.get("next_half_life_days", math.inf) * DAY_S
    return Reading(declared_weighting(declared), history_half_life_s(declared), sitting_s)


def next_weight(declared: Mapping[str, Any]) -> float:
    """What is met next to the sitting, as its weight in a score."""
    return float(declared.get("next_weight", 0.0))


def history_half_life_s(declared: Mapping[str, Any]) -> float:
    """The time after which a title in a history counts half, in seconds, or infinity."""
    days = declared["history_half_life_days"]
    return math.inf if days is None else days * DAY_S


def views_half_life_s(declared: Mapping[str, Any]) -> float:
    """The time after which a view counts half, in seconds."""
    return float(declared["views_half_life_days"] * DAY_S)
